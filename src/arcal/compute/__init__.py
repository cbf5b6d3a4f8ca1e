"""What a command runs on: the device, processes of this machine, and their memory.

device     devices and processes, through Lightning Fabric
precision  bf16 for convolutions, float32 for the rest
processes  work fanned out over local processes
watch      progress of work that other processes do
memory     freed memory kept for the next step
"""
