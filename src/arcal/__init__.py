"""arcal: adversarial-robustness calibration.

Score every input of a data set by the smallest perturbation that flips the model, see where the
model is miscalibrated, and train better calibrated ones with AR-AdaLS (Qin, Wang, Beutel and Chi,
"Improving Calibration through the Relationship with Adversarial Robustness", NeurIPS 2021).

This page is the contents. What it names works on tensors and knows nothing of data sets, run
folders or the command line; those are in `arcal.data`, `arcal.training` and `arcal.evaluation`.
"""

# Section 4: label smoothing by adversarial robustness
from arcal.smoothing import AdaptiveLabelSmoothing, smooth_cross_entropy, soften  # isort: skip

# Section 3: robustness, and the levels cut by it
from arcal.attacks import Adversarial, BoundaryProjection, CarliniWagner, margin  # isort: skip
from arcal.robustness import Robustness, levels, mean_rank, rank, score  # isort: skip

# Section 3: calibration and stability
from arcal.calibration import (  # isort: skip
    ByLevel,
    Reliability,
    Variance,
    average,
    brier,
    by_level,
    churn,
    confidence_and_correct,
    ece,
    nll,
    variance,
)

from importlib import import_module

from arcal._version import __version__
from arcal.errors import ArcalError

__all__ = [
    "AdaptiveLabelSmoothing",
    "Adversarial",
    "ArcalError",
    "BoundaryProjection",
    "ByLevel",
    "CarliniWagner",
    "Reliability",
    "Robustness",
    "Variance",
    "__version__",
    "average",
    "brier",
    "by_level",
    "churn",
    "confidence_and_correct",
    "ece",
    "levels",
    "margin",
    "mean_rank",
    "nll",
    "rank",
    "score",
    "smooth_cross_entropy",
    "soften",
    "variance",
]

_ROOMS = ("data", "evaluation", "methods", "networks", "store", "training", "transforms")


def __getattr__(name: str):  # `arcal.data` after `import arcal`, without the time of all of them
    if name in _ROOMS:
        return import_module(f"arcal.{name}")
    raise AttributeError(f"module 'arcal' has no attribute {name!r}")
