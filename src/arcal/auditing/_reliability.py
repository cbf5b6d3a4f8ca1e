"""The numbers of the reliability diagrams: each run alone, and all of a subject's runs averaged."""

import torch
from torch import Tensor

from arcal.auditing._estimate import effective_numbers
from arcal.auditing._predictions import Predictions, ensemble
from arcal.auditing._subject import Subject
from arcal.calibration import Reliability, exact_interval
from arcal.calibration._ece import bin_of
from arcal.calibration.checks import as_weights


def reliability(predictions: Predictions, weights: Tensor | None = None) -> Reliability:
    """Confidence and accuracy by bin, those of the ECE, of a model's predictions.

    With `weights` `(N,)`, 0 or more, the counts are those of the intervals: the effective numbers
    of inputs, which need not be whole, and the other sums as large a share of them as of the
    weights.

    >>> from arcal.auditing import as_predictions
    >>> half = as_predictions(probabilities=[[0.75, 0.25], [0.75, 0.25]], labels=[0, 1])
    >>> bins = reliability(half)
    >>> int(bins.count.argmax()), round(bins.ece, 2)  # bin 11 of 0 to 14 is (11/15, 12/15]
    (11, 0.25)
    >>> round(reliability(half, torch.tensor([3.0, 1.0])).accuracy[11].item(), 2)
    0.75
    """
    confidence, correct = predictions.confidence, predictions.correct
    bins = Reliability()
    if weights is None:
        return bins.update(confidence, correct)
    w, k = as_weights(weights, len(correct)), bin_of(confidence, bins.bins)
    n = effective_numbers(w, confidence, k, bins.bins)
    whole, sure, right = (
        torch.bincount(k, weights=values, minlength=bins.bins)
        for values in (w, w * confidence, w * correct)
    )
    bins.count = n
    bins.confidence_sums, bins.correct_sums = (
        (n * sums / whole).nan_to_num(0) for sums in (sure, right)
    )
    return bins


def reliability_by_run(subject: Subject) -> list[Reliability]:
    """Each run's predictions on the clean test set in the bins of the ECE.

    Runs are not pooled: they see the same images, so that an interval of their pool would be too
    narrow.

    >>> from arcal.auditing import CLEAN, as_predictions
    >>> half = as_predictions(probabilities=[[0.75, 0.25], [0.75, 0.25]], labels=[0, 1])
    >>> subject = Subject.from_predictions("mine", {CLEAN: [half, half]})
    >>> [round(bins.ece, 2) for bins in reliability_by_run(subject)]
    [0.25, 0.25]
    """
    return [reliability(predictions) for predictions in subject.clean]


def ensemble_reliability(subject: Subject) -> Reliability | None:
    """The same of the runs' averaged probabilities; None for a single run.

    >>> from arcal.auditing import CLEAN, as_predictions
    >>> half = as_predictions(probabilities=[[0.75, 0.25], [0.75, 0.25]], labels=[0, 1])
    >>> subject = Subject.from_predictions("mine", {CLEAN: [half, half]})
    >>> round(ensemble_reliability(subject).ece, 2)
    0.25
    >>> ensemble_reliability(Subject.from_predictions("mine", {CLEAN: [half]}))
    """
    return reliability(ensemble(subject.clean)) if len(subject.clean) > 1 else None


def accuracy_interval(bins: Reliability) -> tuple[Tensor, Tensor]:
    """Ends of each bin's 95 % interval of accuracy (Clopper, Pearson), `(K,)`; nan if empty.

    >>> from arcal.auditing import as_predictions
    >>> half = as_predictions(probabilities=[[0.75, 0.25], [0.75, 0.25]], labels=[0, 1])
    >>> low, high = accuracy_interval(reliability(half))
    >>> round(low[11].item(), 3), round(high[11].item(), 3), low[0].item()
    (0.013, 0.987, nan)
    """
    ends = exact_interval(bins.correct_sums.clamp(max=bins.count), bins.count)
    low, high = (torch.where(bins.count > 0, end, torch.nan) for end in ends)
    return low, high
