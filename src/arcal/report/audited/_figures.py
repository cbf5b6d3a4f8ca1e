"""An audit's figures by name: what conditions and JSON readers ask for."""

from collections.abc import Iterable, Mapping

from arcal.auditing import Audited, Estimate, Group


def figures(model: Audited) -> dict[str, float]:
    """Every figure of one model by a dotted name; an interval's ends are NAME.low and NAME.high.

    n, accuracy, confidence, gap, ece, ece_if_calibrated, smooth_ece, nll, brier
    level_1 .. level_R (1 is the least robust), least_robust, most_robust, class.NAME,
    worst_class: each .n, .accuracy, .confidence, .gap, .ece
    shift: .accuracy, .ece, .gap, means over the corruptions; shift.TYPE-INTENSITY likewise
    distance.median, distance.none_found (the share of inputs)
    other.NAME.auroc_confidence, other.NAME.auroc_entropy
    suspects (how many)
    """
    over = model.overall
    flat: dict[str, float] = {"n": over.n, "ece_if_calibrated": over.ece_if_calibrated.value}
    for name in ("accuracy", "confidence", "gap", "ece", "smooth_ece", "nll", "brier"):
        flat |= _ends(name, getattr(over, name))
    for r, level in enumerate(model.levels or (), 1):
        flat |= _group(f"level_{r}", level)
    if model.levels:
        flat |= _group("least_robust", model.levels[0]) | _group("most_robust", model.levels[-1])
    for one in model.by_class:
        flat |= _group(f"class.{one.name}", one)
    if worst := worst_group(model.by_class):
        flat |= _group("worst_class", worst)
    if model.shift is not None:
        for name in ("accuracy", "ece", "gap"):
            flat |= _ends(f"shift.{name}", getattr(model.shift.mean, name))
            for where, one in model.shift.by_set.items():
                set_name = f"shift.{where.corruption}-{where.intensity}"
                flat |= _ends(f"{set_name}.{name}", getattr(one, name))
    if model.robustness is not None and model.robustness.success is not None:
        flat["distance.median"] = float(model.robustness.robustness.median())
        flat["distance.none_found"] = float((~model.robustness.success).double().mean())
    for other in model.other:
        (one,) = other.runs
        flat[f"other.{other.name}.auroc_confidence"] = one.auroc_confidence
        flat[f"other.{other.name}.auroc_entropy"] = one.auroc_entropy
    flat["suspects"] = len(model.suspects)
    return flat


def worst_group(groups: Iterable[Group]) -> Group | None:
    """The group whose gap is surely the largest: the one that 0 is farthest from its interval."""
    said = [group for group in groups if not group.few]
    return max(said, key=lambda group: max(group.gap.low, -group.gap.high), default=None)


def _ends(name: str, estimate: Estimate) -> Mapping[str, float]:
    return {name: estimate.value, f"{name}.low": estimate.low, f"{name}.high": estimate.high}


def _group(name: str, group: Group) -> dict[str, float]:
    flat: dict[str, float] = {f"{name}.n": group.n, f"{name}.confidence": group.confidence}
    for figure in ("accuracy", "gap", "ece"):
        if (estimate := getattr(group, figure)) is not None:
            flat |= _ends(f"{name}.{figure}", estimate)
    return flat
