"""How far gradients in bf16 are from those in float32, and whether the errors are biased.

    python -m benchmarks.bf16_gradients RUN

Takes a trained run of the small or medium network and batches of 128 of its training images,
smoothed by .3. Prints for autocast, and for convolutions alone in bf16, by kind of parameter: the
error of a batch's gradient over its length, the error of the mean gradient of all batches, what
that would be if the batches' errors were independent with mean zero, and how much longer than in
float32 a gradient is along the one in float32, with its standard error.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import tyro
from torch import Tensor, nn

from arcal.compute.device import Bf16Convolutions
from arcal.data import as_input, batches
from arcal.smoothing import smooth_cross_entropy
from arcal.store import RunFolder
from arcal.training.saved_run import data_of, models_of

MODES: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "float32": nullcontext,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "convolutions alone": Bf16Convolutions,
}


def main(run: tyro.conf.Positional[Path], data: str | None = None, count: int = 24) -> None:
    """Print the errors of `count` batches; `data` is where the run's data lies now."""
    torch.set_num_threads(1)
    folder = RunFolder(run)
    (model,) = models_of(folder)
    model.train()
    gradients: dict[str, list[dict[str, Tensor]]] = {mode: [] for mode in MODES}
    part = data_of(folder, data).train
    for _, images, labels in islice(batches(part, 128), count):
        x = as_input(images, "cpu")
        for mode, context in MODES.items():
            model.zero_grad()
            with context():
                logits = model(x)
            smooth_cross_entropy(logits.float(), labels, 0.3).backward()
            gradients[mode].append(by_kind(model))
    for mode in list(MODES)[1:]:
        for kind in gradients[mode][0]:
            exact = torch.stack([one[kind] for one in gradients["float32"]])
            error = torch.stack([one[kind] for one in gradients[mode]]) - exact
            length, mean = exact.norm(dim=1), exact.mean(0).norm()
            along = (error * exact).sum(1) / length**2
            chance = error.std(0).norm() / len(error) ** 0.5
            print(
                f"{mode}, {kind}: {(error.norm(dim=1) / length).mean():.4f} a batch, "
                f"{error.mean(0).norm() / mean:.4f} of the mean ({chance / mean:.4f} by chance), "
                f"{along.mean():+.5f} +- {along.std() / len(error) ** 0.5:.5f} along it"
            )


def by_kind(model: nn.Module) -> dict[str, Tensor]:
    """The gradients of all parameters of a kind, flattened."""
    kinds: dict[str, list[Tensor]] = {}
    names = {
        nn.Conv2d: {"weight": "convolutions"},
        nn.BatchNorm2d: {"weight": "batch norm's scales", "bias": "batch norm's shifts"},
        nn.Linear: {"weight": "classifier's weights", "bias": "classifier's biases"},
    }
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            assert parameter.grad is not None
            kinds.setdefault(names[type(module)][name], []).append(parameter.grad.flatten().clone())
    return {kind: torch.cat(parts) for kind, parts in kinds.items()}


if __name__ == "__main__":
    tyro.cli(main)
