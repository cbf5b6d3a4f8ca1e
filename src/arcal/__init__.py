"""arcal: adversarial-robustness calibration.

Score every input of a data set by the size of the smallest perturbation that changes the model's
prediction, see where the model is miscalibrated, and train better calibrated models with AR-AdaLS
(Qin, Wang, Beutel and Chi, "Improving Calibration through the Relationship with Adversarial
Robustness", NeurIPS 2021).

This file is the table of contents. Each name is imported on first use, because importing torch
takes seconds. Everything but `audit` and `calibrate` works on tensors and knows nothing about data
sets, run folders or the command line: for those see `arcal.data`, `arcal.training` and
`arcal.evaluation`.

Is a classifier more over-confident where it is less robust? From the confidences, the robustness
and the correctness of its predictions:

>>> import torch, arcal
>>> robustness, ids = torch.tensor([0.1, 0.9, 0.2, 0.8]), torch.arange(4)
>>> confidence = torch.tensor([0.875, 0.75, 0.625, 0.75])
>>> correct = torch.tensor([False, True, True, True])
>>> levels = arcal.levels(robustness, ids, R=2)
>>> levels
tensor([0, 1, 0, 1])
>>> arcal.by_level(confidence, correct, levels, R=2).gap  # confidence - accuracy
tensor([ 0.2500, -0.2500], dtype=torch.float64)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from arcal._version import __version__
from arcal.errors import ArcalError

if TYPE_CHECKING:
    from arcal import (  # isort: skip
        adaptive_alpha as adaptive_alpha,
        attacks as attacks,
        auditing as auditing,
        audits as audits,
        calibration as calibration,
        classifiers as classifiers,
        compute as compute,
        data as data,
        evaluation as evaluation,
        integrations as integrations,
        methods as methods,
        networks as networks,
        orders as orders,
        prediction_files as prediction_files,
        ranks as ranks,
        report as report,
        robustness as robustness,
        smoothing as smoothing,
        store as store,
        training as training,
        transforms as transforms,
    )

    # Any classifier, any data: where its confidence is wrong, and how to calibrate it
    from arcal.audits import Audit, Calibration, audit, calibrate  # isort: skip

    # Section 4: label smoothing by adversarial robustness
    from arcal.smoothing import AdaptiveLabelSmoothing, smooth_cross_entropy, soften  # isort: skip

    # Section 3: robustness, and the levels cut by it
    from arcal.attacks import Adversarial, BoundaryProjection, CarliniWagner, margin  # isort: skip
    from arcal.ranks import levels, mean_rank, rank  # isort: skip
    from arcal.robustness import Robustness, distance, score  # isort: skip

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
        robust_accuracy,
        variance,
    )

__all__ = [
    "AdaptiveLabelSmoothing",
    "Adversarial",
    "ArcalError",
    "Audit",
    "BoundaryProjection",
    "ByLevel",
    "Calibration",
    "CarliniWagner",
    "Reliability",
    "Robustness",
    "Variance",
    "__version__",
    "audit",
    "average",
    "brier",
    "by_level",
    "calibrate",
    "churn",
    "confidence_and_correct",
    "distance",
    "ece",
    "levels",
    "margin",
    "mean_rank",
    "nll",
    "rank",
    "robust_accuracy",
    "score",
    "smooth_cross_entropy",
    "soften",
    "variance",
]

_MODULE_OF = {
    name: module
    for module, names in {
        "audits": "Audit Calibration audit calibrate",
        "smoothing": "AdaptiveLabelSmoothing smooth_cross_entropy soften",
        "attacks": "Adversarial BoundaryProjection CarliniWagner margin",
        "ranks": "levels mean_rank rank",
        "robustness": "Robustness distance score",
        "calibration": "ByLevel Reliability Variance average brier by_level churn "
        "confidence_and_correct ece nll robust_accuracy variance",
    }.items()
    for name in names.split()
}
_MODULES = (
    "adaptive_alpha",
    "attacks",
    "auditing",
    "audits",
    "calibration",
    "classifiers",
    "compute",
    "data",
    "evaluation",
    "integrations",
    "methods",
    "networks",
    "orders",
    "prediction_files",
    "ranks",
    "report",
    "robustness",
    "smoothing",
    "store",
    "training",
    "transforms",
)


if not TYPE_CHECKING:  # type checkers report a name that is not here

    def __getattr__(name: str) -> Any:
        # `arcal.data` works after `import arcal`, and is imported only then.
        if name in _MODULES:
            return import_module(f"arcal.{name}")
        if name in _MODULE_OF:
            value = getattr(import_module(f"arcal.{_MODULE_OF[name]}"), name)
            globals()[name] = value
            return value
        raise AttributeError(f"module 'arcal' has no attribute {name!r}")


def __dir__() -> list[str]:
    special = (name for name in globals() if name.startswith("__"))
    return sorted({*special, *__all__, *_MODULES})
