"""The bins of reliability diagrams, against numpy and scipy."""

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from arcal.auditing import (
    CLEAN,
    Predictions,
    Subject,
    accuracy_interval,
    as_predictions,
    counts_if_calibrated,
    ensemble,
    reliability,
)

N = 200


def subject(runs):
    predictions = []
    for seed in range(runs):
        draw = torch.Generator().manual_seed(seed)
        logits = 2 * torch.randn(1, N, 4, generator=draw)
        predictions.append(Predictions(torch.arange(N), torch.arange(N) % 4, logits))
    return Subject("vanilla", {CLEAN: predictions}, {}, [(seed,) for seed in range(runs)])


def test_each_run_has_its_own_bins_and_the_ensemble_the_mean_probability():
    two = subject(2)
    p = np.stack([run.logits[0].double().softmax(dim=1).numpy() for run in two.clean])
    each = [reliability(run) for run in (*two.clean, ensemble(two.clean))]
    labels = two.clean[0].labels.numpy()
    for bins, probability in zip(each, (*p, p.mean(axis=0)), strict=True):
        top, right = probability.max(1), probability.argmax(1) == labels
        assert bins.count.sum() == N
        for k in range(15):
            inside = (top > k / 15) & (top <= (k + 1) / 15)
            assert bins.count[k] == inside.sum()
            if inside.any():
                assert float(bins.accuracy[k]) == pytest.approx(right[inside].mean())
                assert float(bins.confidence[k]) == pytest.approx(top[inside].mean())


def test_inputs_that_weigh_much_and_are_wrong_leave_fewer_in_a_bin():
    half = as_predictions(probabilities=[[0.75, 0.25]] * 5, labels=[1, 0, 0, 0, 0])
    weights = torch.tensor([4.0, 1, 1, 1, 1])
    bins = reliability(half, weights=weights)
    assert float(bins.accuracy[11]) == pytest.approx(0.5)
    assert float(bins.count[11]) == pytest.approx(0.5 * 0.5 * 64 / (16 * 0.25 + 4 * 0.25))
    assert float(counts_if_calibrated(half, weights=weights)[11]) == pytest.approx(64 / 20)
    assert torch.equal(counts_if_calibrated(half), reliability(half).count)


def test_the_interval_of_a_bin_is_scipys_exact_one():
    bins = reliability(subject(1).clean[0])
    low, high = accuracy_interval(bins)
    assert 0 < (bins.count == 0).sum() < 15, "some bins are empty"
    for k in range(15):
        if bins.count[k] == 0:
            assert low[k].isnan()
            assert high[k].isnan()
            continue
        exact = binomtest(int(bins.correct_sums[k]), int(bins.count[k])).proportion_ci()
        assert (float(low[k]), float(high[k])) == pytest.approx(tuple(exact), abs=1e-9)
