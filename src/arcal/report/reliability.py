"""The numbers of the reliability diagrams: each run alone, and all of a method's runs averaged."""

from typing import Any

import torch
from torch import Tensor

from arcal.calibration import Reliability, clopper_pearson, confidence_and_correct
from arcal.evaluation import MethodRuns, Predictions, ensemble_of


def reliability_of(runs: MethodRuns) -> list[Reliability]:
    """The clean test predictions of each run in the bins of the ECE.

    Runs are not pooled: they see the same images, so that an interval of their pool would be too
    narrow.
    """
    return [bins_of(predictions) for predictions in runs.predictions]


def ensemble_reliability_of(runs: MethodRuns) -> Reliability | None:
    """The same of the runs' averaged probabilities; None for a single run."""
    return bins_of(ensemble_of(runs.predictions)) if len(runs.predictions) > 1 else None


def interval_of(found: Reliability) -> tuple[Tensor, Tensor]:
    """Ends of each bin's 95 % interval of accuracy (Clopper, Pearson), `(K,)`; nan if empty."""
    ends = clopper_pearson(found.correct_sums, found.count)
    low, high = (torch.where(found.count > 0, end, torch.nan) for end in ends)
    return low, high


def as_bins(found: Reliability | list[Reliability] | None) -> dict[str, Any] | None:
    """What a diagram shows, by name, `(K,)` each; `(n, K)` for a list."""
    if found is None:
        return None
    if isinstance(found, list):
        every = [as_bins(one) or {} for one in found]
        return {name: [one[name] for one in every] for name in every[0]}
    low, high = interval_of(found)
    return {
        "count": found.count,
        "accuracy": found.accuracy,
        "confidence": found.confidence,
        "low": low,
        "high": high,
    }


def bins_of(predictions: Predictions) -> Reliability:
    """Confidence and accuracy by bin of a model's predictions."""
    probabilities = predictions.log_probabilities.exp()
    return Reliability().update(*confidence_and_correct(probabilities, predictions.labels))
