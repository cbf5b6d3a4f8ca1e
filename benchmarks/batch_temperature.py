"""A temperature for each batch of unlabelled inputs: what it gains, and the estimated accuracy.

    python -m benchmarks.batch_temperature

For a third-party ResNet-20, everything is fitted on half of CIFAR-10's test images and measured on
some of the other half, clean and under eight corruptions that nothing was fitted on.

The second table has the accuracy that `arcal calibrate --unlabelled` estimates for each of these
sets: from all probabilities, from the confidence alone, as for answers, and by the mean confidence.
"""

from collections.abc import Callable
from pathlib import Path

import torch
import tyro
from torch import Tensor

from arcal.auditing import Predictions
from arcal.calibration import confidence_and_correct, ece
from arcal.calibration.posthoc import (
    fit_accuracy_by_threshold,
    fit_batch_temperature,
    fit_temperature,
)
from arcal.calibration.posthoc.batch_temperature import TemperatureByBatch
from arcal.compute.processes import keep_memory
from arcal.data import load
from arcal.data.corrupted import CorruptedImages
from arcal.errors import ArcalError
from arcal.evaluation import predict_part
from benchmarks.networks import resnet20
from benchmarks.settings import shared

CORRUPTIONS = (
    ("gaussian_noise", 2),
    ("gaussian_noise", 4),
    ("fog", 4),
    ("jpeg_compression", 3),
    ("defocus_blur", 4),
    ("snow", 3),
    ("contrast", 4),
    ("pixelate", 5),
)
BATCHES = (10, 25, 50, 100, 400)


def table(fit: Predictions, clean: Predictions, shifted: list[Predictions]) -> str:
    """The ECE on clean inputs and its mean on shifted inputs, a row for each calibration."""
    log_p, labels = fit.log_probabilities, fit.labels
    rows: dict[str, Callable[[Tensor], Tensor]] = {
        "as it is": lambda log_p: log_p,
        "one temperature": fit_temperature(log_p, labels),
    }
    for shrink in (25, 0):
        today = fit_batch_temperature(log_p, labels, shrink=shrink)
        for batch in BATCHES:
            rows[f"batches of {batch}, shrink {shrink}"] = TemperatureByBatch(today, batch)
    lines = ["| | ECE, clean | ECE, shifted |", "|---|---|---|"]
    for name, calibrate in rows.items():
        eces = [
            100 * ece(*confidence_and_correct(calibrate(one.log_probabilities).exp(), one.labels))
            for one in (clean, *shifted)
        ]
        lines.append(f"| {name} | {eces[0]:.1f} | {sum(eces[1:]) / len(shifted):.1f} |")
    return "\n".join(lines)


def accuracies(fit: Predictions, shown: list[Predictions]) -> str:
    """How far the estimated accuracies of some sets are off, in points, a row for each estimate."""
    temperature = fit_temperature(fit.log_probabilities, fit.labels)
    by_entropy = fit_batch_temperature(fit.log_probabilities, fit.labels)
    by_confidence = fit_accuracy_by_threshold(fit.confidence, fit.correct)
    estimates: dict[str, Callable[[Predictions], float]] = {
        "by the entropy, of all probabilities": (
            lambda one: by_entropy.estimate(one.log_probabilities).accuracy
        ),
        "by the confidence alone": lambda one: by_confidence.estimate(one.confidence)[0],
        "mean confidence after one temperature": (
            lambda one: temperature(one.log_probabilities).exp().amax(1).mean().item()
        ),
        "mean confidence as it is": lambda one: one.confidence.mean().item(),
    }
    right = torch.tensor([one.correct.double().mean() for one in shown])
    lines = ["| estimate | mean error, points | farthest off, points |", "|---|---|---|"]
    for name, estimate in estimates.items():
        off = 100 * (torch.tensor([estimate(one) for one in shown]) - right)
        lines.append(f"| {name} | {off.abs().mean():.1f} | {off[off.abs().argmax()]:+.1f} |")
    return "\n".join(lines)


def main(data: str | None = None, weights: Path | None = None, images: int = 2000) -> None:
    """Predict, fit and print the table, which is for `images` images."""
    keep_memory()
    torch.set_num_threads(1)
    test = load(data or str(shared() / "data" / "cifar10")).test
    model = resnet20(weights or shared() / "models" / "cifar10-resnet20.safetensors").eval()
    draw = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))
    fitted, others = draw.chunk(2)
    fit, shown = (test.subset(test.ids[some.sort().values]) for some in (fitted, others[:images]))
    parts = [fit, shown, *(CorruptedImages().part(shown, *one) for one in CORRUPTIONS)]
    first, clean, *shifted = (predict_part([model], part) for part in parts)
    print(table(first, clean, shifted), "", accuracies(first, [clean, *shifted]), sep="\n")


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except ArcalError as error:
        raise SystemExit(f"batch_temperature: {error}") from None
