"""The numbers of the report's tables and pictures, as figures.json has them."""

from collections.abc import Sequence
from typing import Any

from arcal.auditing import accuracy_interval
from arcal.calibration import Reliability
from arcal.report.comparison import Compared
from arcal.report.plain import plain


def as_json(one: Compared) -> dict[str, Any]:
    """One subject's figures; what is not finite is null."""
    levels = one.levels
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
            "reliability": _bins(one.reliability),
            "ensemble_reliability": _bins(one.ensemble_reliability),
            "out_of_distribution": one.ood,
            "soft_labels_by_epoch": one.soft_labels,
        }
    )


def _bins(diagrams: Reliability | Sequence[Reliability] | None) -> dict[str, Any] | None:
    """What a diagram shows, by name, `(K,)` each; `(n, K)` for several."""
    if diagrams is None:
        return None
    if isinstance(diagrams, Sequence):
        every = [_bins(one) or {} for one in diagrams]
        return {name: [one[name] for one in every] for name in every[0]}
    low, high = accuracy_interval(diagrams)
    return {
        "count": diagrams.count,
        "accuracy": diagrams.accuracy,
        "confidence": diagrams.confidence,
        "low": low,
        "high": high,
    }
