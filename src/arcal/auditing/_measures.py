"""From predictions on a set to figures: of each run, of their ensemble, and of their stability."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from arcal.auditing._estimate import ece_estimate
from arcal.auditing._predictions import Predictions, check_same_inputs, ensemble
from arcal.calibration import (
    Reliability,
    aurc,
    bootstrap_ece,
    brier,
    class_wise_ece,
    equal_mass_ece,
    mean_by_level,
    nll,
    variance,
)
from arcal.calibration.draws import usual_resamples
from arcal.calibration.stability import churn_per_input
from arcal.errors import ArcalError
from arcal.transforms.corruptions import CIFAR100_C_PAPER, CORRUPTIONS, EXTRA, IMAGENET_C

INTENSITIES = (1, 2, 3, 4, 5)
TYPES = {"all": CORRUPTIONS, "standard": IMAGENET_C, "extra": EXTRA, "cifar100": CIFAR100_C_PAPER}
"""Named sets of types: all 19; the 15 of ImageNet-C; the 4 extra ones, kept for choosing settings
on validation images; the 17 of the paper's CIFAR-100-C."""


@dataclass(frozen=True)
class EvaluationSet:
    """A part of the data (`test`, `validation` or `train`), clean or under one corruption.

    `corruption` is one of `CORRUPTIONS` with an `intensity` from 1 to 5, or None and 0.

    >>> EvaluationSet(corruption="fog", intensity=3).name
    'test-fog-3'
    """

    part: str = "test"
    corruption: str | None = None
    intensity: int = 0

    @property
    def name(self) -> str:
        """Its name in files, such as `test` or `test-gaussian_noise-3`."""
        corruption = f"-{self.corruption}-{self.intensity}" if self.corruption else ""
        return self.part + corruption

    @property
    def is_shifted(self) -> bool:
        """Whether it is a corrupted test set, one of those that means over shift are taken over."""
        return self.part == "test" and self.corruption is not None


CLEAN = EvaluationSet()
"""The test set as it is."""


@dataclass(frozen=True)
class OverShift:
    """The mean over all corrupted test sets, each with equal weight; not the figure of their pool.

    >>> OVER_SHIFT == OverShift(), OVER_SHIFT.name
    (True, 'shifted')
    """

    name: str = "shifted"


OVER_SHIFT = OverShift()


def shift_sets(names: Sequence[str], part: str = "test") -> list[EvaluationSet]:
    """The corrupted sets that `names` stand for, each once; all 95 if there are no names.

    A name is a key of `TYPES` or a type of corruption, both at all five intensities, or
    TYPE-INTENSITY. Hyphens and underscores are the same. An unknown name raises `ArcalError`.

    >>> [one.name for one in shift_sets(["fog-3", "contrast-1"])]
    ['test-fog-3', 'test-contrast-1']
    """
    sets: dict[EvaluationSet, None] = {}
    for name in names or ("all",):
        spelled = name.replace("-", "_")
        type, _, intensity = spelled.rpartition("_")
        if type in CORRUPTIONS and intensity in map(str, INTENSITIES):
            sets[EvaluationSet(part, type, int(intensity))] = None
            continue
        if spelled not in TYPES and spelled not in CORRUPTIONS:
            raise ArcalError(
                f"shift {name!r} is unknown: write {', '.join(TYPES)}, a type ("
                f"{', '.join(CORRUPTIONS)}), or TYPE-INTENSITY with an intensity from 1 to 5"
            )
        for type in TYPES.get(spelled, (spelled,)):
            sets.update(dict.fromkeys(EvaluationSet(part, type, i) for i in INTENSITIES))
    return list(sets)


def without_extra(types: Sequence[str]) -> list[str]:
    """The types without the four extra ones, which settings are chosen with on validation images.

    >>> without_extra(["fog", "spatter", "contrast"])
    ['fog', 'contrast']
    """
    return [type for type in types if type not in EXTRA]


