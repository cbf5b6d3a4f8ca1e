"""Inputs that belong together: copies count once, and intervals hold their figure."""

import numpy as np
import pytest
import torch

from arcal.auditing import (
    Estimate,
    Predictions,
    as_predictions,
    by_group,
    choose_calibrator,
    class_probability,
    difference,
    overall,
    posthoc_on_halves,
    reliability,
    under_shift,
)
from arcal.auditing._halves import folds_of
from arcal.auditing._measures import EvaluationSet
from arcal.calibration.clusters import Clusters, as_clusters
from arcal.calibration.draws import chance
from arcal.errors import ArcalError

COPIES = 4


def some(N: int, seed: int, right: float = 0.6) -> Predictions:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(N, 3, generator=generator, dtype=torch.float64) * 2
    wrong = torch.rand(N, generator=generator) >= right
    labels = (logits.argmax(1) + wrong.long()) % 3
    return as_predictions(logits=logits, labels=labels)


def copied(one: Predictions) -> Predictions:
    logits, labels = one.logits[0], one.labels
    return as_predictions(
        logits=logits.repeat_interleave(COPIES, 0), labels=labels.repeat_interleave(COPIES)
    )


def near(one: Estimate, other: Estimate) -> bool:
    """Whether two intervals are the same, but for the quantiles of Student's t that widen them."""
    ends = zip((one.value, one.low, one.high), (other.value, other.low, other.high), strict=True)
    return all(abs(a - b) <= 0.005 * other.width + 1e-9 for a, b in ends)


def clusters_of(N: int) -> torch.Tensor:
    return torch.arange(N).repeat_interleave(COPIES)


def test_copies_count_once():
    once, N = some(400, seed=1), 400
    alone, together = overall(once), overall(copied(once), clusters=clusters_of(N))
    for name in ("accuracy", "gap", "confidence", "nll", "brier"):
        assert near(getattr(together, name), getattr(alone, name)), name
    assert together.accuracy.n == N
    for name in ("ece", "smooth_ece", "aurc"):
        width = getattr(together, name).width / getattr(alone, name).width
        assert width == pytest.approx(1, abs=0.15), name


def test_copies_count_once_in_groups_bins_and_for_a_class():
    once, N = some(600, seed=2), 600
    groups, names = torch.arange(N) % 2, ["even", "odd"]
    alone = by_group(once, groups, names)
    both = copied(once), clusters_of(N)
    together = by_group(both[0], groups.repeat_interleave(COPIES), names, clusters=both[1])
    for one, other in zip(alone, together, strict=True):
        assert near(one.accuracy, other.accuracy)
        assert one.p == pytest.approx(other.p)
        assert one.verdict == other.verdict
    counts = reliability(both[0], clusters=both[1]).count
    assert torch.allclose(counts, reliability(once).count.double())
    frequency = class_probability(both[0], 1, clusters=both[1]).frequency
    assert near(frequency, class_probability(once, 1).frequency)


def test_copies_count_once_between_models_and_under_shift():
    one, other, N = some(500, seed=3), some(500, seed=4), 500
    other = as_predictions(logits=other.logits[0], labels=one.labels)
    alone = difference(one, other)
    together = difference(copied(one), copied(other), clusters=clusters_of(N))
    for name in ("accuracy", "gap", "nll", "brier", "aurc"):
        assert near(getattr(together, name), getattr(alone, name)), name
    fog = EvaluationSet(corruption="fog", intensity=3)
    shift = under_shift(one, {fog: other})
    shifted = under_shift(copied(one), {fog: copied(other)}, clusters=clusters_of(N))
    for name in ("accuracy", "nll"):
        assert near(getattr(shifted.by_set[fog], name), getattr(shift.by_set[fog], name)), name
        assert near(getattr(shifted.change, name), getattr(shift.change, name)), name


def test_chance_has_the_correlation_that_was_fitted():
    number, confidence = torch.arange(400).repeat_interleave(5), torch.full((2000,), 0.8)
    draws = chance(confidence.double(), 60, 7, Clusters(number, 0.5))
    right = torch.cat([*draws], dim=1)
    assert right.double().mean().item() == pytest.approx(0.8, abs=0.01)
    w = torch.ones(2000, dtype=torch.float64)
    fits = (as_clusters(number, confidence.double(), some, w) for some in right.T)
    assert np.mean([one.alike for one in fits if one is not None]) == pytest.approx(0.5, abs=0.03)


def test_a_cluster_is_in_one_fold():
    clusters = torch.arange(300) // 7
    fold = folds_of(torch.arange(300), torch.arange(300) % 3, 5, clusters=clusters)
    assert sorted(fold.unique().tolist()) == [0, 1, 2, 3, 4]
    pairs = torch.stack([fold, clusters]).unique(dim=1)
    assert pairs.shape[1] == len(clusters.unique())


def test_halves_and_folds_are_of_clusters():
    many = copied(some(150, seed=6, right=0.5))
    clusters = clusters_of(150)
    halves = posthoc_on_halves(many, clusters=clusters, resamples=200)
    assert halves.first is not None
    assert torch.equal(halves.first[::COPIES].repeat_interleave(COPIES), halves.first)
    chosen = choose_calibrator(many, calibrators=["temperature"], clusters=clusters, resamples=200)
    alone = choose_calibrator(many, calibrators=["temperature"], resamples=200)
    assert chosen.before.nll.width > 1.5 * alone.before.nll.width


def test_what_is_no_cluster_is_refused():
    once = some(20, seed=7)
    for wrong in (torch.arange(19), torch.full((20,), -1), torch.rand(20)):
        with pytest.raises(ArcalError, match="clusters"):
            overall(once, clusters=wrong)
    with pytest.raises(ArcalError, match="2 clusters are too few"):
        choose_calibrator(once, clusters=torch.arange(20) % 2)


def test_the_ece_by_chance_is_that_of_clusters_whose_errors_come_together():
    g = np.random.default_rng(0)
    number = np.repeat(np.arange(20), 30)
    c, bins, N = g.uniform(0.55, 0.95, 600), 15, 600
    right = g.uniform(size=20)[number] < c
    said = as_predictions(probabilities=np.stack([c, 1 - c], 1), labels=(~right).astype(int))
    found = overall(said, clusters=torch.from_numpy(number), resamples=1000).ece_if_calibrated

    together = as_clusters(number, said.confidence, said.correct, torch.ones(N).double())
    assert together is not None
    shared, k = together.alike**0.5, np.ceil(bins * c).astype(int) - 1
    eces = []
    for _ in range(2000):
        luck = np.where(g.uniform(size=N) < shared, g.uniform(size=20)[number], g.uniform(size=N))
        eces.append(np.abs(np.bincount(k, (luck < c) - c, bins)).sum() / N)
    assert found.value == pytest.approx(np.mean(eces), rel=0.06)  # 0.053; 0.034 if independent
    assert found.high == pytest.approx(np.quantile(eces, 0.95), rel=0.06)
