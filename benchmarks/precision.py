"""What bf16 does to calibration: the same seeds trained in float32 and in bf16.

    python -m benchmarks.precision --data PATH --seeds 0 1 2 3 4

Trains the small network on 5,000 images by vanilla and by AR-AdaLS, with levels by vanilla's
margin, in both precisions; a killed command continues where it stopped. Prints validation figures
of the last epoch, seed by seed, and the differences paired by seed, bf16 minus float32.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

import tyro

from arcal.training._train import train
from arcal.training.recipes import RECIPES, Precision
from arcal.training.run import Run

METHODS = {"vanilla": {}, "ar-adals": {"alpha": 0.33, "order": "margin"}}
PRECISIONS: tuple[Precision, Precision] = ("32-true", "bf16-mixed")
FIGURES = {"accuracy": 100, "ece": 100, "nll": 1}


def main(data: str, seeds: tuple[int, ...] = (0, 1, 2, 3, 4), runs: Path = Path("runs")) -> None:
    """Train what is missing in `runs`, and print the table."""
    start = Run(data, images=5000, validation=3000)
    images = start.load()
    records: dict[tuple[str, str], list[dict[str, float]]] = {}
    for seed in seeds:
        for precision in PRECISIONS:
            recipe = replace(RECIPES["small"], precision=precision)
            for method, settings in METHODS.items():
                run = replace(start, method=method, settings=settings, seeds=(seed,), recipe=recipe)
                last = train(run, runs, data=images).epochs()[-1]
                records.setdefault((method, precision), []).append(last)
    for method in METHODS:
        exact, rounded = (records[method, precision] for precision in PRECISIONS)
        for name, scale in FIGURES.items():
            pairs = [
                (scale * a[name], scale * b[name]) for a, b in zip(exact, rounded, strict=True)
            ]
            each = ", ".join(f"{a:.3f} / {b:.3f}" for a, b in pairs)
            print(f"{method} {name}, {' / '.join(PRECISIONS)}: {each}")
            print(f"    {paired([b - a for a, b in pairs])}")


def paired(differences: Sequence[float]) -> str:
    """Mean, deviation and t of differences paired by seed, and how many of them are positive."""
    positive = f"{sum(d > 0 for d in differences)} of {len(differences)} higher"
    if len(differences) < 2:
        return f"{differences[0]:+.3f}, {positive}"
    deviation = stdev(differences)
    t = mean(differences) / (deviation / len(differences) ** 0.5) if deviation else float("inf")
    return f"{mean(differences):+.3f} +- {deviation:.3f} (t = {t:.2f}), {positive}"


if __name__ == "__main__":
    tyro.cli(main)
