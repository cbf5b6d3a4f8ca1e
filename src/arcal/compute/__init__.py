"""The device, processes and memory that a command runs on.

_compute   one value for all of it
device     devices and their processes, through Lightning Fabric
precision  bf16 for convolutions, float32 for the rest
processes  work distributed over local processes, and its progress
sharing    many pieces of one work, over local processes, those of a launcher, or on Ray
on_ray     a Ray cluster
ray_watch  ends what a local Ray has started once the command is killed
memory     keeping freed memory for the next step
operations floating-point operations of a computation, and what it keeps for its gradient
"""

from arcal.compute._compute import Compute, check_count

__all__ = ["Compute", "check_count"]
