"""Every calibration measure on one network, and how each depends on the number of test images.

    python -m benchmarks.calibration_measures

Means over random subsets of the test set, and the same with labels drawn from the network's own
probabilities, which make it calibrated by construction: the tables of
`docs/notebook/calibration-measures.md`.
"""

from collections.abc import Callable
from pathlib import Path

import torch
import tyro
from torch import Tensor

from arcal.calibration import (
    bootstrap,
    brier,
    class_wise_ece,
    confidence_and_correct,
    debiased_ece,
    debiased_squared,
    ece,
    ece_if_calibrated,
    equal_mass_ece,
    nll,
)
from arcal.data import load
from benchmarks.settings import SETTINGS, Draw, cifar10_test, shared

SIZES = (250, 1000)
TESTS = {"cifar10": lambda: cifar10_test(shared()), "fashion": lambda: load("fashion").test}


MEASURES: dict[str, Callable[[Tensor, Tensor], float]] = {
    "`ece`": lambda p, y: ece(*confidence_and_correct(p, y)),
    "`equal_mass_ece`": lambda p, y: equal_mass_ece(*confidence_and_correct(p, y)),
    "`debiased_ece`": lambda p, y: debiased_ece(*confidence_and_correct(p, y)),
    "`ece_if_calibrated`": lambda p, y: ece_if_calibrated(confidence_and_correct(p, y)[0]),
    "`debiased_squared`": lambda p, y: debiased_squared(*confidence_and_correct(p, y)),
    "`class_wise_ece`": class_wise_ece,
    "`nll`": lambda p, y: nll(p.log(), y),
    "`brier`": brier,
}


def main(setting: str = "cifar10", subsets: int = 200, cache: Path = Path(".benchmarks")) -> None:
    """Print the tables for `setting`, cifar10 or fashion."""
    torch.set_num_threads(1)
    test = TESTS[setting]()
    where = SETTINGS[setting](Draw(1), cache)
    order = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))
    labels = test.labels[order]
    with torch.no_grad():
        parts = [test.images(i).float() / 255 for i in order.split(250)]
        logits = torch.cat([where.model(x) for x in parts])
    p = logits.double().softmax(1)
    confidence, correct = confidence_and_correct(p, labels)
    print(f"{where.about}; {len(p)} test images")
    for what, value in {
        "accuracy": correct,
        "mean confidence": confidence,
        "confidence of exactly 1 in float32": confidence.float() == 1,
        "in the last of 15 bins": confidence > 14 / 15,
    }.items():
        print(f"{what}: {value.double().mean():.4f}")

    sizes = (*SIZES, len(p))
    for title, y in (("labels as they are", labels), ("labels drawn: calibrated", None)):
        print(f"\n| x 10^-2, {title} |", *(f"N = {N} |" for N in sizes))
        print("| --- |", *("---: |" for _ in sizes))
        for name, measure in MEASURES.items():
            print(f"| {name} |", *(f"{_moves(measure, p, y, N, subsets)} |" for N in sizes))

    print("\n| x 10^-2, 95 % bootstrap | estimate | percentile | basic | shifted |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name in ("`ece`", "`equal_mass_ece`", "`debiased_ece`", "`debiased_squared`"):
        found = bootstrap(MEASURES[name], p[: SIZES[-1]], labels[: SIZES[-1]])
        ends = (found.percentile, found.basic, found.shifted)
        print(f"| {name} | {100 * found.estimate:.2f} |", end="")
        print(*(f" {100 * low:.2f} .. {100 * high:.2f} |" for low, high in ends), sep="")


def _moves(measure: Callable, p: Tensor, labels: Tensor | None, N: int, subsets: int) -> str:
    """Mean and deviation over random subsets, times 100. No labels: drawn from `p`, every time."""
    if labels is not None and len(p) <= N:
        return f"{100 * measure(p, labels):.3f}"
    generator = torch.Generator().manual_seed(N)
    values = []
    for _ in range(subsets):
        rows = torch.randperm(len(p), generator=generator)[:N]
        drawn = p[rows].multinomial(1, generator=generator)[:, 0]
        values.append(100 * measure(p[rows], drawn if labels is None else labels[rows]))
    values = torch.tensor(values)
    return f"{values.mean():.3f} ± {values.std():.3f}"


if __name__ == "__main__":
    tyro.cli(main)
