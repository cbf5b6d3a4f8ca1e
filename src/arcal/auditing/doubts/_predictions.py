"""Signs in predictions that something went wrong before they were stored."""

import math

from arcal.auditing._predictions import Predictions
from arcal.auditing.doubts._order_and_scale import FEWEST

UNSURE = 0.75
"""The confidence below which at least some answers should be wrong."""
EXPECTED = 10
"""The mistakes that must be expected of unsure answers before their absence is suspicious."""
AT_THE_LIMIT = 0.1
"""At least this share of inputs must lie near the limit before it is taken for one."""


def suspect_own_predictions(predictions: Predictions) -> str | None:
    """A sentence if the labels seem to be the model's own predictions, else None.

    They do if no input is wrong although, by the model's own confidence, ten mistakes or more are
    expected among the inputs on which it is less than 75 % sure. Answers are not judged.

    >>> from arcal.auditing import as_predictions
    >>> probabilities = [[0.75, 0.25]] * 50 + [[0.375, 0.625]] * 50
    >>> suspect_own_predictions(as_predictions(probabilities=probabilities, labels=[0, 1] * 50))
    >>> suspect_own_predictions(
    ...     as_predictions(probabilities=probabilities, labels=[0] * 50 + [1] * 50)
    ... )
    'it is right on all 100 inputs, even on the 50 of which it is less than 75 % sure: are the \
labels its own predictions?'
    """
    if predictions.answers or not predictions.correct.all():
        return None
    unsure = predictions.confidence[predictions.confidence < UNSURE]
    if float((1 - unsure).sum()) < EXPECTED:
        return None
    return (
        f"it is right on all {len(predictions.ids):,} inputs, even on the {len(unsure):,} of which "
        f"it is less than {100 * UNSURE:.0f} % sure: are the labels its own predictions?"
    )


def suspect_softmax_twice(predictions: Predictions) -> str | None:
    """A sentence if the probabilities seem to be a softmax of probabilities, else None.

    A softmax of probabilities has `p_max / p_min <= e` for every input, because probabilities
    differ by at most 1, and comes close to e where the model is sure. There is no warning for
    answers, several members, or fewer than 30 inputs.

    >>> import torch
    >>> from arcal.auditing import as_predictions
    >>> p = (3 * torch.eye(3, dtype=torch.float64).repeat(20, 1)).softmax(dim=1)
    >>> labels = torch.arange(60) % 3
    >>> suspect_softmax_twice(as_predictions(probabilities=p, labels=labels))
    >>> p = (9 * torch.eye(3, dtype=torch.float64).repeat(20, 1)).softmax(dim=1)
    >>> suspect_softmax_twice(as_predictions(probabilities=p.softmax(dim=1), labels=labels))
    'no confidence is above 57.6 %, the highest that a softmax of probabilities can give: was a \
softmax applied twice?'
    """
    M, N, Z = predictions.logits.shape
    if predictions.answers or M > 1 or N < FEWEST:
        return None
    z = predictions.logits[0]
    spread = z.amax(dim=1) - z.amin(dim=1)  # log p_max - log p_min
    near = ((spread > 0.95) & (spread < 1.001)).double().mean()
    if not (spread < 1.001).all() or near < AT_THE_LIMIT:
        return None
    highest = math.e / (math.e + Z - 1)
    return (
        f"no confidence is above {100 * highest:.1f} %, the highest that a softmax of "
        "probabilities can give: was a softmax applied twice?"
    )
