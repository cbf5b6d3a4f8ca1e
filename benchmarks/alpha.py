"""`alpha auto` against alphas tuned by hand, for short and long training on two data sets.

    python -m benchmarks.alpha                # docs/notebook/automatic-alpha.md
    python -m benchmarks.alpha --on test --lengths 16 --alphas --seeds 10 11 12 13 14 15 16 17

The second gives the tables of `docs/notebook/joint-update.md`.

Trains the small network on 3,000 images at half their resolution, so that a run takes seconds; 10
levels of 200 validation images each, cut by the gradient order. `--on development` measures on
2,000 other images of the training set and, for shift, on 1,000 of them under the four types left
for choosing; `--on test` on 5,000 test images and 1,000 of them under the 15 others. CIFAR-10 is
read from the folder that `ARCAL_SHARED` names. Runs are kept, and a killed one continues.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache as once
from pathlib import Path
from statistics import mean, stdev
from typing import Any, Literal

import torch
import torch.nn.functional as F
import tyro
from torch import Tensor

from arcal.calibration import confidence_and_correct, ece
from arcal.calibration.posthoc import fit_temperature
from arcal.compute.processes import keep_memory
from arcal.data import Data, InMemory, Part, as_input, load
from arcal.ranks import levels
from arcal.robustness import score
from arcal.training._train import train
from arcal.training.recipes import RECIPES
from arcal.training.run import Run
from arcal.training.saved_run import model_of
from arcal.transforms import corrupt
from arcal.transforms.corruptions import EXTRA, IMAGENET_C
from benchmarks.settings import shared

TRAINING, VALIDATION, DEVELOPMENT, TEST, SHIFTED, R = 3000, 2000, 2000, 5000, 1000, 10
INTENSITIES = (1, 3, 5)
EPSILONS = {"cifar10": (0.3, 0.35, 0.4), "fashion": (0.05, 0.07, 0.1)}
ALPHAS = (0.05, 0.1, 0.2, 0.4, 0.8)
HEAD = ("method", "accuracy", "ECE", "mean gap", "gap by level", "shifted ECE")

On = Literal["development", "test"]
Name = Literal["cifar10", "fashion"]


def main(
    on: On = "development",
    data: tuple[Name, ...] = ("cifar10", "fashion"),
    lengths: tuple[int, ...] = (16, 40),
    seeds: tuple[int, ...] = (0, 1),
    alphas: tuple[float, ...] = ALPHAS,
    cache: Path = Path(".benchmarks"),
) -> None:
    """Train what is missing, and print a line per method: mean and deviation over seeds, x 100."""
    torch.set_num_threads(1)
    keep_memory()
    for name in data:
        for epochs in lengths:
            print(
                f"\n{name}, {epochs} epochs, {on} images, seeds {seeds}\n\n| {' | '.join(HEAD)} |"
            )
            print("| --- " * len(HEAD) + "|", flush=True)
            for method, settings in _methods(name, alphas):
                rows = [
                    _measured(name, on, epochs, seed, method, settings, cache) for seed in seeds
                ]
                shown = ", ".join(
                    f"{k} {v}" for k, v in settings.items() if k not in ("order", "R")
                )
                for after, found in zip(
                    ("", " + temperature"), zip(*rows, strict=True), strict=True
                ):
                    columns = [_spread(column) for column in zip(*found, strict=True)]
                    print(f"| {method} {shown}{after} | {' | '.join(columns)} |", flush=True)


def _methods(name: Name, alphas: tuple[float, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "vanilla", {}
    yield from (("label-smoothing", {"epsilon": epsilon}) for epsilon in EPSILONS[name])
    settings = {"order": "gradient", "R": R}
    yield from (("ar-adals", settings | {"alpha": alpha}) for alpha in (*alphas, "auto"))
    yield "ar-adals", settings | {"alpha": "auto", "update": "joint"}


def _measured(
    name: Name, on: On, epochs: int, seed: int, method: str, settings: dict[str, Any], cache: Path
) -> tuple[list[float], list[float]]:
    """The figures of `HEAD` of one run, and of the same under temperature scaling."""
    data, _ = _data(name)
    recipe = RECIPES["demo"].shortened(epochs)
    run = Run(data=name, method=method, settings=settings, seeds=(seed,), recipe=recipe)
    vanilla = replace(run, method="vanilla", settings={})
    model, ranking = (model_of(train(r, cache / "runs", data=data)) for r in (run, vanilla))
    clean, *shifted = _sets(name, on)
    level = levels(score(ranking, _inputs(clean), "gradient").robustness, clean.ids, R)
    with torch.no_grad():
        validation, *logits = [model(_all(part)[1]) for part in (data.validation, clean, *shifted)]
    scaling = fit_temperature(validation.log_softmax(1), data.validation.labels)

    def figures(scaled: bool) -> list[float]:
        found = []
        for z, part in zip(logits, (clean, *shifted), strict=True):
            log_p = z.double().log_softmax(1)
            p = (scaling(log_p) if scaled else log_p).exp()
            found.append(confidence_and_correct(p, part.labels))
        confidence, correct = found[0]
        gap = confidence - correct.double()
        by_level = [gap[level == r] for r in range(R)]
        square = mean(float(g.mean() ** 2 - g.var() / len(g)) for g in by_level)
        shift = mean(ece(*pair) for pair in found[1:])
        accuracy = float(correct.double().mean())
        return [accuracy, ece(*found[0]), float(gap.mean()), max(0.0, square) ** 0.5, shift]

    return figures(False), figures(True)


@once
def _whole(name: Name) -> Data:
    return load(str(shared() / "data" / name) if name == "cifar10" else name)


@once
def _data(name: Name) -> tuple[Data, InMemory]:
    """The data at half resolution, and the development images at full resolution."""
    whole = _whole(name)
    drawn = torch.randperm(len(whole.train), generator=torch.Generator().manual_seed(1))
    ids = whole.train.ids[drawn]
    training = whole.train.subset(ids[:TRAINING].sort().values)
    development = whole.train.subset(ids[TRAINING : TRAINING + DEVELOPMENT].sort().values)
    validation = whole.validation.subset(whole.validation.ids[:VALIDATION])
    assert isinstance(development, InMemory)
    halves = (_half(part) for part in (training, validation, whole.test))
    return Data(f"{name} at half resolution", *halves), development


def _half(part: Part, type: str | None = None, intensity: int = 0) -> InMemory:
    """A part at half its resolution, corrupted first if a type is given."""
    assert isinstance(part, InMemory)
    pixels = part.pixels
    if type is not None:
        pixels = corrupt(pixels, part.ids, type=type, intensity=intensity)
    return replace(part, pixels=F.avg_pool2d(pixels.float(), 2).round().to(torch.uint8))


@once
def _sets(name: Name, on: On) -> list[InMemory]:
    """The images to measure on, and the shifted ones."""
    whole, development = _whole(name).test, _data(name)[1]
    part, types = (development, EXTRA) if on == "development" else (whole, IMAGENET_C)
    few = part.subset(part.ids[:SHIFTED])
    clean = _half(part.subset(part.ids[:TEST]))
    return [clean, *(_half(few, type, at) for type in types for at in INTENSITIES)]


def _all(part: Part) -> tuple[Tensor, Tensor, Tensor]:
    """Ids, input and labels of a whole part."""
    return part.ids, as_input(part.images(torch.arange(len(part))), "cpu"), part.labels


def _inputs(part: Part) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    ids, x, labels = _all(part)
    yield from zip(ids.split(250), x.split(250), labels.split(250), strict=True)


def _spread(values: tuple[float, ...]) -> str:
    """Mean and deviation over seeds, x 100."""
    deviation = f" ± {100 * stdev(values):.2f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.2f}{deviation}"


if __name__ == "__main__":
    tyro.cli(main)
