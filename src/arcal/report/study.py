"""Everything the report knows of its methods, computed once."""

import math
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor

from arcal.calibration import Reliability
from arcal.errors import ArcalError
from arcal.evaluation import CLEAN, OTHER_ECE, STABILITY, MethodRuns, OutOfDistribution
from arcal.report.levels import LevelFigures, levels_of, soft_labels_of
from arcal.report.means import SHOWN, Means, means_of
from arcal.report.names import Name, name_methods
from arcal.report.reliability import as_bins, ensemble_reliability_of, reliability_of
from arcal.report.tables import Rows, Spread, check_comparable, measures_of


@dataclass(frozen=True)
class Method:
    """One method's name, seeds and figures.

    `measures` are by set, the clean test set first; `calibration_errors` are the ECE, its interval
    and the other errors, on the clean test set; `means` are over corrupted sets. `ensemble`
    (on the clean test set), `ensemble_means`, `ensemble_reliability` and `stability` are of all
    runs together: empty or None if there is one. `reliability` has an entry a run.
    """

    name: Name
    seeds: list[tuple[int, ...]]
    measures: dict[str, Rows]
    calibration_errors: Rows
    ensemble: Rows
    means: dict[str, Means]
    ensemble_means: dict[str, Means]
    stability: dict[str, Means]
    levels: LevelFigures
    reliability: list[Reliability]
    ensemble_reliability: Reliability | None
    ood: list[OutOfDistribution]
    soft_labels: Tensor | None


@dataclass(frozen=True)
class Study:
    """All methods, compared on the same images. `R` levels, cut by `order`."""

    methods: list[Method]
    R: int
    order: str

    @property
    def reference(self) -> Method:
        """The method that shows what is wrong: vanilla, without mixup, or the first if none is."""
        vanilla = [method for method in self.methods if method.name.kind == "Vanilla"]
        plain = [method for method in vanilla if "mixup" not in method.name.settings]
        return (plain or vanilla or self.methods)[0]

    @property
    def others(self) -> list[Method]:
        """All methods but the reference."""
        return [method for method in self.methods if method is not self.reference]

    @property
    def several(self) -> list[Method]:
        """The methods of two runs or more: those with an ensemble, and a variance over runs."""
        return [method for method in self.methods if len(method.seeds) > 1]

    @property
    def sets(self) -> list[str]:
        return list(self.methods[0].measures)

    def rows(self, at: str) -> list[Rows]:
        """Each method's measures on one set."""
        return [method.measures[at] for method in self.methods]


def study(runs: list[MethodRuns], R: int, Z: int) -> Study:
    """Compute all figures of methods that were evaluated on the same images."""
    check_comparable(runs)
    orders = {scores.order for of_method in runs for scores in of_method.robustness}
    if len(orders) != 1:
        raise ArcalError(f"images were ranked by {', '.join(sorted(orders))}: use one order")
    names = name_methods([of_method.label for of_method in runs])
    methods = [
        Method(
            name=name,
            seeds=of_method.seeds,
            measures=measures_of(of_method),
            calibration_errors=_calibration_errors(of_method),
            ensemble={m: Spread((v,)) for m, v in of_method.ensemble.get(CLEAN, {}).items()},
            means=means_of(of_method, SHOWN),
            ensemble_means=means_of(of_method, SHOWN, ensemble=True),
            stability=means_of(of_method, STABILITY),
            levels=levels_of(of_method, R, Z),
            reliability=reliability_of(of_method),
            ensemble_reliability=ensemble_reliability_of(of_method),
            ood=of_method.ood,
            soft_labels=None if name.posthoc else soft_labels_of(of_method, Z),
        )
        for name, of_method in zip(names, runs, strict=True)
    ]
    return Study(methods, R, orders.pop())


def _calibration_errors(runs: MethodRuns) -> Rows:
    """What there is of the ECE, the ends of its interval, and the other errors."""
    clean = runs.figures[CLEAN]
    names = [name for name in ("ece", "ece_low", "ece_high", *OTHER_ECE) if name in clean[0]]
    return {name: Spread(tuple(found[name] for found in clean)) for name in names}


def as_json(of: Study) -> list[dict[str, Any]]:
    """Each method's figures for figures.json; what is not finite is null."""
    return [_method_as_json(method) for method in of.methods]


def _method_as_json(method: Method) -> dict[str, Any]:
    levels = method.levels
    return plain(
        {
            "label": method.name.label,
            "title": method.name.title,
            "seeds": method.seeds,
            "sets": method.measures,
            "calibration_errors": method.calibration_errors,
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
            "ensemble": method.ensemble,
            "shift": method.means,
            "ensemble_shift": method.ensemble_means,
            "stability": method.stability,
            "reliability": as_bins(method.reliability),
            "ensemble_reliability": as_bins(method.ensemble_reliability),
            "out_of_distribution": method.ood,
            "soft_labels_by_epoch": method.soft_labels,
        }
    )


def plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, Spread):
        parts = {"mean": value.mean, "deviation": value.deviation, "values": value.values}
        return plain(parts)
    if is_dataclass(value):
        return plain({field.name: getattr(value, field.name) for field in fields(value)})
    if isinstance(value, torch.Tensor):
        return plain(value.tolist())
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
