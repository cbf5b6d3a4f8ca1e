"""Probabilities that are tenths, as ten votes give: many are equal, or on the edge of a bin."""

import itertools
from fractions import Fraction

import pytest
import torch

from arcal.auditing import as_predictions, figures, overall, suspects, without_zeros

pytestmark = pytest.mark.processor

VOTES = [row for row in itertools.product(range(11), repeat=3) if sum(row) == 10 and max(row) > 5]
ROWS = VOTES * 4
LABELS = [(7 * i // 3 + row[0]) % 3 for i, row in enumerate(ROWS)]
WRONG = [row[label] < 6 for row, label in zip(ROWS, LABELS, strict=True)]
NO_ZEROS = [i for i, row in enumerate(ROWS) if min(row) > 0]


def predictions_of(rows, dtype=torch.float64):
    """As read from a file, which has the float nearest to each tenth."""
    p = torch.tensor([[v / 10 for v in ROWS[i]] for i in rows], dtype=torch.float64)
    return as_predictions(probabilities=p.to(dtype), labels=[LABELS[i] for i in rows])


def aurc_of(rows, sure):
    """In exact fractions; `sure` is any number that orders the rows as their confidence does."""
    total = Fraction(0)
    for i in rows:
        above = [WRONG[k] for k in rows if sure(ROWS[k]) >= sure(ROWS[i])]
        total += Fraction(sum(above), len(above))
    return float(total / len(rows))


def test_figures_are_those_of_the_votes():
    """Of 15 bins, 0.6 is the edge of (8/15, 9/15], and 0.8 that of (11/15, 12/15]."""
    said, gaps = figures(predictions_of(NO_ZEROS)), {}
    for i in NO_ZEROS:
        sure = max(ROWS[i])
        k = -(-15 * sure // 10)
        gaps[k] = gaps.get(k, 0) + Fraction(sure, 10) - (not WRONG[i])
    ece = float(sum(map(abs, gaps.values()))) / len(NO_ZEROS)
    assert said["ece"] == pytest.approx(ece, abs=1e-12)
    shown = overall(predictions_of(NO_ZEROS), resamples=2)
    assert shown.ece.value == pytest.approx(ece, abs=1e-12)
    assert shown.aurc.value == pytest.approx(aurc_of(NO_ZEROS, max), abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_votes_are_equally_sure_with_zeros_too(dtype):
    every = range(len(ROWS))
    mended, line = without_zeros(predictions_of(every, dtype))
    assert line is not None
    assert len(mended.confidence.unique()) == len({(max(row), min(row) > 0) for row in VOTES})
    aurc = aurc_of(every, lambda row: (max(row), min(row) > 0))  # a zero takes some from the others
    assert figures(mended)["aurc"] == pytest.approx(aurc, abs=1e-12)


def test_suspects_of_equal_probability_come_by_id():
    listed = [NO_ZEROS[place] for place in suspects(predictions_of(NO_ZEROS)).tolist()]
    assert listed == sorted(listed, key=lambda i: (ROWS[i][LABELS[i]], i))


def test_no_probability_is_above_1():
    logits = torch.tensor([[4e-7, -100.0], [-1.0, 4e-7]], dtype=torch.float64)
    assert as_predictions(logits=logits, labels=[0, 1]).confidence.amax() == 1
