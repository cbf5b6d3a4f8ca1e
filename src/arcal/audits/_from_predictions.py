"""A classifier audited from its predictions alone."""

from collections.abc import Sequence
from typing import Any

from arcal.auditing import (
    RIGHT_OR_WRONG,
    Audited,
    Caveat,
    Predictions,
    groupings,
    in_clusters,
    positive_class,
    without_zeros,
)
from arcal.audits._drawn import ALL, Draw
from arcal.calibration.checks import as_weights
from arcal.errors import ArcalError


def from_predictions(
    name: str,
    predictions: Predictions,
    classes: Sequence[str] | None = None,
    *,
    weights: Any = None,
    by: Any = None,
    clusters: Any = None,
    R: int = 10,
    positive: Any = None,
    validation: Predictions | None = None,
    draw: Draw = ALL,
    caveats: Sequence[Caveat] = (),
) -> Audited:
    """Predictions as an audited classifier; calibrators are fitted on `validation` if given.

    `weights`, `by`, `clusters` and `positive` are as for `arcal.audit`, in the order of the
    predictions, of which one of each may be drawn; `caveats` are those already known for the
    classifier.
    """
    N = len(predictions.ids)
    predictions, weights, by, clusters, facts = draw.predictions(
        predictions,
        None if weights is None else as_weights(weights, N),
        groupings({} if by is None else by, N),
        None if clusters is None else in_clusters("clusters", clusters, N),
    )
    predictions, zeros = without_zeros(predictions)
    if predictions.answers and classes is not None:
        raise ArcalError(
            "answers are right or wrong and have no classes: leave out the class names"
        )
    if predictions.answers and positive is not None:
        raise ArcalError("answers are right or wrong and have no classes: leave out `positive`")
    named = RIGHT_OR_WRONG if predictions.answers else _class_names(classes, predictions.classes)
    return Audited(
        name,
        predictions,
        named,
        validation=None if validation is None else without_zeros(validation)[0],
        weights=weights,
        groupings=by,
        clusters=clusters,
        R=R,
        positive_class=None if positive is None else positive_class(str(positive), named),
        facts=facts,
        caveats=[*caveats, *([Caveat("Probabilities", zeros)] if zeros else [])],
    )


def _class_names(classes: Sequence[str] | None, Z: int) -> tuple[str, ...]:
    if classes is not None and len(classes) != Z:
        raise ArcalError(f"there are {len(classes)} class names for {Z} classes")
    return tuple(map(str, range(Z))) if classes is None else tuple(classes)
