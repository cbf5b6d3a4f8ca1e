"""An audit's findings in sentences, which claim no more than the figures show."""

import math
from collections.abc import Sequence
from dataclasses import replace

from scipy.special import bdtrc

from arcal.auditing import (
    MISCALIBRATED,
    Audited,
    Difference,
    Estimate,
    Group,
    Outcome,
    ProbabilityBin,
    jointly,
    positive_class,
    suspect_inputs,
)
from arcal.report.audited._acting import acts_above
from arcal.report.audited._amounts import (
    ece,
    in_points,
    moved,
    number,
    percent,
    percentage,
    points,
    signed,
)
from arcal.report.audited._changes import changed, does, same_inputs
from arcal.report.audited._doubts import doubts, misread, right_without_distance, without_distance
from arcal.report.audited._figures import Finding, worst_group
from arcal.report.names import listed, noun, posthoc_names

MISSED = 10
"""A class that is never predicted is mentioned if it has at least this many inputs."""
SIGNIFICANCE = 0.025
"""A model that beats its most frequent class less often by chance alone is shown to beat it."""
FEWEST = 30
"""With fewer inputs, a model is not compared with its most frequent class."""
NAMED = 3
"""The most such classes that are named."""


def headline(model: Audited) -> str:
    """One sentence for everybody: how often the model is right, and how sure it says it is."""
    over = model.overall
    right, confidence = percent(over.accuracy.value), percent(over.confidence.value)
    inputs = f"{over.n:,} {_one(model)}{'' if over.n == 1 else 's'}"
    sentence = (
        f"{model.name} is right on {right} of {inputs}, with a mean confidence of {confidence}: "
    )
    if over.gap.sign > 0:
        sentence += f"over-confident by {points(over.gap)}"
    elif over.gap.sign < 0:
        sentence += f"under-confident by {points(over.gap)}"
    else:
        sentence += f"no gap beyond chance ({signed(over.gap)})"
    if model.levels and model.R > 1:
        weakest = model.levels[0]
        worse = abs(weakest.gap.value) > abs(over.gap.value)
        if worse and weakest.verdict in MISCALIBRATED:
            sentence += (
                f"; in the least robust {share(model)}, where a small change of the input flips "
                f"the prediction, it is {weakest.verdict} by {points(weakest.gap)}"
            )
    return sentence + "."


def notes(findings: Sequence[Finding], *, advise: bool = True) -> list[str]:
    """What to know to read the page correctly, which of several models is better, what to do."""
    models = [one.model for one in findings]
    first = models[0]

    def about(model: Audited, line: str) -> str:
        return f"{_capital(line)}." if len(models) == 1 else f"{model.name}: {line}"

    lines = [f"{model.name}: {doubt}" for model in models for doubt in doubts(model)]
    for say in (_no_better, _positive):
        lines += [about(one, line) for one in models if (line := say(one)) is not None]
    lines += [
        about(one.model, differs(one.difference, answers=one.model.predictions.answers))
        for one in findings
        if one.difference is not None
    ]
    lines += [about(one.model, does(one.changes, one.model)) for one in findings if one.changes]
    lines += dict.fromkeys(line for one in findings for line in same_inputs(one.changes))
    if advise:
        lines += [about(model, line) for model in models for line in _to_do(model)]
    lines.append(
        "Intervals are 95 %. The gap is confidence minus accuracy: above 0, the model is "
        "over-confident. The ECE is how far confidence and accuracy are apart, on average over the "
        "range of confidence. Both are in percentage points."
    )
    for model in models:
        if failed := without_distance(model):
            line = (
                f"for {failed:,} of {len(model):,} inputs no change was found that flips the "
                f"prediction; they count as the most robust{_at_every_size(model)}"
            )
            lines.append(about(model, line))
    posthoc = first.posthoc
    if posthoc.too_small:
        lines.append(f"{_capital(posthoc.too_small)}.")
    elif first.validation is None and posthoc.fitted_on:
        lines.append(
            f"No validation data was given: calibrators are fitted on {posthoc.fitted_on:,} of the "
            f"{_one(first)}s and tested on the other {posthoc.shown_on:,}."
        )
    return lines


