"""One of two processes, started by `test_fit.py` as `torchrun` would: writes what it found."""

import json
import os
import sys
from pathlib import Path

import torch
from test_fit import RECIPE, levelled, members
from tiny_data import tiny_data

from arcal.compute.fabric import Fabric
from arcal.methods import ARAdaLS
from arcal.training._fit import _Loop


def validated(fabric: Fabric):
    """What an untrained model's validation says; and the soft labels after an epoch."""
    data = tiny_data()
    method = levelled(data, ARAdaLS(4, alpha=0.1, R=2))
    method.add(noise=0.1, perturbed=0.15, augmix=12.0, regmixup=20.0)
    loop = _Loop(members(), method, RECIPE, fabric, 0)
    found = loop.validate(data.validation)
    loop.train(1, data.train)
    loop.validate(data.validation)
    return found, method.smoothing.soft_label.tolist()


if __name__ == "__main__":
    torch.set_num_threads(1)
    fabric = Fabric(accelerator="cpu", devices=2, strategy="ddp")
    fabric.launch()
    found = validated(fabric)
    (Path(sys.argv[1]) / os.environ["RANK"]).write_text(json.dumps(found))
    fabric.barrier()
    os._exit(0)  # gloo's threads may abort an orderly exit
