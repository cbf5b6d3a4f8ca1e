"""What predictions look like where something went wrong before they were stored."""

import math

from arcal.auditing._predictions import Predictions

UNSURE = 0.75
"""The confidence below which at least some answers should be wrong."""
EXPECTED = 10
"""Mistakes that are expected of unsure answers, at least, before their absence is suspected."""
ENOUGH = 30
"""Inputs from which on a limit that none exceeds is no chance."""
AT_THE_LIMIT = 0.1
"""The share of inputs that lie near the limit at least, before it is taken for one."""


def suspect_own_predictions(predictions: Predictions) -> str | None:
    """A sentence if the labels seem to be the model's own predictions, otherwise None.

    They do if no input is wrong, not even of those on which the model is less than 75 % sure, where
    its own confidence expects ten mistakes or more. Nothing is said of answers.

    >>> from arcal.auditing import as_predictions
    >>> probabilities = [[0.75, 0.25]] * 50 + [[0.375, 0.625]] * 50
    >>> suspect_own_predictions(as_predictions(probabilities=probabilities, labels=[0, 1] * 50))
    >>> suspect_own_predictions(
    ...     as_predictions(probabilities=probabilities, labels=[0] * 50 + [1] * 50)
    ... )
    'it is right on all 100 inputs, also on the 50 of which it is less than 75 % sure: are the \
labels its own predictions?'
    """
    if predictions.answers or not predictions.correct.all():
        return None
    unsure = predictions.confidence[predictions.confidence < UNSURE]
    if float((1 - unsure).sum()) < EXPECTED:
        return None
    return (
        f"it is right on all {len(predictions.ids):,} inputs, also on the {len(unsure):,} of which "
        f"it is less than {100 * UNSURE:.0f} % sure: are the labels its own predictions?"
    )


def suspect_softmax_twice(predictions: Predictions) -> str | None:
    """A sentence if the probabilities seem to be a softmax of probabilities, otherwise None.

    Those have `p_max / p_min <= e` for every input, as probabilities differ by at most 1, and come
    near it where the model is sure. Nothing is said of answers, of several members, and of fewer
    than 30 inputs.

    >>> import torch
    >>> from arcal.auditing import as_predictions
    >>> p = (3 * torch.eye(3, dtype=torch.float64).repeat(20, 1)).softmax(dim=1)
    >>> labels = torch.arange(60) % 3
    >>> suspect_softmax_twice(as_predictions(probabilities=p, labels=labels))
    >>> p = (9 * torch.eye(3, dtype=torch.float64).repeat(20, 1)).softmax(dim=1)
    >>> suspect_softmax_twice(as_predictions(probabilities=p.softmax(dim=1), labels=labels))
    'no confidence is above 57.6 %, the highest that a softmax of probabilities has: was a softmax \
applied twice?'
    """
    M, N, Z = predictions.logits.shape
    if predictions.answers or M > 1 or N < ENOUGH:
        return None
    z = predictions.logits[0]
    spread = z.amax(dim=1) - z.amin(dim=1)  # log p_max - log p_min
    near = ((spread > 0.95) & (spread < 1.001)).double().mean()
    if not (spread < 1.001).all() or near < AT_THE_LIMIT:
        return None
    highest = math.e / (math.e + Z - 1)
    return (
        f"no confidence is above {100 * highest:.1f} %, the highest that a softmax of "
        "probabilities has: was a softmax applied twice?"
    )