def _capital(line: str) -> str:
    return line[:1].upper() + line[1:]


def _to_do(model: Audited) -> list[str]:
    """From which confidence it may act alone, and which calibrator helps."""
    lines = [] if (line := acts_above(model)) is None else [line]
    return [*lines, advice(model)] if model.posthoc.outcomes else lines


def _at_every_size(model: Audited) -> str:
    """The clause on how robust accuracy counts inputs that are right without a distance."""
    if not (n := right_without_distance(model)):
        return ""
    return f", and the {n:,} of them that are right count in robust accuracy at every size"


def summary(findings: Sequence[Finding], data: str, *, with_doubts: bool = True) -> str:
    """Lines for a terminal: for each model its headline, what stands out, and what would help."""
    paragraphs = []
    for one in findings:
        model, over, answers = one.model, one.model.overall, one.model.predictions.answers
        calibrated = f"{in_points(over.ece_if_calibrated.value)} by chance if it were calibrated"
        where = "" if data in (model.name, "predictions") else f"on {data}: "
        details = [
            *(doubts(model) if with_doubts else []),
            f"{where}ECE {ece(over.ece)}, {calibrated}",
            f"smooth ECE {ece(over.smooth_ece)}; log-loss {number(over.nll)}",
            *([] if one.difference is None else [differs(one.difference, answers=answers)]),
            *changed(one.changes, model),
            *stands_out(model),
        ]
        paragraphs.append("\n  ".join([headline(model), *details]))
    return "\n\n".join(paragraphs)


def stands_out(model: Audited) -> list[str]:
    """Where the model is miscalibrated, what to look at, and what would help."""
    lines = []
    if (worst := worst_group(model.by_class)) and worst.verdict in MISCALIBRATED:
        lines.append(
            f"when it says {worst.name}, it is {worst.verdict} by {points(worst.gap)} "
            f"({worst.n:,} inputs{_multiplicity(model.by_class)})"
        )
    lines += filter(None, (_no_better(model), _positive(model), _never_predicted(model)))
    for grouping, groups in zip(model.groupings, model.by_grouping, strict=True):
        if (worst := worst_group(groups)) and worst.verdict in MISCALIBRATED:
            lines.append(
                f"where {grouping.name} is {worst.name}, it is {worst.verdict} by "
                f"{points(worst.gap)} ({worst.n:,} {_one(model)}s{_multiplicity(groups)})"
            )
    if (line := acts_above(model)) is not None:
        lines.append(line)
    if model.shift is not None:
        mean, n = model.shift.mean, len(model.shift.by_set)
        lines.append(
            f"under {n} {'corruption' if n == 1 else 'corruptions'}: accuracy "
            f"{percent(mean.accuracy.value)}, ECE {ece(mean.ece)}, confidence minus accuracy "
            f"{signed(mean.gap)}"
        )
    for other in model.other:
        (run,) = other.runs
        lines.append(
            f"its confidence tells these inputs from {other.name} with an AUROC of "
            f"{run.auroc_confidence:.3f} (0.5 is chance)"
        )
    if n := right_without_distance(model):
        lines.append(
            f"the attack failed on {n:,} {'input' if n == 1 else 'inputs'} that the model gets "
            f"right: robust accuracy counts {'it' if n == 1 else 'them'} as right under any change"
        )
    lines.append(advice(model))
    if n := len(model.suspects):
        what, first = "mistake", "the most suspect label"
        if model.predictions.answers:
            what, first = "wrong answer", "the surest"
        lines.append(f"{n:,} {what}{'' if n == 1 else 's'} to look at, {first} first")
    return lines