MEASURES = ("accuracy", "confidence", "gap", "ece", "nll", "brier", "aurc")
OTHER_ECE = ("ece_equal_mass", "ece_class_wise", "ece_debiased", "ece_if_calibrated")
STABILITY = ("variance_all_classes", "variance_fixed_class", "variance_own_maximum", "churn")


@dataclass(frozen=True)
class Measures:
    """The figures of n runs of one subject on one set.

    `runs` has one entry per run: those of `figures`, and whatever else is known of the run. For two
    or more runs `ensemble` has the figures of their averaged probabilities, `stability` says how
    much the runs differ, and `stability_by_level` the same by level, R values each. For one run
    they are empty. Made by `measure`.
    """

    runs: tuple[Mapping[str, float], ...]
    ensemble: Mapping[str, float] = field(default_factory=dict)
    stability: Mapping[str, float] = field(default_factory=dict)
    stability_by_level: Mapping[str, Sequence[float]] = field(default_factory=dict)


def measure(runs: Sequence[Predictions], levels: Tensor | None = None, R: int = 10) -> Measures:
    """All figures of n runs on the same inputs.

    `levels` int64 `(N,)`, one of `R` for each input, are for the stability by level. Errors are
    those of `ensemble`.

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
    """Accuracy, mean confidence, gap, ECE, NLL in nats, Brier score and AURC of a set, and more.

    `gap` is confidence minus accuracy, so over-confidence is positive. AURC and the other
    calibration errors, `OTHER_ECE`, are those of `arcal.calibration`; `ece_if_calibrated` is what
    chance alone would give.

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
        "aurc": aurc(confidence, correct),
        "ece_equal_mass": equal_mass_ece(confidence, correct),
        "ece_class_wise": class_wise_ece(probabilities, predictions.labels),
        "ece_debiased": reliability.debiased_ece,
        "ece_if_calibrated": reliability.ece_if_calibrated,
    }


def ece_interval(predictions: Predictions) -> dict[str, float]:
    """The ends of the ECE's 95 % interval over inputs, as `overall` gives it."""
    confidence, N = predictions.confidence, len(predictions.labels)
    resamples = usual_resamples(N)
    draws = bootstrap_ece(confidence, predictions.correct, resamples=resamples)
    ece = ece_estimate(draws, confidence, predictions.correct, N, resamples=resamples)
    return {"ece_low": ece.low, "ece_high": ece.high}


def stability(
    runs: Sequence[Predictions], levels: Tensor | None, R: int
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """How much two or more runs differ on a set (section 5.4): overall, and by level.

    The measures are the variance in its three readings, and churn. `levels` int64 `(N,)` gives one
    of `R` levels for each input; by level each measure has a list of R values. Without levels there
    is nothing by level. Errors are those of `ensemble`.

    >>> from arcal.auditing import as_predictions
    >>> one = as_predictions(probabilities=[[0.75, 0.25], [0.75, 0.25]], labels=[0, 1])
    >>> other = as_predictions(probabilities=[[0.75, 0.25], [0.125, 0.875]], labels=[0, 1])
    >>> whole, by_level = stability([one, other], torch.tensor([1, 0]), R=2)
    >>> whole["churn"], by_level["churn"]
    (0.5, [1.0, 0.0])
    """
    check_same_inputs(runs)
    readings = variance(torch.stack([run.log_probabilities.exp() for run in runs]))
    per_input = {
        "variance_all_classes": readings.all_classes_per_input,
        "variance_fixed_class": readings.fixed_class_per_input,
        "variance_own_maximum": readings.own_maximum_per_input,
        "churn": churn_per_input(torch.stack([run.predicted for run in runs])),
    }
    whole = {name: values.mean().item() for name, values in per_input.items()}
    if levels is None:
        return whole, {}
    return whole, {
        name: mean_by_level(values, levels, R).tolist() for name, values in per_input.items()
    }
