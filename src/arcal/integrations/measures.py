"""Measures of calibration as one dictionary of numbers, as Hugging Face's libraries expect."""

from typing import Any

from torch import Tensor

from arcal.arrays import TensorLike, as_float64, as_tensor
from arcal.calibration import (
    brier,
    class_wise_ece,
    confidence_and_correct,
    ece,
    nll,
)
from arcal.calibration.checks import as_probabilities
from arcal.errors import ArcalError
from arcal.logits import refuse_probabilities


def compute(*, predictions: TensorLike, references: TensorLike, bins: int = 15) -> dict[str, float]:
    """Figures of probabilities `(N, Z)` and labels `(N,)`, called like a metric of `evaluate`.

    They are `accuracy`, `confidence` (mean), `gap` (confidence minus accuracy), `ece`,
    `class_wise_ece`, `nll` and `brier`, as `arcal.calibration` defines them. Logits, and labels out
    of range, raise `ArcalError`.

    >>> figures = compute(predictions=[[0.75, 0.25], [0.75, 0.25]], references=[0, 1])
    >>> figures["accuracy"], figures["confidence"], figures["ece"]
    (0.5, 0.75, 0.25)
    """
    p = as_probabilities(predictions, name="predictions")
    return _figures(p.log(), p, references, bins)


def compute_metrics(evaluated: Any) -> dict[str, float]:
    """The same from logits, for `Trainer(compute_metrics=...)`: an `EvalPrediction`, or two arrays.

    If a model gives more than logits, its first output is taken. Probabilities raise
    `ArcalError`.

    >>> import numpy as np
    >>> figures = compute_metrics((np.log([[0.75, 0.25], [0.75, 0.25]]), np.array([0, 1])))
    >>> round(figures["ece"], 6), round(figures["nll"], 4)
    (0.25, 0.837)
    """
    logits, labels = evaluated[0], evaluated[1]
    logits = as_tensor(logits[0] if isinstance(logits, tuple) else logits, "logits")
    if logits.ndim != 2:
        raise ArcalError(f"logits have shape {tuple(logits.shape)}: they must be (N, Z)")
    refuse_probabilities(logits)
    log_p = as_float64(logits).log_softmax(dim=1)
    return _figures(log_p, log_p.exp(), labels, bins=15)


def _figures(log_p: Tensor, p: Tensor, labels: TensorLike, bins: int) -> dict[str, float]:
    confidence, correct = confidence_and_correct(p, labels)
    if not len(correct):
        raise ArcalError("the figures of no inputs are undefined: pass at least one")
    accuracy, mean = float(correct.double().mean()), float(confidence.mean())
    return {
        "accuracy": accuracy,
        "confidence": mean,
        "gap": mean - accuracy,
        "ece": ece(confidence, correct, bins),
        "class_wise_ece": class_wise_ece(p, labels, bins),
        "nll": nll(log_p, labels),
        "brier": brier(p, labels),
    }
