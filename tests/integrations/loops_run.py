"""One of two processes of a loop by hand: DDP in bf16 with accumulated gradients.

It writes a checkpoint after every epoch.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler
from toy import CLASSES, LEVELS, Shadow, tensors, train_data, validation_data, vanilla

import arcal
from arcal.data import WithIds

EPOCHS, ACCUMULATED, PARTS = 4, 2, (train_data(), validation_data())


def smoothing() -> arcal.AdaptiveLabelSmoothing:
    """A loss with levels by the vanilla model."""
    loss = arcal.AdaptiveLabelSmoothing(CLASSES, LEVELS, alpha=0.5)
    for name, part in zip(("train", "validation"), PARTS, strict=True):
        x, y = part.tensors
        scores = arcal.score(vanilla(), [(torch.arange(len(x)), x, y)], order="margin")
        loss.assign(name, scores.ids, arcal.levels(scores.robustness, scores.ids, LEVELS))
    return loss


def validated(model: nn.Module, loader: Any) -> list[Tensor]:
    """Confidence, correctness and ids of what a loader yields in this process."""
    model.eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        rows = [(model(x).float().softmax(1).max(1), y, ids) for ids, x, y in loader]
    columns = [(confidence, predicted == y, ids) for (confidence, predicted), y, ids in rows]
    return [torch.cat(column) for column in zip(*columns, strict=True)]


def loaders() -> tuple[DataLoader, DataLoader]:
    """Each process's share; that of the validation set is padded."""
    train, validation = map(WithIds, PARTS)
    return (
        DataLoader(train, 8, sampler=DistributedSampler(train)),
        DataLoader(validation, 8, sampler=DistributedSampler(validation, shuffle=False)),
    )


def plain(folder: Path, resume: bool, after_epoch):
    """PyTorch alone."""
    model, loss = vanilla(), smoothing()
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    first, path = 0, folder / "state.pt"
    if resume:
        state = torch.load(path, weights_only=True)
        first = state["epoch"]
        for part, name in ((model, "model"), (loss, "smoothing"), (optimizer, "optimizer")):
            part.load_state_dict(state[name])
    wrapped, (train, validation) = DistributedDataParallel(model), loaders()
    for epoch in range(first, EPOCHS):
        train.sampler.set_epoch(epoch)  # pyright: ignore
        wrapped.train()
        for step, (ids, x, y) in enumerate(train, start=1):
            with torch.autocast("cpu", torch.bfloat16):
                logits = wrapped(x)
            (loss(logits, y, ids) / ACCUMULATED).backward()
            if step % ACCUMULATED == 0:
                optimizer.step()
                optimizer.zero_grad()
        loss.update(*validated(model, validation))
        if distributed.get_rank() == 0:
            state = {"model": model, "smoothing": loss, "optimizer": optimizer}
            state = {name: part.state_dict() for name, part in state.items()}
            torch.save(state | {"epoch": epoch + 1}, path)
        distributed.barrier()
        after_epoch(epoch, model, loss)
    return model, loss


def main(folder: Path, mode: str) -> None:
    shadows: list[Shadow] = []

    def after_epoch(epoch: int, model: nn.Module, loss: arcal.AdaptiveLabelSmoothing) -> None:
        shadows.extend([] if shadows else [Shadow(loss)])
        x, y = tensors(33, 1)
        model.eval()
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            logits = model(x).float()
        shadows[0].update(logits, y)
        if mode == "killed" and epoch == 1:
            os._exit(9)

    state = folder / ("killed" if mode == "resumed" else mode)
    state.mkdir(exist_ok=True)
    model, loss = plain(state, mode == "resumed", after_epoch)
    result = {
        "soft_label": loss.soft_label.tolist(),
        "epoch": int(loss.epoch),
        "expected": shadows[0].soft_label,
        "weights": [float(w.detach().double().sum()) for w in model.parameters()],
    }
    (folder / f"{mode}-{os.environ['RANK']}.json").write_text(json.dumps(result))


if __name__ == "__main__":
    torch.set_num_threads(1)
    distributed.init_process_group("gloo")
    main(Path(sys.argv[1]), sys.argv[2])
    os._exit(0)  # gloo's threads may abort an orderly exit