def _no_better(model: Audited) -> str | None:
    """A line if it is not shown to be right more often than its most frequent class alone, or less.

    Among the inputs on which only one of the two is right, it is then right on no more, or less,
    than chance explains. Where its accuracy is called chance, or inputs have weights, nothing is
    said.
    """
    said = model.predictions
    if said.answers or model.weights is not None or len(model) < FEWEST:
        return None
    count = said.labels.bincount(minlength=len(model.classes))
    most = int(count.argmax())
    right, always = said.predicted == said.labels, said.labels == most
    ahead, behind = int((right & ~always).sum()), int((always & ~right).sum())
    if bdtrc(ahead - 1, ahead + behind, 0.5) < SIGNIFICANCE:
        return None
    if suspect_inputs(float(right.double().mean()), len(model.classes), len(model)):
        return None
    lower = bdtrc(behind - 1, ahead + behind, 0.5) < SIGNIFICANCE
    return (
        f"always saying {model.classes[most]} would be right on "
        f"{percent(float(always.double().mean()))}: its accuracy is "
        + ("lower" if lower else "not shown to be higher")
    )


def _never_predicted(model: Audited) -> str | None:
    """A line on classes that have inputs but are never predicted, those with most inputs first."""
    said, Z = model.predictions, len(model.classes)
    if said.answers:
        return None
    count = said.labels.bincount(minlength=Z) * (said.predicted.bincount(minlength=Z) == 0)
    order = count.argsort(descending=True, stable=True)
    missed = [int(z) for z in order if count[z] >= MISSED]
    if not missed:
        return None
    named = [f"{model.classes[z]} ({int(count[z]):,} inputs)" for z in missed[:NAMED]]
    if len(missed) <= NAMED:
        return f"it never predicts {listed(named, last='or')}"
    return f"it never predicts {len(missed):,} of the {Z:,} classes, such as {listed(named)}"


def _multiplicity(groups: Sequence[Group]) -> str:
    """A clause: the interval is wider than the group's own, because it is the worst of many."""
    judged = sum(not one.few for one in groups)
    return f"; a wider interval, as it is the worst of {judged:,}" if judged > 1 else ""


def _positive(model: Audited) -> str | None:
    """Whether, or where, the probability of the positive class is too high or too low.

    If chance explains the difference, it only mentions a class that the user named.
    """
    one = model.positive
    if one is None:
        return None
    name = model.classes[one.z]
    if not one.miscalibrated:
        if one.z == positive_class(None, model.classes):
            return None
        share = one.frequency
        return (
            f"its probability of {name} is {percent(one.probability)} on average, and "
            f"{percent(share.value)} of the inputs [{percentage(share.low)}, "
            f"{percentage(share.high)}] are {name}: chance explains the difference"
        )
    if one.verdict in MISCALIBRATED:
        where, right, whose = "", one, "the inputs"
    else:
        tested = [each for each in (one, *one.bins) if each.verdict != "too few"]
        shares = jointly([each.frequency for each in tested])  # for the one chosen, too
        judged = [
            replace(each, frequency=share)
            for each, share in zip(tested, shares, strict=True)
            if isinstance(each, ProbabilityBin) and each.verdict in MISCALIBRATED
        ]
        right = max(judged, key=lambda each: max(each.gap.low, -each.gap.high))
        where = f" where it averages {percent(right.probability)}"
        whose = f"these {right.n:,} inputs"
    side = "high" if right.verdict == "over-confident" else "low"
    mean = "" if where else f"{percent(one.probability)} on average, and "
    return (
        f"its probability of {name} is too {side} by {points(right.gap)}{where}: "
        f"{mean}{percent(right.frequency.value)} of {whose} are {name}"
    )


