"""The device, processes and memory that a command runs on.

_compute   one value for all of it
device     devices and their processes, through Lightning Fabric; bf16 for convolutions alone
fabric     what is used of Lightning Fabric
processes  work distributed over local processes, its progress, and keeping freed memory
sharing    many pieces of one work, over local processes, those of a launcher, or on Ray
on_ray     a Ray cluster
"""

from arcal.compute._compute import Compute, check_count

__all__ = ["Compute", "check_count"]
