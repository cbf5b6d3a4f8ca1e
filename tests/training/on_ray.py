"""Trains runs on Ray in a process of its own, started by `test_many.py`: DATA ROOT."""

import logging
import sys
from dataclasses import replace

import ray
from test_many import run_of, two_runs

from arcal.compute import Compute
from arcal.errors import ArcalError
from arcal.training.many import train_all

if __name__ == "__main__":
    runs, root = two_runs(run_of(sys.argv[1])), sys.argv[2]
    wild = replace(runs[1], recipe=replace(runs[1].recipe, learning_rate=1e30))
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "include_dashboard": False}
    ray.init(num_cpus=2, **quiet)  # once for both: it takes long to start
    try:
        train_all(runs, root, compute=Compute(ray="local"))
        train_all([wild], root, compute=Compute(ray="local"))
    except ArcalError as error:
        print(error)
    finally:
        ray.shutdown()
