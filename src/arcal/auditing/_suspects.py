"""Inputs to look at: labels that a model contradicts, and answers that hang by a thread.

A model that was trained on an input may have learned its wrong label by heart: suspects are of
inputs that it has not seen.
"""

from torch import Tensor

from arcal.auditing._predictions import Predictions
from arcal.auditing._subject import R
from arcal.robustness import levels, rank


def own_probability(predictions: Predictions) -> Tensor:
    """Log p_y of the label y, its logarithm for the digits near 0, `(N,)`.

    >>> from arcal.auditing import as_predictions
    >>> own_probability(as_predictions(probabilities=[[0.75, 0.25]], labels=[1])).exp()
    tensor([0.2500], dtype=torch.float64)
    """
    return -predictions.scores.loss


def suspects(predictions: Predictions) -> Tensor:
    """The positions of the inputs whose label the model contradicts, the most suspect first.

    int64 `(n,)`, of the rows of `predictions`, by the label's own probability, the lowest first; it
    finds most of the labels that were replaced at random: docs/notebook/suspects.md. Equal ones
    come by id.

    >>> from arcal.auditing import as_predictions
    >>> probabilities = [[0.75, 0.25], [0.125, 0.875], [0.25, 0.75]]
    >>> suspects(as_predictions(probabilities=probabilities, labels=[0, 0, 0]))
    tensor([1, 2])
    """
    return suspicion(predictions).argsort()[: int((~predictions.correct).sum())]


def suspicion(predictions: Predictions) -> Tensor:
    """The place of each of N inputs from the most suspect, 0, to N-1, int64 `(N,)`.

    First come those whose label is contradicted, then the others, each as in `suspects`.

    >>> from arcal.auditing import as_predictions
    >>> probabilities = [[0.75, 0.25], [0.125, 0.875], [0.25, 0.75]]
    >>> suspicion(as_predictions(probabilities=probabilities, labels=[0, 0, 0]))
    tensor([2, 0, 1])
    """
    place = rank(own_probability(predictions), predictions.ids)
    return (place + len(place) * predictions.correct).argsort().argsort()


def fragile(predictions: Predictions, robustness: Tensor, R: int = R) -> Tensor:
    """The positions of the inputs that are right and in the least robust of `R` levels.

    int64 `(n,)`, of the rows of `predictions`: those with the highest confidence first, equal ones
    by id. A small change would turn these answers, and the confidence does not tell. `robustness`
    `(N,)` is in the order of the predictions; errors are those of `levels`.

    >>> import torch
    >>> from arcal.auditing import as_predictions
    >>> probabilities = [[0.75, 0.25], [0.125, 0.875], [0.25, 0.75], [1.0, 0.0]]
    >>> predictions = as_predictions(probabilities=probabilities, labels=[0, 1, 0, 0])
    >>> fragile(predictions, torch.tensor([0.1, 0.2, 0.3, 0.4]), R=2)
    tensor([1, 0])
    """
    weakest = levels(robustness, predictions.ids, R) == 0
    chosen = weakest & predictions.correct
    order = rank(-predictions.log_confidence, predictions.ids).argsort()
    return order[chosen[order]]
