"""Which ECE is this? The same predictions given to every package that computes one.

`python -m benchmarks.which_ece` prints the table of docs/calibration-measures.md. Packages that are
not installed are left out: `pip install torchmetrics netcal pycalib uncertainty-calibration
relplot`.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import Tensor

from arcal.calibration import (
    class_wise_ece,
    confidence_and_correct,
    ece,
    equal_mass_ece,
    smooth_ece,
)


@dataclass(frozen=True)
class Predictions:
    """Probabilities float64 `(N, Z)`, labels int64 `(N,)`, and the number of bins."""

    about: str
    probabilities: Tensor
    labels: Tensor
    bins: int = 15


def calibrated(n: int = 2000, Z: int = 10) -> Predictions:
    """Labels drawn from the probabilities themselves: what is left is chance."""
    draw = torch.Generator().manual_seed(0)
    p = (3 * torch.randn(n, Z, generator=draw, dtype=torch.float64)).softmax(dim=1)
    labels = torch.multinomial(p, 1, generator=draw).squeeze(1)
    return Predictions(f"{n:,} calibrated predictions of {Z} classes", p, labels)


def over_confident(n: int = 2000, Z: int = 10) -> Predictions:
    """Logits twice as large as those that the labels were drawn from."""
    draw = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(n, Z, generator=draw, dtype=torch.float64)
    labels = torch.multinomial((logits / 2).softmax(dim=1), 1, generator=draw).squeeze(1)
    return Predictions("the same, over-confident", logits.softmax(dim=1), labels)


def on_edges() -> Predictions:
    """Seven predictions of four classes; five of their confidences are edges of 4 bins."""
    confidence = torch.tensor([0.25, 0.25, 0.5, 0.6875, 0.75, 0.8125, 1.0], dtype=torch.float64)
    wrong = torch.tensor([0, 1, 0, 1, 0, 0, 1])
    p = ((1 - confidence) / 3).unsqueeze(1).repeat(1, 4)
    p[:, 0] = confidence
    return Predictions("7 predictions, 5 on edges of 4 bins", p, wrong, bins=4)


SETS = (calibrated, over_confident, on_edges)


def _top(one: Predictions) -> tuple[Any, Any]:
    confidence, correct = confidence_and_correct(one.probabilities, one.labels)
    return confidence, correct


def _binned(measure: Callable[..., float]) -> Callable[[Predictions], float]:
    return lambda one: measure(*_top(one), one.bins)


def _torchmetrics(one: Predictions) -> float:
    module = import_module("torchmetrics.functional.classification")
    Z = one.probabilities.shape[1]
    return float(
        module.multiclass_calibration_error(
            one.probabilities, one.labels, num_classes=Z, n_bins=one.bins
        )
    )


def _netcal(one: Predictions) -> float:
    confidence = one.probabilities.numpy()
    return float(
        import_module("netcal.metrics").ECE(one.bins).measure(confidence, one.labels.numpy())
    )


def _pycalib(name: str) -> Callable[[Predictions], float]:
    def measure(one: Predictions) -> float:
        labels = torch.nn.functional.one_hot(one.labels, one.probabilities.shape[1]).numpy()
        function = getattr(import_module("pycalib.metrics"), name)
        return float(function(labels, one.probabilities.numpy(), bins=one.bins))

    return measure


def _uncertainty_calibration(name: str, **options: Any) -> Callable[[Predictions], float]:
    def measure(one: Predictions) -> float:
        function = getattr(import_module("calibration"), name)
        return float(function(one.probabilities.numpy(), one.labels.numpy(), **options))

    return measure


def _relplot(one: Predictions) -> float:
    confidence, correct = _top(one)
    return float(import_module("relplot").smECE(confidence.numpy(), correct.double().numpy()))


@dataclass(frozen=True)
class Measure:
    """A package's function, and what it is in a few words."""

    package: str
    function: str
    about: str
    value: Callable[[Predictions], float]


MEASURES = (
    Measure("arcal", "ece", "K bins of equal width (lo, hi], the top class", _binned(ece)),
    Measure("torchmetrics", "MulticlassCalibrationError", "the same, [lo, hi)", _torchmetrics),
    Measure("netcal", "ECE", "the same", _netcal),
    Measure("pycalib", "conf_ECE", "the same", _pycalib("conf_ECE")),
    Measure(
        "uncertainty-calibration",
        "get_ece",
        "the same, always 15 bins",
        _uncertainty_calibration("get_ece"),
    ),
    Measure("arcal", "equal_mass_ece", "K bins of N/K rows, top class", _binned(equal_mass_ece)),
    Measure(
        "uncertainty-calibration",
        "get_ece_em",
        "the same, always 15 bins",
        _uncertainty_calibration("get_ece_em"),
    ),
    Measure(
        "arcal",
        "class_wise_ece",
        "K bins of equal width for each class, mean over classes",
        lambda one: class_wise_ece(one.probabilities, one.labels, one.bins),
    ),
    Measure("pycalib", "classwise_ECE", "the same", _pycalib("classwise_ECE")),
    Measure("arcal", "smooth_ece", "no bins", lambda one: smooth_ece(*_top(one))),
    Measure("relplot", "smECE", "no bins", _relplot),
    Measure(
        "uncertainty-calibration",
        "get_calibration_error",
        "root of a debiased square, all classes, bins of equal mass",
        _uncertainty_calibration("get_calibration_error"),
    ),
)


def table() -> list[list[str]]:
    """Package, function and what it is, then its value on each set, in 10^-2; first the header."""
    sets = [make() for make in SETS]
    rows = [["package", "function", "what it is", *(one.about for one in sets)]]
    for measure in MEASURES:
        own = measure.package == "arcal"
        try:
            name = "arcal" if own else f"{measure.package} {version(measure.package)}"
        except PackageNotFoundError:
            continue
        values = [_value(measure, one) for one in sets]
        rows.append([name, f"`{measure.function}`", measure.about, *values])
    return rows


def _value(measure: Measure, one: Predictions) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some peers use what numpy has deprecated
        try:
            return f"{100 * measure.value(one):.2f}"
        except Exception as error:  # a peer may refuse so few rows
            return type(error).__name__


def main() -> None:
    """Print the table as Markdown."""
    header, *rows = table()
    for row in (header, ["---"] * len(header), *rows):
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
