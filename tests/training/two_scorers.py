"""One of two processes, started by `test_scoring.py` as `torchrun` would: writes what it got."""

import json
import os
import sys
from pathlib import Path

import torch

from arcal.attacks import attack_named
from arcal.compute.fabric import Fabric
from arcal.errors import ArcalError
from arcal.store import RunFolder
from arcal.training.saved_run import data_of
from arcal.training.scoring import score_run

if __name__ == "__main__":
    folder, to = RunFolder.open(Path(sys.argv[1])), Path(sys.argv[2]) / os.environ["RANK"]
    part = data_of(folder).test
    fabric = Fabric(accelerator="cpu", devices=2, strategy="ddp")
    fabric.launch()
    torch.set_num_threads(1)
    quick = attack_named("boundary-projection-quick")
    scores = score_run(folder, part, "test", "attack", attack=quick, fabric=fabric)
    try:
        score_run(folder, part, "test", "margin", fabric=fabric)
        error = ""
    except ArcalError as refused:
        error = str(refused)
    to.write_text(json.dumps({"robustness": scores.robustness.tolist(), "error": error}))
    fabric.barrier()
    os._exit(0)  # gloo's threads may abort an orderly exit
