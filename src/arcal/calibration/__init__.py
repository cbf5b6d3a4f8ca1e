"""Measures of calibration, stability and out-of-distribution detection.

Tensors in, tensors out. Every measure detaches its inputs, moves them to the CPU and computes in
float64, so that stored predictions give the same figures every time. Bad input raises `ArcalError`.
The calibrators of `arcal.calibration.posthoc` are modules: they stay on their device, and gradients
flow through them.
"""

from arcal.calibration._bootstrap import Bootstrap, bootstrap
from arcal.calibration._bootstrap_ece import (
    bootstrap_ece,
    bootstrap_ece_by_group,
    ece_by_chance,
)
from arcal.calibration._by_level import ByLevel, by_level, mean_by_level
from arcal.calibration._ece import Reliability, confidence_and_correct, ece, equal_mass_ece
from arcal.calibration._robust_accuracy import RobustAccuracy, robust_accuracy
from arcal.calibration.class_wise import ClassWise, class_wise_ece
from arcal.calibration.debiased import debiased_ece, debiased_squared, ece_if_calibrated
from arcal.calibration.draws import drawn_counts, stored_counts, usual_resamples
from arcal.calibration.ensemble import average
from arcal.calibration.intervals import binomial_p, clopper_pearson, exact_interval, holm, tango
from arcal.calibration.ood import auroc, entropy, entropy_shares
from arcal.calibration.proper_scores import brier, nll
from arcal.calibration.resampled import Scores, resampled_scores, scores_of
from arcal.calibration.selective import (
    SelectiveAccuracy,
    Threshold,
    act_above,
    aurc,
    aurc_influence,
    aurc_interval,
    selective_accuracy,
)
from arcal.calibration.smooth import smooth_ece
from arcal.calibration.stability import Variance, churn, churn_per_input, variance

__all__ = [
    "Bootstrap",
    "ByLevel",
    "ClassWise",
    "Reliability",
    "RobustAccuracy",
    "Scores",
    "SelectiveAccuracy",
    "Threshold",
    "Variance",
    "act_above",
    "aurc",
    "aurc_influence",
    "aurc_interval",
    "auroc",
    "average",
    "binomial_p",
    "bootstrap",
    "bootstrap_ece",
    "bootstrap_ece_by_group",
    "brier",
    "by_level",
    "churn",
    "churn_per_input",
    "class_wise_ece",
    "clopper_pearson",
    "confidence_and_correct",
    "debiased_ece",
    "debiased_squared",
    "drawn_counts",
    "ece",
    "ece_by_chance",
    "ece_if_calibrated",
    "entropy",
    "entropy_shares",
    "equal_mass_ece",
    "exact_interval",
    "holm",
    "mean_by_level",
    "nll",
    "resampled_scores",
    "robust_accuracy",
    "scores_of",
    "selective_accuracy",
    "smooth_ece",
    "stored_counts",
    "tango",
    "usual_resamples",
    "variance",
]
