"""What a command runs on: the device, processes of this machine, and their memory.

_compute   one value for all of it
device     devices and processes, through Lightning Fabric
processes  work fanned out over local processes
watch      progress of work that other processes do
memory     freed memory kept for the next step
"""

from arcal.compute._compute import Compute

__all__ = ["Compute"]
