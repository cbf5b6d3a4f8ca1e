"""Training for shift at a small scale: each addition, and focal loss, against vanilla.

    python -m benchmarks.shift_methods

Trains the small network on 5,000 images of CIFAR-10 for 16 epochs, whatever a method's passes cost.
Settings are the authors' or the first ones named in the documentation; nothing is tuned, so the
result is only a lead. Each run is evaluated clean and under the 15 types at intensities 1, 3 and 5,
as trained and after temperature scaling on clean validation images. Runs are kept, and a killed one
continues.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import tyro

from arcal.auditing import Spread, Subject, shift_sets
from arcal.compute import Compute
from arcal.compute.processes import keep_memory
from arcal.console import bar
from arcal.data.corrupted import CorruptedImages
from arcal.errors import ArcalError
from arcal.evaluation import evaluate
from arcal.paper.spreads import clean, shifted
from arcal.training.many import train_all
from arcal.training.recipes import RECIPES
from arcal.training.run import Run
from arcal.transforms.corruptions import IMAGENET_C
from benchmarks.settings import shared

LEVELS = {"alpha": "auto", "order": "gradient"}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "vanilla": ("vanilla", {}),
    "noise 0.1": ("vanilla", {"noise": 0.1}),
    "perturbed 0.15": ("vanilla", {"perturbed": 0.15}),
    "perturbed, half the distance": (
        "vanilla",
        {"perturbed": 0.5, "perturbed_by": "gradient"},
    ),
    "AugMix, λ = 12": ("vanilla", {"augmix": 12.0}),
    "RegMixup, α = 20": ("vanilla", {"regmixup": 20.0}),
    "entropy, β = 0.1": ("vanilla", {"entropy": 0.1}),
    "focal, FLSD-53": ("focal", {}),
    "MbLS, m = 6": ("vanilla", {"mbls": 6.0}),
    "AR-AdaLS": ("ar-adals", LEVELS),
    "AR-AdaLS, noise 0.1": ("ar-adals", LEVELS | {"noise": 0.1}),
    "AR-AdaLS, perturbed 0.15": ("ar-adals", LEVELS | {"perturbed": 0.15}),
    "AR-AdaLS, AugMix, λ = 12": ("ar-adals", LEVELS | {"augmix": 12.0}),
}
NOISES = ("gaussian_noise", "shot_noise", "impulse_noise")
OTHERS = tuple(type for type in IMAGENET_C if type not in NOISES)
INTENSITIES = (1, 3, 5)


def main(
    data: str | None = None,
    runs: Path = Path("shift-methods"),
    seeds: tuple[int, ...] = (0, 1, 2),
    epochs: int = 16,
    images: int = 5000,
    test_images: int = 2000,
    only: tuple[str, ...] = (),
) -> None:
    """Train what is missing, evaluate all, and print a table.

    Without `data` it is CIFAR-10, in the folder that `ARCAL_SHARED` names. `only` names variants.
    """
    keep_memory()
    torch.set_num_threads(1)
    unknown = [name for name in only if name not in VARIANTS]
    if unknown:
        raise ArcalError(f"{unknown[0]!r} is no variant: choose from {', '.join(VARIANTS)}")
    first = Run(
        data=data or str(shared() / "data" / "cifar10"),
        recipe=RECIPES["small"].shortened(epochs),
        images=images,
        validation=2000,
        test_images=test_images,
    )
    of_variant = {
        name: [replace(first, method=method, settings=settings, seeds=(seed,)) for seed in seeds]
        for name, (method, settings) in VARIANTS.items()
        if not only or name in only
    }
    with bar("training", "epochs") as progress:
        every = [run for of_one in of_variant.values() for run in of_one]
        folders = iter(train_all(every, runs, compute=Compute(), progress=progress))
    loaded, corrupted = first.load(), CorruptedImages(cache=runs / "corrupted")
    names = [f"{type}-{intensity}" for type in IMAGENET_C for intensity in INTENSITIES]
    subjects: dict[str, list[Subject]] = {}
    with bar("evaluating", "sets") as progress:
        for name, of_one in of_variant.items():
            subjects[name] = evaluate(
                [next(folders) for _ in of_one],
                loaded,
                shift_sets(names),
                "margin",
                corrupted=corrupted,
                posthoc=["temperature"],
                scored=[],
                progress=progress,
            )
    for posthoc, title in ((None, "as trained"), ("temperature", "after a temperature")):
        _show(title, {name: _the(posthoc, of_one) for name, of_one in subjects.items()})


def _the(posthoc: str | None, subjects: list[Subject]) -> Subject:
    (one,) = (s for s in subjects if s.method is not None and s.method.posthoc == posthoc)
    return one


def _show(title: str, subjects: dict[str, Subject]) -> None:
    """A row per variant; how often its ECE under shift is below the first variant's, by seed."""
    columns = (
        "accuracy, clean",
        "ECE, clean",
        "accuracy, shifted",
        "ECE, shifted",
        "without noises",
        "NLL, shifted",
        "lower",
    )
    print(f"\n| {title} | {' | '.join(columns)} |")
    print("| --- " * (1 + len(columns)) + "|")
    reference = shifted(next(iter(subjects.values())), "ece")
    for name, subject in subjects.items():
        ece = shifted(subject, "ece")
        pairs = list(zip(ece.values, reference.values, strict=True))
        cells = [
            _cell(clean(subject, "accuracy")),
            _cell(clean(subject, "ece")),
            _cell(shifted(subject, "accuracy")),
            _cell(ece),
            _cell(shifted(subject, "ece", OTHERS)),
            _cell(shifted(subject, "nll"), 1.0, 3),
            f"{sum(one < other for one, other in pairs)} of {len(pairs)}",
        ]
        print(f"| {name} | {' | '.join(cells)} |")


def _cell(spread: Spread, scale: float = 100.0, digits: int = 2) -> str:
    deviation = "" if spread.deviation is None else f" ± {scale * spread.deviation:.{digits}f}"
    return f"{scale * spread.mean:.{digits}f}{deviation}"


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except ArcalError as error:
        sys.exit(f"error: {error}")
