"""Answers for which only the confidence, and whether each was right, is known."""

from typing import Any

import torch
from torch import Tensor

from arcal.arrays import TensorLike, as_tensor
from arcal.auditing._predictions import Predictions
from arcal.auditing._saved_predictions import as_predictions
from arcal.calibration.checks import SURE, TRUTHS, as_correct, as_unit
from arcal.errors import ArcalError

RIGHT_OR_WRONG = ("right", "wrong")
"""The two classes of answers."""


def as_answers(*, confidence: TensorLike, correct: TensorLike, ids: Any = None) -> Predictions:
    """Predictions from a confidence in each of N answers, and whether it was right.

    Use this when there is one confidence and no probability of any other class: for a language
    model's answers, a detector's boxes, or a classifier of which only the predicted class was
    stored. `confidence` `(N,)` is in [0, 1] and may be below one half; `correct` `(N,)` is bool, or
    0 and 1; `ids` as for `as_predictions`. Every measure is computed from these pairs:

        accuracy = mean correct,  log-loss = -mean log (c if correct, 1 - c otherwise),
        Brier = 2 mean (c - correct)^2

    The Brier score is summed over both classes, so it is twice the usual one of a single
    probability. The audit has no levels, classes or corruptions. Calibrators cannot change an
    answer, so any may be picked: see `arcal.calibrate`. No answers, confidences outside [0, 1] or
    in per cent, a wrong shape, and any other `correct` raise `ArcalError`.

    >>> answers = as_answers(confidence=[0.75, 0.25, 0.75], correct=[True, True, False])
    >>> answers.confidence.tolist(), answers.correct.tolist()
    ([0.75, 0.25, 0.75], [True, True, False])
    >>> import arcal
    >>> audit = arcal.audit(answers, name="mine")
    >>> round(audit.figures()["mine"]["accuracy"], 2)
    0.67
    """
    c = as_tensor(confidence, "confidence", must_be=SURE)
    if c.ndim != 1:
        raise ArcalError(f"confidence has shape {tuple(c.shape)}: give one number per answer, (N,)")
    c = as_unit(c, "confidence", "give numbers from 0 to 1, and divide per cent by 100")
    if not len(c):
        raise ArcalError("there are no answers: give at least one")
    right = as_correct(_truths(correct), len(c))
    p = torch.stack([c, 1 - c], dim=1)
    said = as_predictions(probabilities=p, labels=(~right).long(), ids=ids)
    return Predictions(said.ids, said.labels, said.logits, answers=True)


def _truths(correct: TensorLike) -> Tensor:
    """0 and 1 as False and True; anything else unchanged."""
    values = as_tensor(correct, "correct", must_be=TRUTHS)
    numbers = values.dtype != torch.bool and not values.is_complex()
    return values.bool() if numbers and ((values == 0) | (values == 1)).all() else values
