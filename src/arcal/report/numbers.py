"""The numbers of the report's tables and pictures, as in figures.json; values for JSON."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch

from arcal.auditing import Spread, accuracy_interval
from arcal.calibration import Reliability
from arcal.report.names import Compared


def as_json(one: Compared) -> dict[str, Any]:
    """One subject's figures; numbers that are not finite are null."""
    levels, together = one.levels, one.ensemble_reliability
    runs = [_bins(run) for run in one.reliability]
    return plain(
        {
            "label": one.name.label,
            "title": one.name.title,
            "seeds": one.seeds,
            "sets": {where.name: rows for where, rows in one.measures.items()},
            "calibration_errors": one.calibration_errors,
            "levels": {
                "accuracy": levels.accuracy,
                "confidence": levels.confidence,
                "ece": levels.ece,
                "gap": levels.gap,
                "share_of_misclassified": levels.misclassified,
                "share_of_classes": levels.class_share,
                "variance": levels.variance,
                "stability": levels.stability,
                "mean_gap_of_the_three_least_robust": levels.weakest_gap,
                "mean_size_of_gap": levels.gap_size,
            },
            "ensemble": one.ensemble,
            "shift": one.means,
            "ensemble_shift": one.ensemble_means,
            "stability": one.stability,
            "reliability": {name: [run[name] for run in runs] for name in runs[0]},
            "ensemble_reliability": None if together is None else _bins(together),
            "out_of_distribution": one.ood,
            "soft_labels_by_epoch": one.soft_labels,
        }
    )


def _bins(diagram: Reliability) -> dict[str, Any]:
    """The contents of a diagram by name, `(K,)` each."""
    low, high = accuracy_interval(diagram)
    return {
        "count": diagram.count,
        "accuracy": diagram.accuracy,
        "confidence": diagram.confidence,
        "low": low,
        "high": high,
    }


def plain(value: Any) -> Any:
    """A value as JSON can hold it: numbers that are not finite are None, and figures are by name.

    >>> plain({"gap": Spread((0.25, math.nan)).values, "levels": torch.arange(2)})
    {'gap': [0.25, None], 'levels': [0, 1]}
    """
    if isinstance(value, Spread):
        value = {"mean": value.mean, "deviation": value.deviation, "values": value.values}
    elif is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    elif isinstance(value, torch.Tensor | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
