"""Figures of predictions, against closed forms, numpy and scikit-learn."""

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from arcal.auditing import (
    CLEAN,
    MEASURES,
    OTHER_ECE,
    STABILITY,
    EvaluationSet,
    Predictions,
    ensemble,
    figures,
    measure,
    measure_set,
    shift_sets,
    stability,
)
from arcal.auditing._measures import ece_interval
from arcal.calibration import (
    class_wise_ece,
    confidence_and_correct,
    debiased_ece,
    ece_if_calibrated,
    equal_mass_ece,
)
from arcal.errors import ArcalError
from arcal.ranks import levels, mean_rank
from arcal.robustness import Robustness

pytestmark = pytest.mark.processor

N, Z = 60, 4
(FOG,) = shift_sets(["fog-1"])


def drawn(seed, members=1):
    """What members say of N inputs of Z classes."""
    draw = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(members, N, Z, generator=draw)
    return Predictions(torch.arange(N), torch.arange(N) % Z, logits)


def certain(confidence, correct):
    """Two classes, the true one 0; predicted with `confidence` right or wrong."""
    true = [c if right else 1 - c for c, right in zip(confidence, correct, strict=True)]
    p = torch.tensor([[a, 1 - a] for a in true], dtype=torch.float64)
    ids = torch.arange(len(p))
    return Predictions(ids, torch.zeros_like(ids), p.log()[None])


def scored(*robustness):
    """Of N images by as many models as tensors are given."""
    ids = torch.arange(N)
    return [Robustness("margin", ids, one, None, ids, ids, ids) for one in robustness]


@pytest.mark.parametrize(
    ("correct", "ece", "gap"),
    [
        ([True, True, True, False], 0.1, 0.0),  # two bins of two: |1 - .9| and |.5 - .6|
        ([True, True, True, True], 0.25, -0.25),  # |1 - .9| and |1 - .6|
    ],
)
def test_figures_by_hand(correct, ece, gap):
    values = figures(certain([0.9, 0.9, 0.6, 0.6], correct))
    assert values["accuracy"] == sum(correct) / 4
    assert values["confidence"] == pytest.approx(0.75)
    assert values["gap"] == pytest.approx(gap)
    assert values["ece"] == pytest.approx(ece)
    true = 0.6 if correct[3] else 0.4
    assert values["nll"] == pytest.approx(-(2 * math.log(0.9) + math.log(0.6 * true)) / 4)
    assert values["brier"] == pytest.approx(2 * (2 * 0.1**2 + 0.4**2 + (1 - true) ** 2) / 4)
    assert values["aurc"] == (1 - sum(correct) / 4) / 2  # of the less sure half


def test_figures_of_several_members_are_of_their_averaged_probabilities():
    predictions = drawn(0, members=3)
    values = figures(predictions)
    p = predictions.logits.double().softmax(dim=2).mean(dim=0)
    confidence, label = p.numpy().max(1), predictions.labels.numpy()
    correct = p.numpy().argmax(1) == label
    assert values["accuracy"] == pytest.approx(correct.mean())
    assert values["confidence"] == pytest.approx(confidence.mean())
    assert values["gap"] == pytest.approx((confidence - correct).mean())
    assert values["nll"] == pytest.approx(log_loss(label, p.numpy(), labels=range(Z)))
    assert values["brier"] == pytest.approx(((p.numpy() - np.eye(Z)[label]) ** 2).sum(1).mean())
    wrong = ~correct[np.argsort(-confidence)]
    assert values["aurc"] == pytest.approx((wrong.cumsum() / np.arange(1, N + 1)).mean())
    bin_of = np.ceil(15 * confidence)
    gaps = [abs((confidence - correct)[bin_of == k].sum()) for k in range(1, 16)]
    assert values["ece"] == pytest.approx(sum(gaps) / N)
    assert values["ece_class_wise"] == pytest.approx(class_wise_ece(p, predictions.labels))
    equal_mass = equal_mass_ece(*confidence_and_correct(p, predictions.labels))
    assert values["ece_equal_mass"] == pytest.approx(equal_mass)
    pair = confidence_and_correct(p, predictions.labels)
    assert values["ece_debiased"] == pytest.approx(debiased_ece(*pair))
    assert values["ece_if_calibrated"] == pytest.approx(ece_if_calibrated(pair[0]))
    assert tuple(values) == MEASURES + OTHER_ECE


