"""Our calibrators against those of other packages, fitted on the same half, tested on the other.

    python -m benchmarks.calibrators [predictions.npz]

Without a file (`logits`, `labels`) predictions are drawn: 10,000 of 10 classes whose logits are
twice as large as those that the labels come from. Prints log-loss and ECE of the other half, and
how far another package's probabilities are from ours. Packages that are not installed are left out:
`pip install probmetrics numba netcal scikit-learn dirichletcal`.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro

from arcal.calibration import confidence_and_correct, ece, nll
from arcal.calibration.posthoc import POSTHOC

Array = np.ndarray
Fitted = Callable[[Array], Array]
"""From log-probabilities `(N, Z)` to calibrated probabilities."""


def probmetrics(name: str, **options: Any) -> Callable[[Array, Array], Fitted]:
    """A calibrator of probmetrics, which takes probabilities."""

    def fit(log_p: Array, labels: Array) -> Fitted:
        calibrator = getattr(import_module("probmetrics.calibrators"), name)(**options)
        calibrator.fit(np.exp(log_p), labels)
        return lambda other: calibrator.predict_proba(np.exp(other))

    return fit


def netcal(room: str, name: str, **options: Any) -> Callable[[Array, Array], Fitted]:
    """A calibrator of netcal, which takes probabilities."""

    def fit(log_p: Array, labels: Array) -> Fitted:
        calibrator = getattr(import_module(f"netcal.{room}"), name)(**options)
        calibrator.fit(np.exp(log_p), labels)
        return lambda other: calibrator.transform(np.exp(other))

    return fit


def sklearn_temperature(log_p: Array, labels: Array) -> Fitted:
    """scikit-learn's, from 1.8 on, of a classifier that returns what it is given."""
    base, calibration = import_module("sklearn.base"), import_module("sklearn.calibration")
    frozen = import_module("sklearn.frozen")

    class Given(base.ClassifierMixin, base.BaseEstimator):
        def fit(self, X: Array, y: Array) -> Any:
            self.classes_ = np.unique(y)
            return self

        def decision_function(self, X: Array) -> Array:
            return X

        def predict(self, X: Array) -> Array:
            return X.argmax(1)

    given = frozen.FrozenEstimator(Given().fit(log_p, labels))
    calibrator = calibration.CalibratedClassifierCV(given, method="temperature")
    calibrator.fit(log_p, labels)
    return calibrator.predict_proba


@dataclass(frozen=True)
class Peer:
    """A package's calibrator that does what one of ours, by its name, does."""

    ours: str
    package: str
    name: str
    fit: Callable[[Array, Array], Fitted]
    same: str = "the same"


PEERS = (
    Peer("temperature", "scikit-learn", "CalibratedClassifierCV", sklearn_temperature),
    Peer(
        "temperature",
        "probmetrics",
        "TemperatureScalingCalibrator",
        probmetrics("TemperatureScalingCalibrator"),
    ),
    Peer("temperature", "netcal", "TemperatureScaling", netcal("scaling", "TemperatureScaling")),
    Peer(
        "ets",
        "probmetrics",
        "ETSCalibrator",
        probmetrics("ETSCalibrator", loss="ce"),
        "weights by log-loss",
    ),
    Peer(
        "irova-ts",
        "netcal",
        "IsotonicRegression",
        netcal("binning", "IsotonicRegression"),
        "no temperature first",
    ),
    Peer(
        "vector",
        "probmetrics",
        "VectorScalingCalibrator",
        probmetrics("VectorScalingCalibrator"),
        "no penalty",
    ),
    Peer(
        "dirichlet",
        "probmetrics",
        "DirichletCalibrator",
        probmetrics("DirichletCalibrator", n_cv=0, use_odir=True, reg_lambda=1e-2, reg_mu=1e-2),
        "a strength that is given",
    ),
)


def drawn(N: int = 10_000, Z: int = 10) -> tuple[Array, Array]:
    """Logits `(N, Z)`, twice those that the labels are drawn from, and the labels."""
    draw = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(N, Z, generator=draw, dtype=torch.float64)
    return logits.numpy(), (logits / 2).softmax(1).multinomial(1, generator=draw)[:, 0].numpy()


def main(predictions: tyro.conf.Positional[Path | None] = None) -> None:
    """Print the table as Markdown."""
    if predictions is None:
        logits, labels = drawn()
    else:
        with np.load(predictions) as arrays:
            logits, labels = arrays["logits"].astype(np.float64), arrays["labels"]
    log_p = torch.from_numpy(logits).log_softmax(1)
    half = torch.randperm(len(log_p), generator=torch.Generator().manual_seed(0))
    fit, shown = half.split(-(-len(half) // 2))
    labels = torch.from_numpy(labels).long()
    energy = -torch.from_numpy(logits).logsumexp(1)
    ours = {}
    for name, fitted in POSTHOC.items():
        calibrator = fitted(log_p[fit], labels[fit], energy=energy[fit])
        ours[name] = calibrator(log_p[shown], energy=energy[shown]).exp()
    header = "calibrator", "package", "different", "log-loss", "ECE, ×10⁻²", "furthest from ours"
    print(f"| {' | '.join(header)} |")
    print("| --- | --- | --- | --- | --- | --- |")
    print(_row("none", "", "", log_p[shown].exp(), labels[shown], ""))
    for name, p in ours.items():
        print(_row(name, "arcal", "", p, labels[shown], ""))
        for peer in (one for one in PEERS if one.ours == name):
            try:
                package = f"{peer.package} {version(peer.package)}"
            except PackageNotFoundError:
                continue
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    calibrated = peer.fit(log_p[fit].numpy(), labels[fit].numpy())
                    theirs = torch.from_numpy(np.asarray(calibrated(log_p[shown].numpy()))).double()
            except ImportError:  # of what the peer itself needs
                continue
            furthest = f"{(theirs - p).abs().max():.1e}"
            print(_row(peer.name, package, peer.same, theirs, labels[shown], furthest))


def _row(
    name: str, package: str, same: str, p: torch.Tensor, labels: torch.Tensor, furthest: str
) -> str:
    p = p.clamp(min=1e-12)
    p = p / p.sum(1, keepdim=True)
    loss = nll(p.log(), labels)
    error = 100 * ece(*confidence_and_correct(p, labels))
    return f"| {name} | {package} | {same} | {loss:.4f} | {error:.2f} | {furthest} |"


if __name__ == "__main__":
    tyro.cli(main)
