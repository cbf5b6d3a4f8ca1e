"""Signs in predictions that something went wrong before they were stored."""

import math

from scipy.special import ndtr

from arcal.auditing._predictions import Predictions
from arcal.auditing.doubts._order_and_scale import FEWEST, SIGNIFICANCE, suspect_inputs
from arcal.calibration import auroc

UNSURE = 0.75
"""The confidence below which at least some answers should be wrong."""
EXPECTED = 10
"""The mistakes that must be expected of unsure answers before their absence is suspicious."""
REVERSED = 1 / 3
"""Two classes with at most this AUROC seem to be swapped."""
EXTREME = 50.0
"""A log-loss that no model trained on inputs of the same scale is known to have on many of them."""
MANY = 10, 0.01
"""The number of inputs, and the share of all, on which an extreme log-loss is suspicious."""
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


def suspect_extremes(predictions: Predictions) -> str | None:
    """A sentence if many labels have absurdly small probabilities, else None.

    They have if the log-loss is above 50, a probability of 2e-22, on at least ten inputs and 1 % of
    them. Labels of probability 0, for which there is another sentence, and answers do not count.

    >>> from arcal.auditing import as_predictions
    >>> labels = [0] * 90 + [1] * 10
    >>> suspect_extremes(as_predictions(logits=[[20.0, 0.0]] * 100, labels=labels))
    >>> suspect_extremes(as_predictions(logits=[[900.0, 0.0]] * 100, labels=labels))
    'for 10 of 100 inputs the label has a probability below 2e-22, as if the model could not be \
wrong: are the inputs on another scale than in training, or are its outputs not logits?'
    """
    if predictions.answers:
        return None
    N, n = len(predictions.labels), 0
    for some, log_p in predictions.blocks():
        loss = -log_p.gather(1, predictions.labels[some, None])
        n += int(((loss > EXTREME) & loss.isfinite()).sum())
    least, share = MANY
    if n < max(least, share * N):
        return None
    return (
        f"for {n:,} of {N:,} inputs the label has a probability below 2e-22, as if the model could "
        "not be wrong: are the inputs on another scale than in training, or are its outputs not "
        "logits?"
    )


def suspect_swapped(predictions: Predictions) -> str | None:
    """A sentence if the probabilities of two classes seem to be swapped, else None.

    They do if inputs of the second class get lower probabilities of it than the other inputs. With
    n and m inputs of the classes, the AUROC A must be at most 1/3, and the statistic

        (1/2 - A) / sqrt((n + m + 1) / (12 n m))

    so large that chance exceeds it in less than one case in a thousand (Mann-Whitney). If the model
    is not clearly right on more than half of the inputs, this is left to `suspect_order` and
    `suspect_inputs`. It takes at least 30 inputs, which are not answers.

    >>> import torch
    >>> from arcal.auditing import as_predictions
    >>> p = torch.linspace(0.55, 0.95, 100, dtype=torch.float64)  # of the first class
    >>> labels = (torch.arange(100) >= 80).long()
    >>> suspect_swapped(as_predictions(probabilities=torch.stack([p, 1 - p], 1), labels=labels))
    'inputs of the second class get a lower probability of it than the others (AUROC 0.000, where \
0.5 is chance): are the two classes swapped?'
    """
    labels, N = predictions.labels, len(predictions.ids)
    m = int(labels.sum()) if predictions.classes == 2 else 0
    if predictions.answers or N < FEWEST or not 0 < m < N:
        return None
    if suspect_inputs(predictions.correct.double().mean().item(), 2, N) is not None:
        return None
    p = predictions.log_probabilities[:, 1]
    A = auroc(p[labels == 1], p[labels == 0])
    z = (0.5 - A) / math.sqrt((N + 1) / (12 * m * (N - m)))
    if A > REVERSED or ndtr(-z) > SIGNIFICANCE:
        return None
    return (
        "inputs of the second class get a lower probability of it than the others "
        f"(AUROC {A:.3f}, where 0.5 is chance): are the two classes swapped?"
    )
