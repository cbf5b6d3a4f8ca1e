"""Inputs to look at: labels that a model contradicts, and answers that hang by a thread.

A model that was trained on an input may have learned its wrong label by heart: suspects are of
inputs that it has not seen.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from arcal.auditing._predictions import Predictions
from arcal.auditing._subject import R
from arcal.calibration import entropy
from arcal.errors import ArcalError
from arcal.robustness import levels, rank


def own_probability(predictions: Predictions, robustness: Tensor | None = None) -> Tensor:
    """Log p_y of the label y, its logarithm for the digits near 0, `(N,)`.

    >>> from arcal.auditing import as_predictions
    >>> own_probability(as_predictions(probabilities=[[0.75, 0.25]], labels=[1])).exp()
    tensor([0.2500], dtype=torch.float64)
    """
    return predictions.log_probabilities.gather(1, predictions.labels[:, None])[:, 0]


def label_margin(predictions: Predictions, robustness: Tensor | None = None) -> Tensor:
    """Log p_y - log p_k of the label y and the most probable other class k, `(N,)`.

    >>> from arcal.auditing import as_predictions
    >>> label_margin(as_predictions(probabilities=[[0.75, 0.25]], labels=[1])).exp()
    tensor([0.3333], dtype=torch.float64)
    """
    labels = predictions.labels[:, None]
    others = predictions.log_probabilities.scatter(1, labels, -torch.inf)
    return own_probability(predictions) - others.amax(dim=1)


def normalised_probability(predictions: Predictions, robustness: Tensor | None = None) -> Tensor:
    """p_y minus the mean of p_y over all inputs with the label y, `(N,)`.

    So a label that the model is never sure of is not all suspects: what confident learning
    normalises by (Northcutt et al., 2021).

    >>> from arcal.auditing import as_predictions
    >>> two = as_predictions(probabilities=[[0.75, 0.25], [0.5, 0.5]], labels=[0, 0])
    >>> normalised_probability(two)
    tensor([ 0.1250, -0.1250], dtype=torch.float64)
    """
    p, labels = own_probability(predictions).exp(), predictions.labels
    sums = torch.bincount(labels, weights=p, minlength=predictions.classes)
    return p - (sums / torch.bincount(labels, minlength=predictions.classes))[labels]


def signed_certainty(predictions: Predictions, robustness: Tensor | None = None) -> Tensor:
    """How far the entropy is below log Z, in nats, negative where the label is not predicted.

    >>> from arcal.auditing import as_predictions
    >>> signed_certainty(as_predictions(probabilities=[[1.0, 0.0]], labels=[1]))
    tensor([-0.6931], dtype=torch.float64)
    """
    log_p = predictions.log_probabilities
    certainty = torch.tensor(predictions.classes).double().log() - entropy(log_p)
    return torch.where(predictions.correct, certainty, -certainty)


def signed_distance(predictions: Predictions, robustness: Tensor | None = None) -> Tensor:
    """The robustness, negative where the label is not predicted, `(N,)` float32.

    >>> from arcal.auditing import as_predictions
    >>> predictions = as_predictions(probabilities=[[0.75, 0.25], [0.75, 0.25]], labels=[0, 1])
    >>> signed_distance(predictions, torch.tensor([0.5, 0.5]))
    tensor([ 0.5000, -0.5000])
    """
    if robustness is None:
        raise ArcalError("the order 'distance' needs the robustness of each input: score them")
    return torch.where(predictions.correct, robustness, -robustness)


SuspectOrder = Callable[[Predictions, Tensor | None], Tensor]

SUSPECT_ORDERS: Mapping[str, SuspectOrder] = {
    "own-probability": own_probability,
    "margin": label_margin,
    "normalised": normalised_probability,
    "entropy": signed_certainty,
    "distance": signed_distance,
}
"""By name what suspects are put in order by: `(N,)`, the lowest is the most suspect."""

SUSPECT_ORDER = "own-probability"
"""It finds most of the labels that were replaced at random: docs/notebook/suspects.md."""


def suspects(
    predictions: Predictions, robustness: Tensor | None = None, order: str = SUSPECT_ORDER
) -> Tensor:
    """The positions of the inputs whose label the model contradicts, the most suspect first.

    int64 `(n,)`, of the rows of `predictions`. `order` is one of `SUSPECT_ORDERS`; "distance" needs
    the `robustness` `(N,)` of the inputs, in the same order. Equal ones come by id. Another order,
    or robustness that is missing, nan or of another shape, raises `ArcalError`.

    >>> from arcal.auditing import as_predictions
    >>> probabilities = [[0.75, 0.25], [0.125, 0.875], [0.25, 0.75]]
    >>> suspects(as_predictions(probabilities=probabilities, labels=[0, 0, 0]))
    tensor([1, 2])
    """
    ranking = suspicion(predictions, robustness, order).argsort()
    return ranking[: int((~predictions.correct).sum())]


def suspicion(
    predictions: Predictions, robustness: Tensor | None = None, order: str = SUSPECT_ORDER
) -> Tensor:
    """The place of each of N inputs from the most suspect, 0, to N-1, int64 `(N,)`.

    First come those whose label is contradicted, then the others, each by the order. Arguments and
    errors are those of `suspects`.

    >>> from arcal.auditing import as_predictions
    >>> probabilities = [[0.75, 0.25], [0.125, 0.875], [0.25, 0.75]]
    >>> suspicion(as_predictions(probabilities=probabilities, labels=[0, 0, 0]))
    tensor([2, 0, 1])
    """
    if order not in SUSPECT_ORDERS:
        raise ArcalError(
            f"order {order!r} of suspects is unknown: choose from {', '.join(SUSPECT_ORDERS)}"
        )
    N = len(predictions.ids)
    if robustness is not None and robustness.shape != (N,):
        raise ArcalError(
            f"robustness has shape {tuple(robustness.shape)}: give one for each of {N} inputs"
        )
    place = rank(SUSPECT_ORDERS[order](predictions, robustness), predictions.ids)
    return (place + N * predictions.correct).argsort().argsort()


def fragile(predictions: Predictions, robustness: Tensor, R: int = R) -> Tensor:
    """The positions of the inputs that are right and in the least robust of `R` levels.

    int64 `(n,)`, of the rows of `predictions`: those with the highest confidence first, equal ones
    by id. A small change would turn these answers, and the confidence does not tell. `robustness`
    `(N,)` is in the order of the predictions; errors are those of `levels`.

    >>> from arcal.auditing import as_predictions
    >>> probabilities = [[0.75, 0.25], [0.125, 0.875], [0.25, 0.75], [1.0, 0.0]]
    >>> predictions = as_predictions(probabilities=probabilities, labels=[0, 1, 0, 0])
    >>> fragile(predictions, torch.tensor([0.1, 0.2, 0.3, 0.4]), R=2)
    tensor([1, 0])
    """
    weakest = levels(robustness, predictions.ids, R) == 0
    chosen = weakest & predictions.correct
    confidence = predictions.log_probabilities.amax(dim=1)
    order = rank(-confidence, predictions.ids).argsort()
    return order[chosen[order]]
