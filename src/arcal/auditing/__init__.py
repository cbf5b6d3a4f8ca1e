"""Auditing: what can be said of any classifier, whoever trained it, from its predictions.

_sets          what it is evaluated on: the test set, clean or corrupted
_predictions   what it says of a set, and the ensemble of several
_measures      accuracy, ECE and the like of a set, and how much runs differ
_subject       a classifier, or the runs of a training method, with all that is known of it
_by_level      its calibration by robustness level
_shift         means over corrupted sets
_ood           images of another data set
_reliability   the bins of the reliability diagrams
_posthoc       the same subject, calibrated after training
_showcase      images with the perturbations that change a prediction
models         anything that gives logits becomes a model; saved predictions are checked

Nothing here reads or writes a file.
"""

from arcal.auditing._by_level import WEAKEST, LevelFigures, figures_by_level
from arcal.auditing._measures import (
    MEASURES,
    OTHER_ECE,
    STABILITY,
    Measures,
    ece_interval,
    figures,
    measure,
    stability,
)
from arcal.auditing._ood import OutOfDistribution, Separation, out_of_distribution
from arcal.auditing._posthoc import calibrated, calibrated_subject, fit_posthoc
from arcal.auditing._predictions import Predictions, ensemble
from arcal.auditing._reliability import (
    accuracy_interval,
    ensemble_reliability,
    reliability,
    reliability_by_run,
)
from arcal.auditing._sets import (
    CLEAN,
    INTENSITIES,
    OVER_SHIFT,
    TYPES,
    EvaluationSet,
    OverShift,
    shift_sets,
    without_extra,
)
from arcal.auditing._shift import Means, by_intensity, means, on_set, over_shift, over_types
from arcal.auditing._showcase import Showcase, attack_evenly
from arcal.auditing._spread import Spread
from arcal.auditing._subject import (
    Method,
    Provenance,
    R,
    Subject,
    measure_set,
    shared_levels,
)
from arcal.auditing.models import as_model, as_predictions, check_model

__all__ = [
    "CLEAN",
    "INTENSITIES",
    "MEASURES",
    "OTHER_ECE",
    "OVER_SHIFT",
    "STABILITY",
    "TYPES",
    "WEAKEST",
    "EvaluationSet",
    "LevelFigures",
    "Means",
    "Measures",
    "Method",
    "OutOfDistribution",
    "OverShift",
    "Predictions",
    "Provenance",
    "R",
    "Separation",
    "Showcase",
    "Spread",
    "Subject",
    "accuracy_interval",
    "as_model",
    "as_predictions",
    "attack_evenly",
    "by_intensity",
    "calibrated",
    "calibrated_subject",
    "check_model",
    "ece_interval",
    "ensemble",
    "ensemble_reliability",
    "figures",
    "figures_by_level",
    "fit_posthoc",
    "means",
    "measure",
    "measure_set",
    "on_set",
    "out_of_distribution",
    "over_shift",
    "over_types",
    "reliability",
    "reliability_by_run",
    "shared_levels",
    "shift_sets",
    "stability",
    "without_extra",
]
