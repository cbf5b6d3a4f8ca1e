"""What to fix, or know, before believing an audit's figures, in sentences."""

import math
from collections.abc import Sequence
from shlex import quote

from torch import Tensor

from arcal.arrays import TensorLike
from arcal.auditing import (
    Audited,
    Caveat,
    Grouping,
    Option,
    Predictions,
    suspect_inputs,
    suspect_order,
    suspect_own_predictions,
    suspect_softmax_twice,
)
from arcal.calibration.checks import as_weights
from arcal.calibration.weighted import effective_number
from arcal.report.names import noun

FEW = 12
"""Up to this many classes a suspected order is written out in full, so that it can be typed."""
WEIGHED_BY = "Weights of inputs"
"""The title of the fact that says where the weights of the inputs come from."""
TOGETHER = "Inputs that belong together"
"""The title of the caveat on inputs that seem to be of one patient."""
ENOUGH = 30
"""With this many inputs, it is no coincidence if all outputs lie in [0, 1]."""

FEW_CLUSTERS = 12
"""How often intervals hold was measured with as many clusters or more."""


def doubts(model: Audited) -> list[str]:
    """What to fix, or know, before believing anything else; usually empty."""
    said, lines = model.predictions, list[str]()
    if not said.answers:
        lines = suspicions(said.predicted, said.labels, model.classes, model.caveats, model.options)
    outputs = suspect_sigmoids(said.logits) or suspect_softmax_twice(said)
    lines += filter(None, (_unbounded(model), outputs, suspect_own_predictions(said)))
    if math.isinf(model.overall.nll.value):
        lines.append(_impossible(model))
    labels = said.labels.unique()
    if len(labels) == 1 and len(model) > 1:
        every = model.classes[int(labels)]
        lines.append(
            f"all answers are {every}: with only one kind, little can be said"
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
    one = noun(answers=said.answers)
    if model.clusters is not None:
        lines.append(
            in_clusters_sentence(model.clusters, model.overall.accuracy.n, f"{one}s", model.weights)
        )
    if model.weights is not None:
        worth = effective_number(model.weights.double())
        source = f" ({where})" if (where := model.facts.get(WEIGHED_BY)) else ""
        lines.append(
            f"every figure counts {one}s by their weights{source}: the {len(model):,} are worth "
            f"{worth:,.0f} of equal weight"
        )
    return lines


def in_clusters_sentence(
    clusters: Grouping, n: int, inputs: str = "inputs", weights: TensorLike | None = None
) -> str:
    """How many clusters the inputs are in, and how many independent ones the accuracy rests on.

    Inputs whose weight in `weights` `(N,)` is 0 do not count. The name of the clusters is left out
    if it is only `clusters`, as in Python, where the argument has no other.

    >>> from arcal.auditing import in_clusters
    >>> in_clusters_sentence(in_clusters("patient", ["Ann", "Bo", "Ann"]), 2)
    "the 3 inputs are in 2 clusters by patient, whose errors may come together: the accuracy's \
interval is that of 2 independent inputs; so few clusters may leave intervals too narrow"
    """
    if weights is not None:
        clusters = clusters.rows(as_weights(weights, len(clusters.number)) > 0)
    G = len(clusters.number.unique())
    by = "" if clusters.name == "clusters" else f" by {clusters.name}"  # as Python's argument is
    few = "; so few clusters may leave intervals too narrow" if G < FEW_CLUSTERS else ""
    return (
        f"the {len(clusters.number):,} {inputs} are in {G:,} clusters{by}, whose errors may "
        f"come together: the accuracy's interval is that of {n:,} independent "
        f"{inputs if n > 1 else inputs[:-1]}{few}"
    )


def without_distance(model: Audited) -> int:
    """The number of inputs on which the attack failed; 0 if nothing was attacked."""
    success = None if model.robustness is None else model.robustness.success
    return 0 if success is None else int((~success).sum())


def right_without_distance(model: Audited) -> int | None:
    """The number of inputs that are right without a distance; None without robust accuracy."""
    curve = model.robust_accuracy
    return None if curve is None else curve.without_distance


def _unbounded(model: Audited) -> str | None:
    """A sentence if infinite distances fill a level or more, whose order is then meaningless."""
    failed = without_distance(model)
    if failed * model.R < len(model):
        return None
    return (
        f"no change that flips the prediction was found for {failed:,} of {len(model):,} inputs: "
        "their distance is infinite, and levels of them mean nothing, as they are cut by id; is "
        "the model constant there, or does it round what it computes?"
    )


def _impossible(model: Audited) -> str:
    """A sentence on labels whose probability is exactly 0, such as those of a masked class."""
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
    """The model's known problems, and at most one more suspicion.

    The known problems are weights that are random instead of trained, and several outputs that may
    be the logits. The suspicion is the first of these that applies: classes in
    another order, another scale of the inputs, an accuracy near chance. It says what to do, with
    those of the `options` that exist.

    `predicted` and `labels` are int64 `(N,)` in [0, Z), `classes` the data's Z names, and `caveats`
    those known for the model. All inputs count alike, whatever their weights.
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


def misread(model: Audited) -> bool:
    """Whether it seems that classes, labels or inputs are mixed up, so that no figure means much.

    These are the doubts on an order of classes, on a scale of inputs, and on an accuracy that is
    not clearly above chance.
    """
    said = model.predictions
    right = float((said.predicted == said.labels).double().mean())
    return not said.answers and bool(
        any(one.about == "scale" for one in model.caveats)
        or suspect_order(said.predicted, said.labels, model.classes)
        or suspect_inputs(right, len(model.classes), len(model))
    )


def suspect_sigmoids(logits: Tensor) -> str | None:
    """A sentence if logits `(M, N, Z)` all lie in [0, 1] and there are enough to tell."""
    low, high = logits.aminmax()
    if logits.shape[1] < ENOUGH or not 0 <= low < high <= 1:
        return None
    return (
        "all outputs lie in [0, 1], like those of sigmoids, and are taken as logits: if they are "
        "probabilities, give what comes before the sigmoids"
    )


def suspect_one_class(predictions: Predictions) -> str | None:
    """A sentence if all labels are of one class, for calibrators that are fitted to them."""
    if len(predictions.labels.unique()) > 1 or predictions.answers:
        return None
    return (
        "all labels are of one class: they do not show how sure the model should be on inputs of "
        "other classes"
    )


def _in_order(
    order: tuple[int, ...] | None, classes: Sequence[str], options: Sequence[Option]
) -> str:
    """The advice for classes that seem to be in another order."""
    if "--classes" not in options:
        return "reorder the model's outputs to match the data"
    few = order if len(classes) <= FEW else None
    names = "NAME ..." if few is None else " ".join(quote(classes[z]) for z in few)
    return (
        f"if the labels are names, give the model's order with --classes {names}; if they are "
        "numbers, reorder the model's outputs to match the data"
    )