def differs(from_first: Difference, *, answers: bool = False) -> str:
    """Whether a model is better than the first, and by how much.

    For `answers` it also says, by the AURC, whose confidence better tells right from wrong ones.
    """
    than, right, loss, risk = from_first.than, from_first.accuracy, from_first.nll, from_first.aurc
    order = f", AURC {moved(risk, number, number(risk, '+'))}" if answers else ""
    return (
        f"against {than}, on the same {noun(answers=answers)}s, it is "
        f"{_verdict(right.sign, _sign(loss))}: accuracy "
        f"{moved(right, points, signed(right))}, log-loss "
        f"{moved(loss, number, number(loss, '+'))}{order}; it alone is right on "
        f"{percent(from_first.positive_flips)}, {than} alone on "
        f"{percent(from_first.negative_flips)}"
    )


def _sign(loss: Estimate) -> int:
    """The sign of a difference, beyond chance; that of an infinite one, and 0 of nan."""
    if math.isinf(loss.value):
        return 1 if loss.value > 0 else -1
    return 0 if math.isnan(loss.value) else loss.sign


def _verdict(accuracy: int, log_loss: int) -> str:
    """Whether a model is better, from the signs of how its accuracy and its log-loss differ."""
    if accuracy * log_loss > 0:
        more, better = ("more", "worse") if accuracy > 0 else ("less", "better")
        return f"right {more} often, but with {better} probabilities"
    if accuracy == log_loss == 0:
        return "neither better nor worse beyond chance"
    return "better" if accuracy > log_loss else "worse"


def advice(model: Audited) -> str:
    """Which calibrator to use, if one is shown to help, and the model is not misread."""
    posthoc = model.posthoc
    if misread(model):
        return "settle the doubt above before you calibrate: a calibrator would only hide a mistake"
    if posthoc.recommended is None:
        if posthoc.too_small:
            return posthoc.too_small
        if posthoc.refused and not posthoc.outcomes:
            name, why = next(iter(posthoc.refused.items()))
            return f"no calibrator could be fitted ({name}: {why})"
        if freer := _freer(model):
            return (
                "no calibrator that keeps every prediction lowers the log-loss beyond chance"
                f"{freer}: see `arcal calibrate`"
            )
        if model.overall.gap.sign == 0 == model.overall.ece.sign:
            return "no calibrator lowers the log-loss beyond chance: leave it as it is"
        return (
            "no calibrator lowers the log-loss beyond chance on the "
            f"{posthoc.shown_on:,} {_one(model)}s it was not fitted on: `arcal calibrate` tries "
            f"more, on all {_one(model)}s"
        )
    best = posthoc.outcomes[posthoc.recommended]
    halved = posthoc.shown_on < model.overall.n
    fitted = f", fitted on one half of the {_one(model)}s," if halved else ""
    where = f" of the other {posthoc.shown_on:,}" if halved else ""
    before, after = best.ece.before.value, best.ece.after
    does = f"brings the ECE{where} from {in_points(before)} to"
    if in_points(after.value) == in_points(before):
        does = f"lowers the log-loss{where}, and leaves the ECE at"
    elif after.value > before:
        does = f"lowers the log-loss{where}, but raises the ECE from {in_points(before)} to"
    words = posthoc_names(best.name, answers=model.predictions.answers)[1]
    return f"{words}{fitted} {does} {ece(after)}{_freer(model, best)}: see `arcal calibrate`"


def _freer(model: Audited, best: Outcome | None = None) -> str:
    """A clause on a calibrator that can change predictions, if it is shown to beat the `best`."""
    free = [one for one in model.posthoc.outcomes.values() if not one.keeps_accuracy]
    better = [
        one
        for one in free
        if one.nll.change.sign < 0 and (best is None or one.nll.after.high < best.nll.after.low)
    ]
    if not better:
        return ""
    one = min(better, key=lambda each: each.nll.after.value)
    before, after = number(one.nll.before, interval=False), number(one.nll.after)
    return (
        f"; {one.name}, which can change predictions, lowers the log-loss from {before} to {after}"
    )


def _one(model: Audited) -> str:
    return noun(answers=model.predictions.answers)


def share(model: Audited) -> str:
    """A level's share of the inputs in words."""
    return "tenth" if model.R == 10 else "half" if model.R == 2 else f"1/{model.R}"
