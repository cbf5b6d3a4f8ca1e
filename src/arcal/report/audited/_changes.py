"""How a model's figures have changed since an earlier audit, in lines and as JSON values."""

import math
from typing import Any

from arcal.auditing import Audited, Change, Changes, Estimate
from arcal.report.audited._amounts import (
    in_points,
    moved,
    number,
    percent,
    percentage,
    points,
    signed,
)
from arcal.report.audited._doubts import misread
from arcal.report.names import listed, noun

TITLES = {
    "accuracy": "accuracy",
    "confidence": "mean confidence",
    "gap": "confidence minus accuracy",
    "nll": "log-loss",
    "brier": "Brier score",
    "aurc": "AURC",
    "positive.frequency": "the share of {}",
    "positive.gap": "the mean probability of {} minus its share",
}
SHARES, LOSSES = ("accuracy", "confidence", "positive.frequency"), ("nll", "brier", "aurc")
MOST = 5
"""The most groups that are named."""


def changed(since: Changes | None, model: Audited) -> list[str]:
    """A verdict, what has changed since then, what is not shown to have, what is not comparable."""
    if since is None:
        return []
    rare = "" if model.positive_class is None else model.classes[model.positive_class]
    titles = {figure: title.format(rare) for figure, title in TITLES.items()}
    known = [(figure, since.figures[figure]) for figure in titles if figure in since.figures]
    shown = [f"{titles[figure]} {_shown(figure, one)}" for figure, one in known if _is_shown(one)]
    chance = f", which may be chance among {len(known)} figures"
    rest = [
        f"{titles[figure]} ({_difference(figure, one.by)}{chance if one.by.sign else ''})"
        for figure, one in known
        if not _is_shown(one)
    ]
    lines = [does(since, model)]
    if shown:
        lines.append(f"changed since then: {'; '.join(shown)}")
    if rest:
        lines.append(f"not changed beyond chance since then: {', '.join(rest)}")
    for column, groups in since.groupings.items():
        lines += _by_group(column, groups)
    for column in {**since.new, **since.gone}:
        lines += _new_and_gone(column, since)
    return [*lines, *same_inputs(since)]


def does(since: Changes, model: Audited) -> str:
    """Whether the model does better or worse than in the earlier audit, and is as well calibrated.

    Better and worse go by the accuracy and the log-loss, each beyond chance, as between two models.
    """
    right, loss, gap = (_direction(since, name) for name in ("accuracy", "nll", "gap"))
    if right * loss > 0:
        more, better = ("more", "worse") if right > 0 else ("less", "better")
        said = f"it is right {more} often, but with {better} probabilities"
    elif right == loss == 0:
        said = "it does neither better nor worse beyond chance"
    else:
        said = f"it does {'better' if right > loss else 'worse'}"
    off = 0.0
    if gap:
        said += f", and is {'more' if gap > 0 else 'less'} confident for its accuracy than before"
        off = model.overall.gap.sign
    elif rare := _direction(since, "positive.gap"):
        assert model.positive is not None
        name, risen = model.classes[model.positive.z], "risen" if rare > 0 else "fallen"
        said += f", and its probability of {name} has {risen} against the share of {name}"
        off = model.positive.gap.sign
    elif right and right == _direction(since, "confidence"):
        said += f", and its confidence has {'risen' if right > 0 else 'fallen'} with its accuracy"
    again = ": calibrate it again" if off and not misread(model) else ""
    there = "" if since.model == model.name else f"{since.model}, "
    inputs = f"{since.n:,} {noun(answers=model.predictions.answers)}s"
    return f"since {since.since} ({there}{inputs}) {said}{again}"


def _direction(since: Changes, name: str) -> int:
    """1 if the figure has risen, -1 if it has fallen, 0 if neither is shown."""
    if (change := since.figures.get(name)) is None:
        return 0
    if math.isinf(change.by.value):  # a log-loss that is infinite in one audit has no interval
        return 1 if change.by.value > 0 else -1
    return (change.verdict == "higher") - (change.verdict == "lower")


def same_inputs(since: Changes | None) -> list[str]:
    """A line if the earlier audit seems to be of the same inputs."""
    if since is None or not since.same_inputs:
        return []
    return [
        f"the inputs seem to be those of {since.since}: ids and labels are the same; the "
        "intervals of changes assume different inputs, and here are wider than they need be: "
        "audit both models in one command, which pairs them"
    ]


def changes_json(since: Changes) -> dict[str, Any]:
    """The changes as JSON values; lists keep the order in which the page shows them."""
    return {
        "since": since.since,
        "model": since.model,
        "n": since.n,
        "same_inputs": since.same_inputs,
        "figures": [{"name": name, **vars(one)} for name, one in since.figures.items()],
        "groupings": [
            {
                "name": column,
                "groups": [
                    {"name": name, **{figure: vars(one) for figure, one in group.items()}}
                    for name, group in groups.items()
                ],
            }
            for column, groups in since.groupings.items()
        ],
        **{
            when: [{"name": column, "groups": [*names]} for column, names in these.items()]
            for when, these in (("new", since.new), ("gone", since.gone))
        },
    }


def _is_shown(change: Change) -> bool:
    return change.verdict in ("higher", "lower")


def _shown(name: str, change: Change) -> str:
    """A change in words: both values, and the difference."""
    before, after = change.before.value, change.after.value
    size = number if name in LOSSES else points
    if name in SHARES:
        ends = f"{percentage(before)} -> {percent(after)}"
    elif name in LOSSES:
        ends = f"{before:.4f} -> {after:.4f}"
    else:
        ends = f"{in_points(before, '+')} -> {in_points(after, '+')} points"
    return f"{ends}, {moved(change.by, size, '')}"


def _difference(name: str, by: Estimate) -> str:
    return number(by, "+") if name in LOSSES else signed(by)


def _by_group(column: str, groups: Any) -> list[str]:
    """Lines on the groups of a column that have changed, the most certain first."""
    every = [
        (name, figure, one)
        for name, group in groups.items()
        for figure, one in group.items()
        if _is_shown(one)
    ]
    if not every:
        tested = sum(group["accuracy"].verdict != "too few" for group in groups.values())
        if not tested:
            return [
                f"by {column}: in each group, one of the audits has too few inputs to show a change"
            ]
        none = f"none of {tested} groups has" if tested > 1 else "the one comparable group has not"
        return [f"by {column}: {none} changed beyond chance since then"]
    every.sort(key=lambda one: -max(one[2].by.low, -one[2].by.high))
    lines = [
        f"where {column} is {name}, since then: {TITLES[figure]} {_shown(figure, one)}"
        for name, figure, one in every[:MOST]
    ]
    more = len(every) - MOST
    return [*lines, f"by {column}: {more} more changes beyond chance"] if more > 0 else lines


def _new_and_gone(column: str, since: Changes) -> list[str]:
    """Lines on the groups of a column that are new, or gone."""
    if column not in since.groupings:
        return [f"by {column}: {since.since} has none of its groups, so none are compared"]
    lines = []
    for when, these in (("new", since.new), ("gone", since.gone)):
        if names := these.get(column):
            few = [*names[:MOST], *[f"{len(names) - MOST} more"] * (len(names) > MOST)]
            lines.append(f"by {column}, {when} since {since.since}: {listed(few)}")
    return lines
