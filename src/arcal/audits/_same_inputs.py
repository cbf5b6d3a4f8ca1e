"""Models are compared only on the same inputs: where those of two models differ."""

from arcal.auditing import Audited
from arcal.errors import ArcalError


def check_same_inputs(first: Audited, other: Audited) -> None:
    """Refuse two models whose inputs, labels or groups differ, and say where."""
    if (why := _difference(first, other)) is not None:
        raise ArcalError(
            f"{first.name} and {other.name} cannot be compared: {why}; give both the same inputs "
            "and labels, with ids or in the same order, or audit each alone, the second "
            "against the first"
        )
    if [(g.name, g.groups, g.number.tolist()) for g in first.groupings] != [
        (g.name, g.groups, g.number.tolist()) for g in other.groupings
    ]:
        raise ArcalError(
            f"{first.name} and {other.name} group their inputs differently: give both the same "
            "values"
        )


def _difference(first: Audited, other: Audited) -> str | None:
    """A phrase on the first input that only one has, or that they label differently, or None."""
    ids, others = (list(one.names or one.predictions.ids.tolist()) for one in (first, other))
    if (first.names is None) != (other.names is None):  # numbers against texts
        ids, others = [*map(str, ids)], [*map(str, others)]
    if ids != others:
        for one, its, theirs in ((first, ids, set(others)), (other, others, set(ids))):
            if (only := next((key for key in its if key not in theirs), None)) is not None:
                return f"id {only} is only in {one.name}"
        return "their inputs are in another order"
    if first.predictions.answers and other.predictions.answers:
        return None  # their labels say which answers were right, which may differ
    labels, other_labels = first.predictions.labels, other.predictions.labels
    for i in (labels != other_labels).nonzero()[:1, 0].tolist():
        here, there = first.classes[int(labels[i])], other.classes[int(other_labels[i])]
        return f"the label of id {ids[i]} is {here} in {first.name} and {there} in {other.name}"
    return None
