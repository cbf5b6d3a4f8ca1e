import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from arcal.errors import ArcalError
from arcal.evaluation import MethodRuns, Predictions
from arcal.report.levels import levels_of, soft_labels_of, spearman
from arcal.robustness import Robustness

IDS = torch.tensor([10, 20, 30, 40])
LABELS = torch.tensor([0, 0, 1, 1])
# probability of class 0 in two runs
P = torch.tensor([[0.9, 0.6, 0.3, 0.6], [0.8, 0.3, 0.1, 0.4]], dtype=torch.float64)
ROBUSTNESS = torch.tensor([[0.4, 0.1, 0.3, 0.2], [0.4, 0.2, 0.1, 0.3]])


@pytest.fixture
def by_hand():
    logits = torch.stack([P, 1 - P], dim=-1).log()
    predictions = [Predictions(IDS, LABELS, of_run[None]) for of_run in logits]
    robustness = [
        Robustness("margin", IDS, of_run, None, LABELS, LABELS, LABELS) for of_run in ROBUSTNESS
    ]
    return MethodRuns("vanilla", [], [(0,), (1,)], predictions, robustness, {})


def test_each_run_is_cut_by_its_own_ranking(by_hand):
    found = levels_of(by_hand, R=2, Z=2)
    # run 0: level 0 is images 1 and 3 (.6 right, .6 wrong), level 1 is 0 and 2 (.9, .7, both right)
    # run 1: level 0 is images 2 and 1 (.9 right, .7 wrong), level 1 is 3 and 0 (.6, .8, both right)
    assert found.accuracy.tolist() == [[0.5, 1.0], [0.5, 1.0]]
    assert found.confidence.numpy() == pytest.approx(np.array([[0.6, 0.8], [0.8, 0.7]]))
    assert found.gap.numpy() == pytest.approx(np.array([[0.1, -0.2], [0.3, -0.3]]))
    assert found.ece.numpy() == pytest.approx(np.array([[0.1, 0.2], [0.4, 0.3]]))
    assert found.misclassified.tolist() == [[1.0, 0.0], [1.0, 0.0]]
    assert found.class_share.tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert found.weakest_gap.values == pytest.approx((-0.05, 0.0))
    assert found.gap_size.values == pytest.approx((0.15, 0.3))


def test_variance_is_by_mean_rank_over_the_runs(by_hand):
    # ranks 3 0 2 1 and 3 1 0 2: means 3, .5, 1, 1.5; so level 0 is images 1 and 2
    per_image = 2 * P.numpy().var(axis=0, ddof=1)
    expected = [per_image[[1, 2]].mean(), per_image[[0, 3]].mean()]
    found = levels_of(by_hand, R=2, Z=2).variance
    assert found is not None
    assert found.numpy() == pytest.approx(np.array(expected))


def test_one_run_has_no_variance(made):
    assert levels_of(made.runs(seeds=(0,)), 10, made.Z).variance is None


def test_robustness_of_other_images_is_refused(by_hand):
    other = [dataclasses.replace(r, ids=IDS + 1) for r in by_hand.robustness]
    with pytest.raises(ArcalError, match="different images"):
        levels_of(dataclasses.replace(by_hand, robustness=other), R=2, Z=2)


def test_soft_labels_start_at_one_and_are_the_mean_over_runs(made):
    runs = made.runs("ar-adals", {"R": 2}, seeds=(0, 1))
    logged = np.array([[record["epsilon"] for record in f.epochs()] for f in runs.folders])
    found = soft_labels_of(runs, Z=4)
    assert found is not None
    assert found.shape == (13, 2)
    assert found[0].tolist() == [1.0, 1.0]
    assert found[1:].numpy() == pytest.approx((1 - logged + logged / 4).mean(axis=0))


def test_a_fixed_method_has_no_soft_labels(made):
    assert soft_labels_of(made.runs(), Z=4) is None


@given(st.lists(st.tuples(*[st.integers(0, 5)] * 2), min_size=3, max_size=30))
def test_spearman_is_scipys(pairs):
    a, b = torch.tensor(pairs, dtype=torch.float64).T
    if len(set(a.tolist())) == 1 or len(set(b.tolist())) == 1:
        assert np.isnan(spearman(a, b))
    else:
        assert spearman(a, b) == pytest.approx(spearmanr(a, b)[0], abs=1e-12)


def test_spearman_ranks_what_is_infinite_highest():
    distance = torch.tensor([0.1, 0.2, torch.inf, 0.3])
    assert spearman(distance, torch.tensor([1.0, 2.0, 9.0, 3.0])) == pytest.approx(1)
