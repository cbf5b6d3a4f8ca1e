"""A row for every input: what the model says of it, and how suspect its label is."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from arcal.auditing._predictions import Predictions
from arcal.auditing._subject import R
from arcal.auditing._suspects import own_probability, suspicion
from arcal.errors import ArcalError
from arcal.robustness import levels


def per_input(
    predictions: Predictions,
    robustness: Tensor | None = None,
    R: int = R,
    nearest: Tensor | None = None,
    weights: Tensor | None = None,
) -> dict[str, NDArray]:
    """Columns of one value for each of N inputs, the most suspect label first.

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

    >>> from arcal.auditing import as_predictions
    >>> probabilities = [[0.75, 0.25], [0.125, 0.875], [0.25, 0.75]]
    >>> table = per_input(as_predictions(probabilities=probabilities, labels=[0, 0, 0]))
    >>> table["id"].tolist(), table["suspect_rank"].tolist(), table["predicted"].tolist()
    ([1, 2, 0], [1, 2, 0], [1, 1, 0])
    """
    place = suspicion(predictions)
    rows = place.argsort()
    correct = predictions.correct
    own = own_probability(predictions)
    columns = {
        "id": predictions.ids,
        "label": predictions.labels,
        "predicted": predictions.predicted,
        "correct": correct,
        "confidence": predictions.confidence,
        "label_probability": own.exp(),
        "loss": -own,
        "suspect_rank": (place + 1) * ~correct,
    }
    if robustness is not None:
        columns["robustness"] = robustness.float()
        columns["level"] = levels(robustness, predictions.ids, R)
    if nearest is not None:
        if nearest.shape != correct.shape or nearest.is_floating_point():
            raise ArcalError(
                f"nearest is {nearest.dtype} of shape {tuple(nearest.shape)}: give a class for "
                f"each of {len(correct)} inputs"
            )
        columns["nearest"] = nearest.long()
    if weights is not None:
        columns["weight"] = weights.double()
    return {name: np.asarray(column[rows].cpu()) for name, column in columns.items()}
