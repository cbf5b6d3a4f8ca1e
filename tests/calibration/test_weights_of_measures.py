"""Measures with weights: whole weights are repeated rows, and NumPy by the formula."""

import numpy as np
import pytest
import torch

from arcal import ArcalError
from arcal.calibration import (
    brier,
    by_level,
    class_wise_ece,
    ece,
    equal_mass_ece,
    mce,
    nll,
    rmsce,
)

pytestmark = pytest.mark.processor

N, Z, R = 200, 4, 3
DRAW = np.random.default_rng(0)
P = DRAW.dirichlet(np.ones(Z), size=N).round(2)
P = P / P.sum(1, keepdims=True)
LABELS = np.where(DRAW.random(N) < 0.6, P.argmax(1), DRAW.integers(Z, size=N))
CONFIDENCE, CORRECT = P.max(1), P.argmax(1) == LABELS
TIMES = DRAW.integers(0, 4, size=N)
WEIGHTS = DRAW.exponential(size=N) * (TIMES > 0)
LEVELS = DRAW.integers(R, size=N)

OF_CONFIDENCE = [ece, rmsce, mce, equal_mass_ece]
MEASURES = [
    *((measure, (CONFIDENCE, CORRECT)) for measure in OF_CONFIDENCE),
    (class_wise_ece, (P, LABELS)),
]


@pytest.mark.parametrize("bins", [1, 7, 15])
@pytest.mark.parametrize(("measure", "rows"), MEASURES)
def test_whole_weights_are_repeated_rows(measure, rows, bins):
    repeated = (np.repeat(one, TIMES, axis=0) for one in rows)
    expected = measure(*repeated, bins)
    assert measure(*rows, bins, weights=TIMES) == pytest.approx(expected, abs=1e-9)
    assert measure(*rows, bins, weights=(TIMES / 3).tolist()) == pytest.approx(expected, abs=1e-9)
    equal = measure(*rows, bins, weights=torch.full((N,), 0.3))
    assert equal == pytest.approx(measure(*rows, bins), abs=1e-9)


@pytest.mark.parametrize(("measure", "values"), [(nll, np.log(P + 1e-9)), (brier, P)])
def test_whole_weights_of_proper_scores_are_repeated_rows(measure, values):
    repeated = measure(*(np.repeat(one, TIMES, axis=0) for one in (values, LABELS)))
    assert measure(values, LABELS, weights=TIMES / 7) == pytest.approx(repeated, rel=1e-12)
    with pytest.raises(ArcalError, match="weights must be 200 numbers, one per input"):
        measure(values, LABELS, weights=TIMES[1:])


def test_an_impossible_label_without_weight_does_not_count():
    log_p, labels = torch.tensor([[1.0, 0.0], [0.5, 0.5]]).log(), torch.tensor([1, 0])
    assert nll(log_p, labels, weights=[0, 2]) == pytest.approx(0.693147, abs=1e-6)
    assert nll(log_p, labels, weights=[1, 2]) == float("inf")


def bins_by_numpy(confidence, correct, w, K=15):
    """The share of the weight, and the gap of weighted means, of each bin that has weight."""
    for k in range(K):
        above = (confidence > k / K + 1e-12) | (k == 0)
        B = above & (confidence <= (k + 1) / K + 1e-12)
        if w[B].sum() > 0:
            gap = np.average(correct[B], weights=w[B]) - np.average(confidence[B], weights=w[B])
            yield w[B].sum() / w.sum(), abs(gap)


def test_bins_of_equal_width_are_those_of_numpy():
    share, gap = np.array([*bins_by_numpy(CONFIDENCE, CORRECT, WEIGHTS)]).T
    pair = CONFIDENCE, CORRECT
    assert ece(*pair, weights=WEIGHTS) == pytest.approx((share * gap).sum())
    assert rmsce(*pair, weights=WEIGHTS) == pytest.approx((share * gap**2).sum() ** 0.5)
    assert mce(*pair, weights=WEIGHTS) == pytest.approx(gap.max())
    by_class = [
        sum(s * g for s, g in bins_by_numpy(P[:, z], z == LABELS, WEIGHTS)) for z in range(Z)
    ]
    assert class_wise_ece(P, LABELS, weights=WEIGHTS) == pytest.approx(np.mean(by_class), abs=1e-9)


def test_levels_are_those_of_numpy():
    found = by_level(CONFIDENCE, CORRECT, LEVELS, R, labels=LABELS, weights=WEIGHTS)
    plain = by_level(CONFIDENCE, CORRECT, LEVELS, R, labels=LABELS)
    assert torch.equal(found.count, plain.count)
    for r in range(R):
        own = np.equal(LEVELS, r)
        w = WEIGHTS[own]
        accuracy, confidence = (np.average(x[own], weights=w) for x in (CORRECT, CONFIDENCE))
        assert found.accuracy[r].item() == pytest.approx(accuracy)
        assert found.confidence[r].item() == pytest.approx(confidence)
        assert found.gap[r].item() == pytest.approx(confidence - accuracy)
        wrong = w[~CORRECT[own]].sum() / WEIGHTS[~CORRECT].sum()
        assert found.misclassified[r].item() == pytest.approx(wrong)
        expected = sum(s * g for s, g in bins_by_numpy(CONFIDENCE[own], CORRECT[own], w))
        assert found.ece[r].item() == pytest.approx(expected)


@pytest.mark.parametrize(("measure", "rows"), MEASURES)
@pytest.mark.parametrize("wrong", [[1.0], [-1.0] * N, [0.0] * N, [np.nan] * N, ["heavy"] * N])
def test_other_weights_raise(measure, rows, wrong):
    with pytest.raises(ArcalError, match="weights"):
        measure(*rows, weights=wrong)
    with pytest.raises(ArcalError, match="weights"):
        by_level(CONFIDENCE, CORRECT, LEVELS, R, weights=wrong)
