"""Calibration by robustness level, by hand."""

import dataclasses

import numpy as np
import pytest
import torch

from arcal.auditing import CLEAN, Predictions, Subject, figures_by_level
from arcal.errors import ArcalError
from arcal.robustness import Robustness

IDS = torch.tensor([10, 20, 30, 40])
LABELS = torch.tensor([0, 0, 1, 1])
# probability of class 0 in two runs
P = torch.tensor([[0.9, 0.6, 0.3, 0.6], [0.8, 0.3, 0.1, 0.4]], dtype=torch.float64)
ROBUSTNESS = torch.tensor([[0.4, 0.1, 0.3, 0.2], [0.4, 0.2, 0.1, 0.3]])


def subject(runs=2):
    logits = torch.stack([P, 1 - P], dim=-1).log()[:runs]
    return Subject(
        name="vanilla",
        predictions={CLEAN: [Predictions(IDS, LABELS, run[None]) for run in logits]},
        measures={},
        seeds=[(seed,) for seed in range(runs)],
        robustness=[
            Robustness("margin", IDS, run, None, LABELS, LABELS, LABELS)
            for run in ROBUSTNESS[:runs]
        ],
    )


def test_each_run_is_cut_by_its_own_ranking():
    levels = figures_by_level(subject(), R=2, Z=2)
    # run 0: level 0 is images 1 and 3 (.6 right, .6 wrong), level 1 is 0 and 2 (.9, .7, both right)
    # run 1: level 0 is images 2 and 1 (.9 right, .7 wrong), level 1 is 3 and 0 (.6, .8, both right)
    assert levels.R == 2
    assert levels.accuracy.tolist() == [[0.5, 1.0], [0.5, 1.0]]
    assert levels.confidence.numpy() == pytest.approx(np.array([[0.6, 0.8], [0.8, 0.7]]))
    assert levels.gap.numpy() == pytest.approx(np.array([[0.1, -0.2], [0.3, -0.3]]))
    assert levels.ece.numpy() == pytest.approx(np.array([[0.1, 0.2], [0.4, 0.3]]))
    assert levels.misclassified.tolist() == [[1.0, 0.0], [1.0, 0.0]]
    assert levels.class_share.tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert levels.weakest_gap.values == pytest.approx((-0.05, 0.0))
    assert levels.gap_size.values == pytest.approx((0.15, 0.3))


def test_the_variance_is_by_mean_rank_over_the_runs():
    # ranks 3 0 2 1 and 3 1 0 2: means 3, .5, 1, 1.5; so level 0 is images 1 and 2
    per_image = 2 * P.numpy().var(axis=0, ddof=1)
    expected = [per_image[[1, 2]].mean(), per_image[[0, 3]].mean()]
    levels = figures_by_level(subject(), R=2, Z=2)
    assert levels.variance is not None
    assert levels.variance.numpy() == pytest.approx(np.array(expected))
    # the runs predict 0 0 1 0 and 0 1 1 1: images 1 and 3 churn
    assert levels.stability["churn"] == pytest.approx([0.5, 0.5])


def test_one_run_has_no_variance():
    levels = figures_by_level(subject(runs=1), R=2, Z=2)
    assert levels.variance is None
    assert levels.stability == {}
    assert levels.gap.shape == (1, 2)


def test_what_is_not_of_the_same_images_or_runs_is_refused():
    whole = subject()
    other = [dataclasses.replace(one, ids=IDS + 1) for one in whole.robustness]
    with pytest.raises(ArcalError, match="different images"):
        figures_by_level(dataclasses.replace(whole, robustness=other), R=2, Z=2)
    for less in ({"robustness": ()}, {"robustness": whole.robustness[:1]}, {"predictions": {}}):
        with pytest.raises(ArcalError, match="robustness of each of its 2 runs: score"):
            figures_by_level(dataclasses.replace(whole, **less), R=2, Z=2)
