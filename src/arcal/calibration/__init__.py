"""Measures of calibration, stability and out-of-distribution detection.

Tensors in, tensors out. Every measure detaches its inputs, moves them to the CPU and computes in
float64, so that stored predictions give the same figures every time. Bad input raises `ArcalError`.
The calibrators of `arcal.calibration.posthoc` are modules: they stay on their device, and gradients
flow through them.
"""

from arcal.calibration._bootstrap import Bootstrap, bootstrap
from arcal.calibration._bootstrap_ece import bootstrap_ece, bootstrap_ece_by_group, ece_by_chance
from arcal.calibration._by_level import ByLevel, by_level, mean_by_level
from arcal.calibration._ece import (
    confidence_and_correct,
    ece,
    equal_mass_ece,
    mce,
    rmsce,
)
from arcal.calibration._reliability import Reliability
from arcal.calibration._robust_accuracy import RobustAccuracy, robust_accuracy
from arcal.calibration.class_wise import ClassWise, class_wise_ece
from arcal.calibration.debiased import debiased_ece, debiased_squared, ece_if_calibrated
from arcal.calibration.ensemble import average
from arcal.calibration.intervals import clopper_pearson, exact_interval, holm
from arcal.calibration.ood import auroc, entropy
from arcal.calibration.proper_scores import brier, nll
from arcal.calibration.selective import (
    SelectiveAccuracy,
    aurc,
    aurc_interval,
    selective_accuracy,
)
from arcal.calibration.smooth import smooth_ece
from arcal.calibration.stability import Variance, churn, variance
from arcal.calibration.thresholds import Threshold, act_above

__all__ = [
    "Bootstrap",
    "ByLevel",
    "ClassWise",
    "Reliability",
    "RobustAccuracy",
    "SelectiveAccuracy",
    "Threshold",
    "Variance",
    "act_above",
    "aurc",
    "aurc_interval",
    "auroc",
    "average",
    "bootstrap",
    "bootstrap_ece",
    "bootstrap_ece_by_group",
    "brier",
    "by_level",
    "churn",
    "class_wise_ece",
    "clopper_pearson",
    "confidence_and_correct",
    "debiased_ece",
    "debiased_squared",
    "ece",
    "ece_by_chance",
    "ece_if_calibrated",
    "entropy",
    "equal_mass_ece",
    "exact_interval",
    "holm",
    "mce",
    "mean_by_level",
    "nll",
    "rmsce",
    "robust_accuracy",
    "selective_accuracy",
    "smooth_ece",
    "variance",
]
