"""From predictions to figures."""

import torch

from arcal.calibration import (
    Reliability,
    bootstrap,
    brier,
    churn_per_input,
    class_wise_ece,
    confidence_and_correct,
    debiased_ece,
    ece,
    ece_if_calibrated,
    equal_mass_ece,
    mean_by_level,
    nll,
    variance,
)
from arcal.evaluation.predictions import Predictions

MEASURES = ("accuracy", "confidence", "gap", "ece", "nll", "brier")
OTHER_ECE = ("ece_equal_mass", "ece_class_wise", "ece_debiased", "ece_if_calibrated")
STABILITY = ("variance_all_classes", "variance_fixed_class", "variance_own_maximum", "churn")


def figures(predictions: Predictions) -> dict[str, float]:
    """Accuracy, mean confidence, their signed gap, ECE, NLL in nats and Brier score of a set.

    `gap` is confidence minus accuracy: positive is over-confident. The other calibration errors,
    `OTHER_ECE`, are those of `arcal.calibration`; the last is what chance alone would give.
    """
    log_probabilities = predictions.log_probabilities
    probabilities = log_probabilities.exp()
    confidence, correct = confidence_and_correct(probabilities, predictions.labels)
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
    """The ends of the ECE's 95 % interval over test inputs, of the basic bootstrap."""
    probabilities = predictions.log_probabilities.exp()
    found = bootstrap(ece, *confidence_and_correct(probabilities, predictions.labels))
    low, high = found.basic
    return {"ece_low": low, "ece_high": high}


def ensemble_of(runs: list[Predictions]) -> Predictions:
    """The ensemble of all members of runs on the same images: their probabilities averaged."""
    return Predictions(runs[0].ids, runs[0].labels, torch.cat([of_run.logits for of_run in runs]))


def stability(
    runs: list[Predictions], levels: torch.Tensor | None, R: int
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """How much two or more runs differ on a set (section 5.4): overall, and by level.

    The variance in its three readings, and churn. `levels` `(N,)` cut the inputs into R; by level
    there is a list of R of each, or nothing without levels.
    """
    probabilities = torch.stack([of_run.log_probabilities.exp() for of_run in runs])
    found, differ = variance(probabilities), churn_per_input(probabilities.argmax(dim=2))
    whole = {
        "variance_all_classes": found.all_classes,
        "variance_fixed_class": found.fixed_class,
        "variance_own_maximum": found.own_maximum,
        "churn": differ.mean().item(),
    }
    if levels is None:
        return whole, {}
    per_input = {
        name: getattr(found, f"{name.removeprefix('variance_')}_per_input")
        for name in STABILITY[:3]
    } | {"churn": differ}
    return whole, {
        name: mean_by_level(values, levels, R).tolist() for name, values in per_input.items()
    }
