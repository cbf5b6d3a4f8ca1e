"""What must be mended, or known, before an audit's figures are believed, in sentences."""

import math
from collections.abc import Sequence
from shlex import quote

from torch import Tensor

from arcal.auditing import (
    Audited,
    Caveat,
    Option,
    Predictions,
    effective_number,
    suspect_inputs,
    suspect_order,
    suspect_own_predictions,
    suspect_softmax_twice,
    suspect_swapped,
)
from arcal.report.names import noun

FEW = 12
"""Classes up to which a suspected order is given whole, to be typed."""
WEIGHED_BY = "Weights of inputs"
"""The title of the fact that says where the weights of the inputs are from."""
ENOUGH = 30
"""Inputs from which on outputs that all lie in [0, 1] are no chance."""


def doubts(model: Audited) -> list[str]:
    """What must be mended, or known, before anything else is believed; mostly nothing."""
    said, lines = model.predictions, list[str]()
    if not said.answers:
        lines = suspicions(said.predicted, said.labels, model.classes, model.caveats, model.options)
    outputs = suspect_sigmoids(said.logits) or suspect_softmax_twice(said)
    more = (_unbounded(model), outputs, suspect_own_predictions(said), suspect_swapped(said))
    lines += filter(None, more)
    if math.isinf(model.overall.nll.value):
        lines.append(_impossible(model))
    labels = said.labels.unique()
    if len(labels) == 1 and len(model) > 1:
        every = model.classes[int(labels)]
        lines.append(
            f"all answers are {every}: with none of the others, little can be said"
            if said.answers
            else f"all labels are {every}: with only one class, little can be said"
        )
    lines += [
        f"the groups by {by.name} match the labels: in them even a calibrated model looks wrong, "
        "so group by what is known when it answers"
        for by in model.groupings
        if by.is_of(said.labels)
    ]
    lines += [one.sentence for one in model.caveats if one.about == "data"]
    if model.weights is not None:
        worth = effective_number(model.weights.double())
        one = noun(answers=said.answers)
        source = f" ({where})" if (where := model.facts.get(WEIGHED_BY)) else ""
        lines.append(
            f"every figure counts {one}s by their weights{source}: the {len(model):,} are worth "
            f"{worth:,.0f} of equal weight"
        )
    return lines


def without_distance(model: Audited) -> int:
    """For how many inputs an attack found nothing; 0 where nothing was attacked."""
    success = None if model.robustness is None else model.robustness.success
    return 0 if success is None else int((~success).sum())


def right_without_distance(model: Audited) -> int | None:
    """How many inputs are right and have no distance; None where there is no robust accuracy."""
    curve = model.robust_accuracy
    return None if curve is None else curve.without_distance


def _unbounded(model: Audited) -> str | None:
    """What is said where so many distances are infinite that a level is cut by nothing."""
    failed = without_distance(model)
    if failed * model.R < len(model):
        return None
    return (
        f"no change that flips the prediction was found for {failed:,} of {len(model):,} inputs: "
        "their distance is infinite, so that levels among them, cut by ids alone, mean nothing; is "
        "the model constant there, or does it round what it computes?"
    )


def _impossible(model: Audited) -> str:
    """What is said of labels whose probability is exactly 0, as that of a masked class is."""
    said = model.predictions
    log_p = said.log_probabilities.gather(1, said.labels[:, None])[:, 0]
    impossible = log_p.isneginf().nonzero()[:, 0]
    n, first = len(impossible), int(impossible[0])
    id = said.ids[first].item() if model.names is None else model.names[first]
    return (
        f"{n:,} of {len(log_p):,} labels, {'' if n == 1 else 'the first of them '}"
        f"{model.classes[int(said.labels[first])]} for id {id}, {'has' if n == 1 else 'have'} a "
        "probability of exactly 0, so the log-loss is infinite: leave these inputs out, or do not "
        "mask their class"
    )


def suspicions(
    predicted: Tensor,
    labels: Tensor,
    classes: Sequence[str],
    caveats: Sequence[Caveat] = (),
    options: Sequence[Option] = (),
) -> list[str]:
    """What is known to be doubtful of the model, and one thing more that seems wrong, if any.

    The first is that weights are drawn and not trained, or that several outputs may be the logits;
    the other is classes in another order, another scale of the inputs, or an accuracy near chance,
    the first in this order, with what to do about it, of the `options` that there are.

    `predicted` and `labels` are int64 `(N,)` in [0, Z), `classes` the data's Z names, and `caveats`
    what is known of the model. Inputs are counted alike, whatever they weigh.
    """
    lines = [one.sentence for one in caveats if one.about in ("weights", "outputs")]
    if suspected := suspect_order(predicted, labels, classes):
        return [*lines, f"{suspected.sentence}: {_in_order(suspected.order, classes, options)}"]
    if scale := [one.sentence for one in caveats if one.about == "scale"]:
        return lines + scale
    right = float((predicted == labels).double().mean())
    option = "--normalize" if "--normalize" in options else None
    doubt = suspect_inputs(right, len(classes), len(labels), option)
    return lines if doubt is None else [*lines, doubt]


def suspect_sigmoids(logits: Tensor) -> str | None:
    """What is said of logits `(M, N, Z)` that all lie in [0, 1], if there are enough to tell."""
    low, high = logits.aminmax()
    if logits.shape[1] < ENOUGH or not 0 <= low < high <= 1:
        return None
    return (
        "all outputs lie in [0, 1], like those of sigmoids, and are taken as logits: if they are "
        "probabilities, give what comes before the sigmoids"
    )


def suspect_one_class(predictions: Predictions) -> str | None:
    """What is said of labels that are all alike, where calibrators are fitted to them."""
    if len(predictions.labels.unique()) > 1 or predictions.answers:
        return None
    return (
        "all labels are of one class: they do not show how sure the model should be on inputs of "
        "other classes"
    )


def _in_order(
    order: tuple[int, ...] | None, classes: Sequence[str], options: Sequence[Option]
) -> str:
    """What to do about classes that seem to be in another order."""
    if "--classes" not in options:
        return "reorder the model's outputs to match the data"
    few = order if len(classes) <= FEW else None
    names = "NAME ..." if few is None else " ".join(quote(classes[z]) for z in few)
    return (
        f"if the labels are names, give the model's order with --classes {names}; if they are "
        "numbers, reorder the model's outputs to match the data"
    )
