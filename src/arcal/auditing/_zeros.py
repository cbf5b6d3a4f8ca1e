"""Probabilities that were rounded to 0, before something is fitted to them."""

import torch

from arcal.auditing._predictions import Predictions

MOST = 0.005
"""What the zeros of a row share at most: no confidence moves by more than half a point."""


def without_zeros(
    predictions: Predictions, *, like: Predictions | None = None
) -> tuple[Predictions, str | None]:
    """Predictions whose zeros are small, and what was done.

    A probability of exactly 0 in a file is one that was rounded: if it happened, the log-loss would
    be infinite. The zeros of a row share half the smallest probability there is, which is how far
    rounding moves one, and at most 0.005. So confidences stay what they were, however many classes
    there are. A class that is 0 in every row is masked, and stays so. The line is None where
    nothing was changed. What a 0 stands for, and which classes are masked, `like` says where it is
    given: the predictions that a calibrator was fitted to, so that a row comes out the same among
    any others.

    >>> from arcal.auditing import as_predictions
    >>> p = [[0.99, 0.01, 0], [1, 0, 0], [0, 0, 1]]
    >>> rounded = as_predictions(probabilities=p, labels=[0, 0, 2])
    >>> mended, line = without_zeros(rounded)
    >>> line
    '5 probabilities are 0, as if they were rounded: those of an input share 0.005'
    >>> mended.log_probabilities[1].exp().round(decimals=4)
    tensor([0.9950, 0.0025, 0.0025], dtype=torch.float64)
    """
    log_p = predictions.log_probabilities
    zero = log_p.isneginf()
    known = log_p if like is None else like.log_probabilities
    rounded = zero & ~known.isneginf().all(0)
    n = int(rounded.sum())
    if not n:
        return predictions, None
    share = (known[known.isfinite()].min().exp() / 2).clamp(max=MOST)
    each = share / rounded.sum(1, keepdim=True).clamp(min=1)
    logits = torch.where(rounded, each.log(), log_p).log_softmax(1)[None]
    mended = Predictions(predictions.ids, predictions.labels, logits)
    line = (
        f"1 probability is 0, as if it were rounded: {share:.2g} is taken"
        if n == 1
        else f"{n:,} probabilities are 0, as if they were rounded: those of an input share "
        f"{share:.2g}"
    )
    return mended, line
