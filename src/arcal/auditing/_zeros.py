"""Probabilities that were rounded to 0, before something is fitted to them."""

import torch

from arcal.auditing._predictions import Predictions


def without_zeros(predictions: Predictions) -> tuple[Predictions, str | None]:
    """Predictions whose zeros are half the smallest probability there is, and what was done.

    A probability of exactly 0 in a file is one that was rounded: if it happened, the log-loss would
    be infinite. A class that is 0 in every row is masked, and stays so. The line is None where
    nothing was changed.

    >>> from arcal.auditing import as_predictions
    >>> rounded = as_predictions(probabilities=[[0.9, 0.1], [1.0, 0.0]], labels=[0, 1])
    >>> mended, line = without_zeros(rounded)
    >>> line
    '1 probability is 0, as if it were rounded: 0.05 is taken, half the smallest there is'
    >>> mended.log_probabilities[1].exp().round(decimals=3)
    tensor([0.9520, 0.0480], dtype=torch.float64)
    """
    log_p = predictions.log_probabilities
    zero = log_p.isneginf()
    rounded = zero & ~zero.all(0)
    n = int(rounded.sum())
    if not n:
        return predictions, None
    least = log_p[~zero].min().exp() / 2
    logits = torch.where(rounded, least.log(), log_p).log_softmax(1)[None]
    mended = Predictions(predictions.ids, predictions.labels, logits)
    what = "1 probability is 0, as if it were" if n == 1 else f"{n:,} probabilities are 0, as if"
    were = "" if n == 1 else " they were"
    line = f"{what}{were} rounded: {least:.2g} is taken, half the smallest there is"
    return mended, line
