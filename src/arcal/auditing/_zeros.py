"""Replacing probabilities of exactly 0 by small ones, with a line that says so."""

import math
import sys
from dataclasses import replace

import torch

from arcal.auditing._predictions import Predictions
from arcal.calibration.zeros import Zeros

MANY = 30
"""With this many rows, equally many zeros in each are no coincidence."""
FAR = 1000.0
"""How far below a row's largest logit a logit of -inf is put: its probability is then 0."""


def without_zeros(
    predictions: Predictions, *, like: Predictions | None = None
) -> tuple[Predictions, str | None]:
    """Predictions with small probabilities in place of zeros, and a line that says what was done.

    The value for a 0 (`Zeros`) is derived from the predictions, or from `like` if given: those that
    a calibrator was fitted to, so that the result for a row does not depend on the other rows. If
    classes are `impossible`, logits of -inf become finite, but their probability stays 0. The line
    is None if nothing was changed.

    >>> from arcal.auditing import as_predictions
    >>> p = [[0.99, 0.01, 0], [1, 0, 0], [0, 0, 1]]
    >>> rounded = as_predictions(probabilities=p, labels=[0, 0, 2])
    >>> mended, line = without_zeros(rounded)
    >>> line
    '5 probabilities are 0, probably rounded: together, those of one input are taken as 0.005'
    >>> mended.log_probabilities[1].exp().round(decimals=4)
    tensor([0.9950, 0.0025, 0.0025], dtype=torch.float64)
    """
    if not predictions.logits.numel() or predictions.logits.amin() > -torch.inf:
        return predictions, None
    known = predictions if like is None else like
    if known.impossible:
        return _without_impossible(predictions, known)
    zeros = Zeros.among((log_p for _, log_p in known.blocks()), known.classes)
    n, counts = 0, []
    live = torch.zeros(known.classes, dtype=torch.bool, device="cpu")
    logits = torch.empty(1, *predictions.logits.shape[1:], dtype=torch.float64, device="cpu")
    for some, log_p in predictions.blocks():
        logits[0, some] = zeros.mended(log_p)
        counts.append((there := ~log_p.isneginf()).sum(dim=1))
        live |= there.any(dim=0).cpu()
        n += int(zeros.rounded(log_p).sum())
    if not n:
        return predictions, None
    decided = zeros.least == 0  # the logarithm of 1
    line = _rounded(n, _power(zeros.log_share), decided=decided, answers=predictions.answers)
    line += _largest_alone(torch.cat(counts), int(live.sum()))
    return replace(predictions, logits=logits), line


def _rounded(n: int, share: str, *, decided: bool, answers: bool) -> str:
    """A line on n zeros; `decided` means that all probabilities are 0 or 1."""
    if decided:
        what = "confidence" if answers else "probability"
        return (
            f"every {what} is 0 or 1, as if they were decisions: give finer ones if you have "
            f"them; a 0 is taken as {share}"
        )
    if answers:
        those = "1 confidence is" if n == 1 else f"{n:,} confidences are"
        return f"{those} 0 or 1, probably rounded: moved by {share} towards 0.5"
    if n == 1:
        return f"1 probability is 0, probably rounded: it is taken as {share}"
    return (
        f"{n:,} probabilities are 0, probably rounded: together, those of one input are taken as "
        f"{share}"
    )


def _largest_alone(counts: torch.Tensor, live: int) -> str:
    """A phrase if every row has the same number of probabilities that are not 0, or nothing.

    They are fewer than the `live` classes, those that some row has: so the others were not saved.
    """
    k = int(counts[0])
    if len(counts) < MANY or not 1 < k < live or (counts != k).any():
        return ""
    return (
        f"; as every input has just {k} that are not 0, these may be the largest alone: divided by "
        "their sum, they make the model look too sure, so give the probabilities of all classes"
    )


def _power(log_p: float) -> str:
    """A probability in two digits, even if it is too small for a float."""
    if log_p > math.log(sys.float_info.min):
        return f"{math.exp(log_p):.2g}"
    exponent = math.floor(log_p / math.log(10))
    return f"{10 ** (log_p / math.log(10) - exponent):.2g}e{exponent}"


def _without_impossible(
    predictions: Predictions, known: Predictions
) -> tuple[Predictions, str | None]:
    """Finite logits in place of -inf, but with probability 0, so that calibrators can be fitted."""
    z = predictions.logits
    wrong = z.isneginf() & ~known.logits.isneginf().all(dim=(0, 1))
    n = int(wrong.all(0).sum())
    mended = replace(predictions, logits=torch.where(wrong, z.amax(dim=2, keepdim=True) - FAR, z))
    if not n:
        return mended, None
    return mended, (
        "1 logit is -inf: its class is taken as impossible for this input"
        if n == 1
        else f"{n:,} logits are -inf: their classes are taken as impossible for these inputs"
    )
