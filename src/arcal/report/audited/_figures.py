"""An audit's figures by name, for conditions and readers of JSON."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from arcal.auditing import (
    LEAST,
    TARGETS,
    Audited,
    Changes,
    Difference,
    EvaluationSet,
    Group,
    Grouping,
    coverage_name,
    with_joint_intervals,
)
from arcal.calibration.checks import as_weights
from arcal.calibration.weighted import weighted_mean

OVERALL = ("accuracy", "confidence", "gap", "ece", "smooth_ece", "nll", "brier", "aurc")
OF_GROUP = ("accuracy", "gap", "ece")
OF_SHIFT = ("accuracy", "ece", "gap")
OF_POSITIVE = ("frequency", "gap", "ece")
DIFFERENCES = ("accuracy", "gap", "nll", "brier", "aurc")
FLIPS = ("churn", "negative_flips", "positive_flips")


@dataclass(frozen=True, eq=False)
class Finding:
    """What an audit found on one model.

    `difference` is that from the audit's first model, None for the first itself. `changes` are
    those since an earlier audit, None without an earlier audit of this model.
    """

    model: Audited
    difference: Difference | None = None
    changes: Changes | None = None


def figures(finding: Finding) -> dict[str, float]:
    """Every figure of one model by a dotted name; an interval's ends are NAME.low and NAME.high.

    n, accuracy, confidence, gap, ece, ece_if_calibrated, smooth_ece, nll, brier, aurc
    coverage_at_90, _95, _99, _99.9: the share of inputs above the confidence from which the model
    is right on at least 90, 95, 99 or 99.9 %; 0 if there is no such confidence
    level_0 (the least robust) .. level_{R - 1}, least_robust, most_robust, class.NAME,
    worst_class: each .n, .accuracy, .confidence, .gap, .ece; if several classes have the same NAME,
    such as ImageNet's crane, it is followed by the class's number: class.crane (134)
    positive.probability (the mean), .frequency, .gap, .ece: for the class --positive, by default
    the second of two
    by.COLUMN.GROUP, worst_group: the same as for classes, for inputs grouped by a column
    (the intervals of worst_class and worst_group hold for the worst of all groups)
    shift: .accuracy, .ece, .gap, means over the corruptions; shift.TYPE-INTENSITY likewise
    distance.median, distance.none_found (the share of inputs)
    other.NAME.auroc_confidence, other.NAME.auroc_entropy
    suspects (how many)
    difference.accuracy, .gap, .nll, .brier, .aurc: this model's figure minus the first model's;
    difference.churn, .negative_flips, .positive_flips: shares of inputs; not for the first model
    changes.accuracy, .confidence, .gap, .nll, .brier, .aurc, .positive.frequency, .positive.gap,
    changes.by.COLUMN.GROUP.accuracy, .gap: the figure of this audit minus that of an earlier one
    """
    model, difference, changes = finding.model, finding.difference, finding.changes
    over = model.overall
    flat: dict[str, float] = {"n": over.n, "ece_if_calibrated": over.ece_if_calibrated.value}
    for name in OVERALL:
        flat |= getattr(over, name).named(name)
    flat |= model.acting.coverages
    for r, level in enumerate(model.levels or ()):
        flat |= _group(f"level_{r}", level)
    if model.levels:
        flat |= _group("least_robust", model.levels[0]) | _group("most_robust", model.levels[-1])
    if model.by_class:
        for name, one in zip(_class_groups(model.classes), model.by_class, strict=True):
            flat |= _group(name, one)
    if worst := worst_group(model.by_class):
        flat |= _group("worst_class", worst)
    if model.positive is not None:
        flat["positive.probability"] = model.positive.probability
        for name in OF_POSITIVE:
            flat |= getattr(model.positive, name).named(f"positive.{name}")
    grouped = [one for groups in model.by_grouping for one in groups]
    for name, one in zip(_by_groups(model.groupings), grouped, strict=True):
        flat |= _group(name, one)
    if worst := worst_group(grouped):
        flat |= _group("worst_group", worst)
    if model.shift is not None:
        for name in OF_SHIFT:
            flat |= getattr(model.shift.mean, name).named(f"shift.{name}")
            for where, one in model.shift.by_set.items():
                flat |= getattr(one, name).named(f"{_set_name(where)}.{name}")
    if model.robustness is not None and model.robustness.success is not None:
        w = as_weights(model.weights, len(model))
        flat["distance.median"] = _median(model.robustness.robustness, w)
        flat["distance.none_found"] = weighted_mean(~model.robustness.success, w).item()
    for other in model.other:
        (one,) = other.runs
        flat[f"other.{other.name}.auroc_confidence"] = one.auroc_confidence
        flat[f"other.{other.name}.auroc_entropy"] = one.auroc_entropy
    flat["suspects"] = len(model.suspects)
    if difference is not None:
        for name in DIFFERENCES:
            flat |= getattr(difference, name).named(f"difference.{name}")
        flat |= {f"difference.{name}": getattr(difference, name) for name in FLIPS}
    if changes is not None:
        for name, change in changes.figures.items():
            flat |= change.by.named(f"changes.{name}")
        for column, groups in changes.groupings.items():
            for name, group in groups.items():
                for figure, change in group.items():
                    flat |= change.by.named(f"changes.by.{column}.{name}.{figure}")
    return flat


def figure_names(
    classes: Sequence[str],
    *,
    inputs: int = 0,
    levels: int = 0,
    distances: bool = False,
    panel: Sequence[EvaluationSet] = (),
    others: Sequence[str] = (),
    groupings: Sequence[Grouping] = (),
    several: bool = False,
    changes: Collection[str] = (),
    positive: bool = False,
) -> set[str]:
    """The names of all figures that an audit can have, before it runs.

    `levels` is 0 if nothing is ranked, and `distances` says whether there is an attack. Groups of
    few inputs have no `ece`; this is known here for levels, given the number of `inputs` that are
    ranked, and for `groupings`. If all classes are small, an audit lacks `worst_class`. With
    `several` models there are differences from the first. `changes` are the names of possible
    changes since an earlier audit, whatever the groups here. `positive` says whether a positive
    class is named.
    """
    ranked = [f"level_{r}" for r in range(levels)]
    ranked += ["least_robust", "most_robust"] if levels else []
    groups = [*ranked, *_class_groups(classes), *(["worst_class"] if classes else [])]
    groups += [*_by_groups(groupings), *(["worst_group"] if groupings else [])]
    few = {*ranked} if levels and 0 < -(-inputs // levels) < LEAST else set()
    sizes = [n for one in groupings for n in one.number.bincount(minlength=len(one.groups))]
    few |= {name for name, n in zip(_by_groups(groupings), sizes, strict=True) if n < LEAST}
    sets = ["shift", *map(_set_name, panel)] if panel else []
    estimates = [*OVERALL]
    estimates += [
        f"{group}.{figure}"
        for group in groups
        for figure in OF_GROUP
        if figure != "ece" or group not in few
    ]
    estimates += [f"{one}.{figure}" for one in sets for figure in OF_SHIFT]
    positive = positive or len(classes) == 2
    estimates += [f"positive.{figure}" for figure in OF_POSITIVE if positive]
    estimates += [f"difference.{figure}" for figure in DIFFERENCES if several]
    ends = {f"{name}{end}" for name in estimates for end in ("", ".low", ".high")}
    comparable = {f"changes.{name}" for name in ends}
    return {
        *("n", "ece_if_calibrated", "suspects"),
        *map(coverage_name, TARGETS),
        *ends,
        *(f"{group}.{figure}" for group in groups for figure in ("n", "confidence")),
        *(("distance.median", "distance.none_found") if distances else ()),
        *(f"other.{name}.auroc_{of}" for name in others for of in ("confidence", "entropy")),
        *(f"difference.{name}" for name in FLIPS if several),
        *(["positive.probability"] if positive else []),
        *(name for name in changes if name in comparable or ".by." not in name),
    }


def worst_group(groups: Iterable[Group]) -> Group | None:
    """The group whose gap has the interval farthest from 0.

    Groups with a verdict come first. The intervals hold for all groups at once: among many groups,
    a single group's own interval may exclude 0 by chance, and rarely covers the gap of the one that
    stands out.
    """

    def sureness(group: Group) -> tuple[bool, float]:
        return group.verdict != "not shown", max(group.gap.low, -group.gap.high)

    return max(with_joint_intervals(groups), key=sureness, default=None)


def _median(values: Tensor, weights: Tensor) -> float:
    """The weighted median; the mean of two values if the weight is halved between them."""
    ordered, order = values.sort()
    reached = weights[order].cumsum(0)
    ends = (torch.searchsorted(reached, reached[-1] / 2, right=right) for right in (False, True))
    return float(ordered[torch.stack([*ends])].mean())


def _class_groups(classes: Sequence[str]) -> list[str]:
    count = Counter(classes)
    numbers = (f" ({z})" if count[name] > 1 else "" for z, name in enumerate(classes))
    return [f"class.{name}{number}" for name, number in zip(classes, numbers, strict=True)]


def _by_groups(groupings: Sequence[Grouping]) -> list[str]:
    return [f"by.{one.name}.{group}" for one in groupings for group in one.groups]


def _set_name(where: EvaluationSet) -> str:
    return f"shift.{where.corruption}-{where.intensity}"


def _group(name: str, group: Group) -> dict[str, float]:
    flat: dict[str, float] = {f"{name}.n": group.n, f"{name}.confidence": group.confidence}
    for figure in OF_GROUP:
        if (estimate := getattr(group, figure)) is not None:
            flat |= estimate.named(f"{name}.{figure}")
    return flat
