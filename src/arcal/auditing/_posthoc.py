"""Predictions calibrated after training, and what is done to zeros before something is fitted."""

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from arcal.auditing._predictions import Predictions
from arcal.auditing._subject import Subject
from arcal.calibration.posthoc import EVALUATED, Calibrator
from arcal.errors import ArcalError

MOST = 0.005
"""What the zeros of a row share at most: no confidence moves by more than half a point."""
FAR = 1000.0
"""How far below the largest logit of a row one of -inf is taken to be: it has no probability."""


def fit_posthoc(name: str, validation: Predictions, run: str) -> Calibrator:
    """The post-hoc method of this name, fitted on what a run says of its validation images.

    The name is a key of `EVALUATED`. Of several members it is their average that is calibrated.
    What cannot be fitted raises `ArcalError`, which names the `run`.

    >>> from arcal.auditing import as_predictions
    >>> sure = as_predictions(logits=[[3.0, 0.0]] * 4, labels=[0, 0, 0, 1])
    >>> calibrator = fit_posthoc("temperature", sure, "my run")
    >>> calibrated(calibrator, sure).log_probabilities.exp()[0].round(decimals=2).tolist()
    [0.75, 0.25]
    """
    try:
        log_p, energy = validation.log_probabilities, validation.energy
        return EVALUATED[name](log_p, validation.labels, energy=energy)
    except ArcalError as error:
        raise ArcalError(f"{name} of {run}: {error}") from error


def calibrated(calibrator: Calibrator, predictions: Predictions) -> Predictions:
    """The same inputs' calibrated log-probabilities as the logits of a single member.

    float64 `(1, N, Z)`, whatever the number of members was.

    >>> from arcal.auditing import as_predictions
    >>> sure = as_predictions(logits=[[3.0, 0.0]] * 4, labels=[0, 0, 0, 1])
    >>> mild = calibrated(fit_posthoc("temperature", sure, "my run"), sure)
    >>> mild.logits.shape, mild.logits.dtype
    (torch.Size([1, 4, 2]), torch.float64)
    """
    log_probabilities = calibrator(predictions.log_probabilities, energy=predictions.energy)
    ids, labels = predictions.ids, predictions.labels
    return Predictions(ids, labels, log_probabilities[None], answers=predictions.answers)


def calibrated_blocks(calibrator: Calibrator, predictions: Predictions) -> Iterator[Tensor]:
    """The calibrated log-probabilities of some rows after others, float64 `(n, Z)`.

    Of a calibrator that sees one row at a time, as all of `CALIBRATORS` do.

    >>> from arcal.auditing import as_predictions
    >>> sure = as_predictions(logits=[[3.0, 0.0]] * 4, labels=[0, 0, 0, 1])
    >>> (block,) = calibrated_blocks(fit_posthoc("temperature", sure, "my run"), sure)
    >>> block.shape
    torch.Size([4, 2])
    """
    energy = predictions.energy if calibrator.needs_energy else None
    for some, log_p in predictions.blocks():
        yield calibrator(log_p, energy=None if energy is None else energy[some])


def calibrated_subject(subject: Subject, name: str, calibrators: Sequence[Calibrator]) -> Subject:
    """The subject with a calibrator for each of its runs, on all sets whose predictions it has.

    >>> from arcal.auditing import CLEAN, as_predictions
    >>> sure = as_predictions(logits=[[3.0, 0.0]] * 4, labels=[0, 0, 0, 1])
    >>> subject = Subject.from_predictions("mine", {CLEAN: [sure]})
    >>> calibrators = [fit_posthoc("temperature", sure, "my run")]
    >>> mild = calibrated_subject(subject, "temperature", calibrators)
    >>> mild.name, round(mild.measures[CLEAN].runs[0]["confidence"], 2)
    ('mine + temperature', 0.75)
    """
    predictions = {
        where: [calibrated(*pair) for pair in zip(calibrators, runs, strict=True)]
        for where, runs in subject.predictions.items()
    }
    return Subject.from_predictions(
        f"{subject.name} + {name}",
        predictions,
        seeds=subject.seeds,
        robustness=subject.robustness,
        method=replace(subject.method, posthoc=name) if subject.method else None,
        provenance=subject.provenance,
    )


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
    any others. Logits of -inf whose classes are `impossible` stay without any probability.

    >>> from arcal.auditing import as_predictions
    >>> p = [[0.99, 0.01, 0], [1, 0, 0], [0, 0, 1]]
    >>> rounded = as_predictions(probabilities=p, labels=[0, 0, 2])
    >>> mended, line = without_zeros(rounded)
    >>> line
    '5 probabilities are 0, probably rounded: those of one input are taken to sum to 0.005'
    >>> mended.log_probabilities[1].exp().round(decimals=4)
    tensor([0.9950, 0.0025, 0.0025], dtype=torch.float64)
    """
    if not predictions.logits.numel() or predictions.logits.amin() > -torch.inf:
        return predictions, None
    known = predictions if like is None else like
    if known.impossible:
        return _without_impossible(predictions, known)
    masked = torch.ones(predictions.classes, dtype=torch.bool, device="cpu")
    least = torch.tensor(torch.inf, dtype=torch.float64, device="cpu")
    for _, log_p in known.blocks():
        masked &= log_p.isneginf().all(0)
        least = torch.minimum(least, log_p.where(log_p.isfinite(), torch.inf).min())
    log_share, n = (least - math.log(2)).clamp(max=math.log(MOST)), 0  # half of 5e-324 would be 0
    share = log_share.exp()
    logits = torch.empty(1, *predictions.logits.shape[1:], dtype=torch.float64, device="cpu")
    for some, log_p in predictions.blocks():
        rounded = log_p.isneginf() & ~masked
        each = log_share - rounded.sum(1, keepdim=True).clamp(min=1).log()
        whole = share.where(rounded.any(1, keepdim=True), 0).log1p()
        logits[0, some] = torch.where(rounded, each, log_p) - whole
        n += int(rounded.sum())
    if not n:
        return predictions, None
    decided = least.item() == 0  # the logarithm of 1
    line = _rounded(n, _power(log_share.item()), decided=decided, answers=predictions.answers)
    return replace(predictions, logits=logits), line


def _rounded(n: int, share: str, *, decided: bool, answers: bool) -> str:
    """What was done to n zeros; `decided` says that there is nothing but zeros and ones."""
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
        f"{n:,} probabilities are 0, probably rounded: those of one input are taken to sum to "
        f"{share}"
    )


def _power(log_p: float) -> str:
    """A probability in two digits, also one that is too small for a float.

    >>> _power(math.log(0.005)), _power(-745.0)
    ('0.005', '2.8e-324')
    """
    if log_p > math.log(sys.float_info.min):
        return f"{math.exp(log_p):.2g}"
    exponent = math.floor(log_p / math.log(10))
    return f"{10 ** (log_p / math.log(10) - exponent):.2g}e{exponent}"


def _without_impossible(
    predictions: Predictions, known: Predictions
) -> tuple[Predictions, str | None]:
    """Finite logits in place of -inf, with no probability, so that calibrators can be fitted."""
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
