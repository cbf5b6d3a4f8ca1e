"""One of two processes of a loop by hand: plain DDP, Accelerate, or timm's task.

Each trains in bf16 with accumulated gradients, and writes a checkpoint after every epoch.
"""
# pyright: reportMissingImports=false

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler
from toy import CLASSES, LEVELS, Repeatable, Shadow, tensors, train_data, validation_data, vanilla

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


def by_accelerate(folder: Path, resume: bool, after_epoch):
    """Hugging Face's Accelerate: its loaders, precision, accumulation and checkpoints."""
    from accelerate import Accelerator

    accelerator = Accelerator(
        cpu=True, mixed_precision="bf16", gradient_accumulation_steps=ACCUMULATED
    )
    model, loss = vanilla(), smoothing()
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    train, validation = map(WithIds, PARTS)
    model, optimizer, train, validation = accelerator.prepare(
        model, optimizer, DataLoader(train, 8, sampler=Repeatable(train)), DataLoader(validation, 8)
    )
    accelerator.register_for_checkpointing(loss)
    first = 0
    if resume:
        accelerator.load_state(str(folder / "state"))
        first = int(loss.epoch)
    for epoch in range(first, EPOCHS):
        train.set_epoch(epoch)  # pyright: ignore
        model.train()
        for ids, x, y in train:
            with accelerator.accumulate(model):
                accelerator.backward(loss(model(x), y, ids))
                optimizer.step()
                optimizer.zero_grad()
        loss.update(*validated(accelerator.unwrap_model(model), validation))
        accelerator.save_state(str(folder / "state"))
        after_epoch(epoch, accelerator.unwrap_model(model), loss)
    return model, loss


def by_timm(folder: Path, resume: bool, after_epoch):
    """The task of `examples/loops/timm_task.py`."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "loops"))
    from timm_task import RobustTask, WithTarget

    model, loss = vanilla(), smoothing()
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    task, path, first = RobustTask(model, loss, verbose=False), folder / "state.pt", 0
    if resume:
        state = torch.load(path, weights_only=True)
        task.load_checkpoint_state(state["state_dict"], state["task_state"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["epoch"]
    task.prepare_distributed()
    train, validation = map(WithTarget, PARTS)
    order = DistributedSampler(train)
    train = DataLoader(train, 8, sampler=order)
    validation = DataLoader(validation, 8, sampler=DistributedSampler(validation, shuffle=False))
    for epoch in range(first, EPOCHS):
        order.set_epoch(epoch)
        task.train()
        for step, (x, target) in enumerate(train, start=1):
            with torch.autocast("cpu", torch.bfloat16):
                result = task(x, target)
            (result["loss"] / ACCUMULATED).backward()
            if step % ACCUMULATED == 0:
                optimizer.step()
                optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            task.learn(validation)
        if distributed.get_rank() == 0:
            state = task.get_checkpoint_state() | {"optimizer": optimizer.state_dict()}
            torch.save(state | {"epoch": epoch + 1}, path)
        distributed.barrier()
        after_epoch(epoch, model, loss)
    return model, loss


LOOPS = {"plain": plain, "accelerate": by_accelerate, "timm": by_timm}


def main(folder: Path, loop: str, mode: str) -> None:
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
    model, loss = LOOPS[loop](state, mode == "resumed", after_epoch)
    result = {
        "soft_label": loss.soft_label.tolist(),
        "epoch": int(loss.epoch),
        "expected": shadows[0].soft_label,
        "weights": [float(w.detach().double().sum()) for w in model.parameters()],
    }
    (folder / f"{mode}-{os.environ['RANK']}.json").write_text(json.dumps(result))


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[2] != "accelerate":
        distributed.init_process_group("gloo")
    main(Path(sys.argv[1]), *sys.argv[2:])
    os._exit(0)  # gloo's threads may abort an orderly exit
