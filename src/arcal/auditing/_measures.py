"""From predictions on one set to figures: of every run, of their ensemble, and how they differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from arcal.auditing._estimate import ece_from
from arcal.auditing._predictions import Predictions, check_same_inputs, ensemble
from arcal.calibration import (
    Reliability,
    bootstrap_ece,
    brier,
    churn_per_input,
    class_wise_ece,
    debiased_ece,
    ece_by_chance,
    ece_if_calibrated,
    equal_mass_ece,
    mean_by_level,
    nll,
    usual_resamples,
    variance,
)

MEASURES = ("accuracy", "confidence", "gap", "ece", "nll", "brier")
OTHER_ECE = ("ece_equal_mass", "ece_class_wise", "ece_debiased", "ece_if_calibrated")
STABILITY = ("variance_all_classes", "variance_fixed_class", "variance_own_maximum", "churn")


@dataclass(frozen=True)
class Measures:
    """The figures of n runs of one subject on one set.

    `runs` has an entry a run: those of `figures`, and what else is known of it there. Of two runs
    or more `ensemble` are the figures of their averaged probabilities, `stability` how much they
    differ, and `stability_by_level` the same by level, R values each; of one they are empty. Made
    by `measure`.
    """

    runs: tuple[Mapping[str, float], ...]
    ensemble: Mapping[str, float] = field(default_factory=dict)
    stability: Mapping[str, float] = field(default_factory=dict)
    stability_by_level: Mapping[str, Sequence[float]] = field(default_factory=dict)


def measure(runs: Sequence[Predictions], levels: Tensor | None = None, R: int = 10) -> Measures:
    """All figures of n runs on the same inputs.

    `levels` int64 `(N,)` cut the inputs into `R`, for the stability by level. Errors are those of
    `ensemble`.

    >>> from arcal.auditing import as_predictions
    >>> one = as_predictions(probabilities=[[0.75, 0.25], [0.75, 0.25]], labels=[0, 1])
    >>> other = as_predictions(probabilities=[[0.75, 0.25], [0.125, 0.875]], labels=[0, 1])
    >>> measure([one, other], levels=torch.tensor([1, 0]), R=2).stability_by_level["churn"]
    [1.0, 0.0]
    """
    alone = tuple(figures(predictions) for predictions in runs)
    if len(runs) < 2:
        return Measures(alone)
    whole, by_level = stability(runs, levels, R)
    return Measures(alone, figures(ensemble(runs)), whole, by_level)


def figures(predictions: Predictions) -> dict[str, float]:
    """Accuracy, mean confidence, their signed gap, ECE, NLL in nats and Brier score of a set.

    `gap` is confidence minus accuracy: positive is over-confident. The other calibration errors,
    `OTHER_ECE`, are those of `arcal.calibration`; the last is what chance alone would give.

    >>> sure = Predictions(torch.arange(2), torch.tensor([0, 1]), 9 * torch.eye(2)[None])
    >>> figures(sure)["accuracy"]
    1.0
    """
    log_probabilities = predictions.log_probabilities
    probabilities = log_probabilities.exp()
    confidence, correct = predictions.confidence, predictions.correct
    reliability = Reliability().update(confidence, correct)
    accuracy, mean_confidence = float(correct.double().mean()), float(confidence.mean())
    return {
        "accuracy": accuracy,
        "confidence": mean_confidence,
        "gap": mean_confidence - accuracy,
        "ece": reliability.ece,
        "nll": nll(log_probabilities, predictions.labels),
        "brier": brier(probabilities, predictions.labels),
        "ece_equal_mass": equal_mass_ece(confidence, correct),
        "ece_class_wise": class_wise_ece(probabilities, predictions.labels),
        "ece_debiased": debiased_ece(reliability),
        "ece_if_calibrated": ece_if_calibrated(reliability),
    }


def ece_interval(predictions: Predictions) -> dict[str, float]:
    """The ends of the ECE's 95 % interval over inputs: those that `overall` gives.

    >>> from arcal.auditing import as_predictions
    >>> probabilities = torch.tensor([0.75, 0.25]).repeat(100, 1)
    >>> sure = as_predictions(probabilities=probabilities, labels=[0] * 60 + [1] * 40)
    >>> ends = ece_interval(sure)
    >>> ends["ece_low"] < figures(sure)["ece"] < ends["ece_high"]
    True
    """
    confidence, N = predictions.confidence, len(predictions.labels)
    resamples = usual_resamples(N)
    draws = bootstrap_ece(confidence, predictions.correct, resamples=resamples)
    everything = torch.zeros(N, dtype=torch.int64)
    by_chance = ece_by_chance(confidence, everything, 1, resamples=resamples)
    ece = ece_from(draws, N, by_chance.quantile(0.95).item())
    return {"ece_low": ece.low, "ece_high": ece.high}


def stability(
    runs: Sequence[Predictions], levels: Tensor | None, R: int
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """How much two or more runs differ on a set (section 5.4): overall, and by level.

    The variance in its three readings, and churn. `levels` int64 `(N,)` cut the inputs into `R`; by
    level there is a list of R of each, or nothing without levels. Errors are those of `ensemble`.

    >>> from arcal.auditing import as_predictions
    >>> one = as_predictions(probabilities=[[0.75, 0.25], [0.75, 0.25]], labels=[0, 1])
    >>> other = as_predictions(probabilities=[[0.75, 0.25], [0.125, 0.875]], labels=[0, 1])
    >>> whole, by_level = stability([one, other], torch.tensor([1, 0]), R=2)
    >>> whole["churn"], by_level["churn"]
    (0.5, [1.0, 0.0])
    """
    check_same_inputs(runs)
    probabilities = torch.stack([run.log_probabilities.exp() for run in runs])
    readings, differ = variance(probabilities), churn_per_input(probabilities.argmax(dim=2))
    whole = {
        "variance_all_classes": readings.all_classes,
        "variance_fixed_class": readings.fixed_class,
        "variance_own_maximum": readings.own_maximum,
        "churn": differ.mean().item(),
    }
    if levels is None:
        return whole, {}
    per_input = {
        "variance_all_classes": readings.all_classes_per_input,
        "variance_fixed_class": readings.fixed_class_per_input,
        "variance_own_maximum": readings.own_maximum_per_input,
        "churn": differ,
    }
    return whole, {
        name: mean_by_level(values, levels, R).tolist() for name, values in per_input.items()
    }
