"""A LightningModule as anyone has it, and a fit; also one of two processes of a DDP run."""
# pyright: reportMissingImports=false

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader
from toy import (
    CLASSES,
    LEVELS,
    Repeatable,
    Shadow,
    network,
    train_data,
    validation_data,
    vanilla,
)

from arcal.data import WithIds
from arcal.integrations.lightning import RobustSmoothing


class Net(LightningModule):
    def __init__(self, weight=None):
        super().__init__()
        self.network = network()
        self.criterion = nn.CrossEntropyLoss(weight)
        self.losses: list[float] = []

    def forward(self, x):
        return self.network(x)

    def training_step(self, batch, index):
        _, x, y = batch
        loss = self.criterion(self(x), y)
        self.losses.append(float(loss.detach()))
        return loss

    def validation_step(self, batch, index, dataloader_idx=0):
        _, x, y = batch
        self.log("val_loss", self.criterion(self(x), y), sync_dist=True, add_dataloader_idx=False)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 0.02)


class Check(Callback):
    """What the whole validation set says by the model as it is, at the end of each epoch."""

    def __init__(self, smoothing: RobustSmoothing):
        self.shadow = Shadow(smoothing.loss)

    def on_validation_epoch_end(self, trainer, pl_module):
        if not trainer.sanity_checking and trainer.is_last_batch and self.shadow.loss.epoch:
            x, y = validation_data().tensors
            self.shadow.update(pl_module(x.to(pl_module.dtype)).float(), y)


class Kill(Callback):
    """The end of the process, without a word, in the middle of an epoch."""

    def __init__(self, epoch: int):
        self.epoch = epoch

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.current_epoch == self.epoch and batch_idx == 1:
            os._exit(9)


def loaders() -> dict[str, Any]:
    """A training and a validation loader, with ids."""
    train, validation = WithIds(train_data()), WithIds(validation_data())
    return {
        "train_dataloaders": DataLoader(train, 8, sampler=Repeatable(train)),
        "val_dataloaders": DataLoader(validation, 8),
    }


def fit(
    folder: Path,
    epochs: int = 4,
    resume: Path | None = None,
    callbacks: tuple[Any, ...] = (),
    settings: dict[str, Any] | None = None,
    module: Any = None,
    data: dict[str, Any] | None = None,
    **trainer: Any,
):
    """Train, and return the module, the callback and what it has to have found."""
    defaults = {"vanilla": vanilla(), "levels": LEVELS, "alpha": 0.5, "order": "margin"}
    smoothing = RobustSmoothing(CLASSES, **(defaults | (settings or {})))
    check = Check(smoothing)
    module = module or Net()
    options: dict[str, Any] = {"accelerator": "cpu", "devices": 1, "max_epochs": epochs}
    options |= {"enable_progress_bar": False, "enable_model_summary": False}
    options |= {"logger": CSVLogger(folder), "callbacks": [smoothing, check, *callbacks]}
    Trainer(default_root_dir=folder, log_every_n_steps=1, **(options | trainer)).fit(
        module, **(data or loaders()), ckpt_path=resume
    )
    return module, smoothing, check.shadow


def main(folder: Path, mode: str) -> None:
    """One of two processes: a whole run, one that is killed, or its continuation."""
    last = (
        next(iter(sorted((folder / "killed").rglob("*.ckpt"))), None) if mode == "resumed" else None
    )
    module = Net()
    module.network.load_state_dict(vanilla().state_dict())  # over-confident from the start
    module, smoothing, shadow = fit(
        folder / mode,
        module=module,
        resume=last,
        callbacks=(Kill(2),) if mode == "killed" else (),
        settings={"rescore": [2]},
        devices=2,
        strategy="ddp",
        accumulate_grad_batches=2,
        precision="bf16-mixed",
    )
    result = {
        "soft_label": smoothing.loss.soft_label.tolist(),
        "epoch": int(smoothing.loss.epoch),
        "levels": smoothing.loss.train_levels.levels.tolist(),
        "expected": shadow.soft_label,
        "weights": [float(w.double().sum()) for w in module.parameters()],
    }
    (folder / f"{mode}-{os.environ['RANK']}.json").write_text(json.dumps(result))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), sys.argv[2])
    os._exit(0)  # gloo's threads may abort an orderly exit
