"""Figures as one dictionary."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss

import arcal
from arcal import ArcalError
from arcal.calibration import class_wise_ece, confidence_and_correct
from arcal.integrations.measures import compute, compute_metrics

DRAW = np.random.default_rng(0)
LOGITS = 2 * DRAW.normal(size=(200, 4))
P = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
LABELS = DRAW.integers(4, size=200)


def test_figures_are_those_of_other_libraries_and_of_this_one():
    figures = compute(predictions=P, references=LABELS)
    right = accuracy_score(LABELS, P.argmax(axis=1))
    assert figures["accuracy"] == pytest.approx(right)
    assert figures["confidence"] == pytest.approx(P.max(axis=1).mean())
    assert figures["gap"] == pytest.approx(P.max(axis=1).mean() - right)
    assert figures["nll"] == pytest.approx(log_loss(LABELS, P))
    whole: Any = False  # the sum over all classes
    assert figures["brier"] == pytest.approx(brier_score_loss(LABELS, P, scale_by_half=whole))
    tensors = torch.from_numpy(P), torch.from_numpy(LABELS)
    assert figures["ece"] == arcal.ece(*confidence_and_correct(*tensors))
    assert figures["class_wise_ece"] == class_wise_ece(*tensors)
    assert all(type(value) is float for value in figures.values())


@pytest.mark.parametrize("logits", [LOGITS, (LOGITS, "hidden states"), LOGITS.tolist()])
def test_logits_give_the_same(logits):
    expected = compute(predictions=P, references=LABELS)
    assert compute_metrics((logits, LABELS)) == pytest.approx(expected, abs=1e-12)


def test_bad_input_is_one_line():
    for act, says in (
        (lambda: compute(predictions=LOGITS, references=LABELS), "softmax"),
        (lambda: compute(predictions=P, references=LABELS + 1), "labels must be 0 .. 3"),
        (lambda: compute(predictions=P[:0], references=LABELS[:0]), "at least one"),
        (lambda: compute_metrics((LOGITS[0], LABELS)), "must be"),
        (lambda: compute_metrics((P, LABELS)), "these are probabilities"),
    ):
        with pytest.raises(ArcalError, match=says) as caught:
            act()
        assert "\n" not in str(caught.value)
