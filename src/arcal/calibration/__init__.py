"""Is a classifier calibrated, and where is it not?

Tensors in, tensors out. Everything here is detached, brought to the CPU and summed in float64: the
figures are a few numbers over stored predictions, and there they come out the same every time.
"""

from arcal.calibration.by_level import ByLevel, by_level, mean_by_level
from arcal.calibration.ece import Reliability, confidence_and_correct, ece
from arcal.calibration.ensemble import average
from arcal.calibration.proper_scores import brier, nll
from arcal.calibration.stability import Variance, churn, variance

__all__ = [
    "ByLevel",
    "Reliability",
    "Variance",
    "average",
    "brier",
    "by_level",
    "churn",
    "confidence_and_correct",
    "ece",
    "mean_by_level",
    "nll",
    "variance",
]
