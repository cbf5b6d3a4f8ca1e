"""The device, processes and memory that a command runs on.

device     devices and their processes, through Lightning Fabric
processes  work distributed over local processes
watch      progress of work in other processes
memory     keeping freed memory for the next step
"""
