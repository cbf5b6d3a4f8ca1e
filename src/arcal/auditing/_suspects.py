"""Inputs to look at: labels that a model contradicts, fragile answers; and a row for each input.

A model may have memorised the wrong label of an input that it was trained on, so use inputs that it
has not seen.
"""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from arcal.arrays import TensorLike, as_tensor
from arcal.auditing._predictions import Predictions
from arcal.auditing._subject import R
from arcal.calibration.checks import as_weights
from arcal.ranks import levels, rank


def suspects(predictions: Predictions) -> Tensor:
    """The positions of the inputs whose label the model contradicts, the most suspect first.

    The positions are int64 `(n,)`, among the rows of `predictions`. They are sorted by the
    probability of the label, the lowest first; ties by id. This finds most of the labels that were
    replaced at random: docs/what-was-tried.md.

    >>> from arcal.auditing import as_predictions
    >>> probabilities = [[0.75, 0.25], [0.125, 0.875], [0.25, 0.75]]
    >>> suspects(as_predictions(probabilities=probabilities, labels=[0, 0, 0]))
    tensor([1, 2])
    """
    return suspicion(predictions).argsort()[: int((~predictions.correct).sum())]


def suspicion(predictions: Predictions) -> Tensor:
    """The rank of each of N inputs, from 0, the most suspect, to N-1, int64 `(N,)`.

    First come the inputs whose label is contradicted, then the others, both in the order of
    `suspects`.

    >>> from arcal.auditing import as_predictions
    >>> probabilities = [[0.75, 0.25], [0.125, 0.875], [0.25, 0.75]]
    >>> suspicion(as_predictions(probabilities=probabilities, labels=[0, 0, 0]))
    tensor([2, 0, 1])
    """
    place = rank(-predictions.scores.loss, predictions.ids)  # log p has the digits near 0
    return (place + len(place) * predictions.correct).argsort().argsort()


def fragile(predictions: Predictions, robustness: Tensor, R: int = R) -> Tensor:
    """The positions of the inputs that are right and in the least robust of `R` levels.

    The positions are int64 `(n,)`, among the rows of `predictions`, the highest confidence first;
    ties by id. A small change would flip these answers, and the confidence does not show it.
    `robustness` `(N,)` is in the order of the predictions; errors are those of `levels`.

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


def per_input(
    predictions: Predictions,
    robustness: TensorLike | None = None,
    R: int = R,
    nearest: Tensor | None = None,
    weights: TensorLike | None = None,
) -> dict[str, NDArray]:
    """Columns with one value for each of N inputs, the most suspect label first.

    | column | dtype | what it is |
    |---|---|---|
    | `id` | int64 | |
    | `label` | int64 | 0 .. Z-1 |
    | `predicted` | int64 | the most probable class |
    | `correct` | bool | whether that is the label |
    | `confidence` | float64 | the probability of the predicted class |
    | `label_probability` | float64 | the probability of the label |
    | `loss` | float64 | its negative logarithm in nats, inf if it is 0 |
    | `suspect_rank` | int64 | from 1, the most suspect; 0 where the label is predicted |
    | `robustness` | float32 | as given, +inf where no attack succeeded |
    | `level` | int64 | 0, the least robust, to R-1 |
    | `nearest` | int64 | as given: the class on the other side of the nearest boundary |
    | `weight` | float64 | as given: how much the input counts in an audit's figures |

    The `suspects` come first; the inputs whose label is predicted follow in the same order.
    `robustness` `(N,)`, `nearest` int64 `(N,)` and `weights` `(N,)` are in the order of the
    predictions; without them their columns, and `level`, are not there. Errors are those of
    `levels`.
    """
    place = suspicion(predictions)
    rows = place.argsort()
    correct, loss = predictions.correct, predictions.scores.loss
    columns = {
        "id": predictions.ids,
        "label": predictions.labels,
        "predicted": predictions.predicted,
        "correct": correct,
        "confidence": predictions.confidence,
        "label_probability": (-loss).exp(),
        "loss": loss,
        "suspect_rank": (place + 1) * ~correct,
    }
    if robustness is not None:
        columns["robustness"] = as_tensor(robustness, "robustness").float()
        columns["level"] = levels(robustness, predictions.ids, R)
    if nearest is not None:
        columns["nearest"] = nearest.long()
    if weights is not None:
        columns["weight"] = as_weights(weights, len(correct))
    return {name: np.asarray(column[rows].cpu()) for name, column in columns.items()}