def test_an_ensemble_has_the_members_of_all_runs():
    runs = [drawn(0), drawn(1, members=2)]
    both = ensemble(runs)
    p = torch.cat([run.logits for run in runs]).double().softmax(dim=2).mean(dim=0)
    torch.testing.assert_close(both.log_probabilities.exp(), p)
    measures = measure([drawn(0), drawn(1)])
    assert measures.ensemble == figures(ensemble([drawn(0), drawn(1)]))
    assert measures.runs == (figures(drawn(0)), figures(drawn(1)))
    first = drawn(0)
    wider = Predictions(first.ids, first.labels, torch.randn(1, len(first.ids), first.classes + 1))
    with pytest.raises(ArcalError, match="give runs of the same"):
        ensemble([first, wider])
    with pytest.raises(ArcalError, match="there are no runs"):
        ensemble([])


def test_one_run_has_no_ensemble_and_no_stability():
    measures = measure([drawn(0, members=2)], torch.arange(N) % 10)
    assert len(measures.runs) == 1
    together = (measures.ensemble, measures.stability, measures.stability_by_level)
    assert together == ({}, {}, {})


def test_stability_is_the_unbiased_variance_and_the_churn_of_pairs():
    runs = [drawn(seed) for seed in range(3)]
    p = np.stack([run.log_probabilities.exp().numpy() for run in runs])  # (runs, N, Z)
    fixed = p.mean(axis=0).argmax(axis=1)
    variance = p.var(axis=0, ddof=1)
    per_image = {
        "variance_all_classes": variance.sum(axis=1),
        "variance_fixed_class": variance[np.arange(N), fixed],
        "variance_own_maximum": p.max(axis=2).var(axis=0, ddof=1),
        "churn": np.mean([a != b for a, b in combinations(p.argmax(axis=2), 2)], axis=0),
    }
    cut = torch.arange(N) % 5
    whole, by_level = stability(runs, cut, 5)
    assert tuple(whole) == tuple(by_level) == tuple(per_image) == STABILITY
    for name, values in per_image.items():
        assert whole[name] == pytest.approx(values.mean())
        assert by_level[name] == pytest.approx([values[cut == r].mean() for r in range(5)])
    assert stability(runs, None, 5) == (whole, {})


def test_only_the_clean_set_has_intervals_and_what_else_is_known():
    run, known = drawn(0), [{"smoothing": 0.1}]
    (values,) = measure_set(CLEAN, [run], known=known).runs
    assert values == figures(run) | ece_interval(run) | known[0]
    assert 0 < values["ece_high"] - values["ece_low"] < 0.5
    assert measure_set(FOG, [run], known=known) == measure([run])


def test_test_sets_are_cut_into_levels_that_all_runs_share():
    runs = [drawn(0), drawn(1)]
    draw = torch.Generator().manual_seed(0)
    distances = torch.rand(2, N, generator=draw)
    robustness = scored(*distances)
    cut = levels(mean_rank(distances, torch.arange(N)), torch.arange(N), 4)
    _, expected = stability(runs, cut, 4)
    assert measure_set(FOG, runs, robustness, 4).stability_by_level == expected


def test_what_cannot_be_cut_into_levels_is_not():
    runs, robustness = [drawn(0), drawn(1)], scored(torch.rand(N), torch.rand(N))
    validation = EvaluationSet("validation", "fog", 1)
    for where, scores, R in ((validation, robustness, 4), (FOG, (), 4), (FOG, robustness, N + 1)):
        measures = measure_set(where, runs, scores, R)
        assert measures.stability
        assert not measures.stability_by_level
