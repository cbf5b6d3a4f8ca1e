"""How two models differ, against draws one by one and a world whose difference is known."""

import numpy as np
import pytest
import torch

from arcal.auditing import Predictions, difference, overall
from arcal.errors import ArcalError
from tests.auditing.drawn import drawn, relabelled, reordered

pytestmark = pytest.mark.processor

FIGURES = ("accuracy", "gap", "nll", "brier", "aurc")


def worse(predictions: Predictions, noise: float, seed: int = 1) -> Predictions:
    """Another model of the same inputs, whose logits have more noise."""
    generator = torch.Generator().manual_seed(seed)
    more = torch.randn(predictions.logits.shape, generator=generator, dtype=torch.float64)
    return Predictions(predictions.ids, predictions.labels, predictions.logits + noise * more)


def test_figures_are_differences_and_intervals_those_of_draws_one_by_one():
    one, other = drawn(300, sharpness=2), worse(drawn(300), 0.7)
    between = difference(one, other, than="old", resamples=20)
    rows = torch.randint(300, (20, 300), generator=torch.Generator().manual_seed(0))

    def figures(of: Predictions) -> dict[str, float]:
        return {name: getattr(overall(of, resamples=1), name).value for name in FIGURES}

    whole = figures(one), figures(other)
    samples = [(figures(reordered(one, row)), figures(reordered(other, row))) for row in rows]
    for name in FIGURES:
        estimate = getattr(between, name)
        assert estimate.value == pytest.approx(whole[0][name] - whole[1][name], abs=1e-9), name
        if name == "aurc":  # which is not drawn
            apart = np.std([a[name] - b[name] for a, b in samples])
            assert estimate.width == pytest.approx(2 * 1.96 * apart, rel=0.4)
        elif name != "accuracy":
            ends = np.quantile([a[name] - b[name] for a, b in samples], [0.025, 0.975])
            assert (estimate.low, estimate.high) == pytest.approx(tuple(ends), abs=1e-9), name
    assert between.than == "old"
    assert between.accuracy.value == pytest.approx(between.positive_flips - between.negative_flips)
    assert between.churn >= between.positive_flips + between.negative_flips


def test_what_is_hard_for_both_does_not_widen_an_interval():
    """Each model's own interval of the log-loss is wider than that of their difference."""
    one, other = drawn(600), worse(drawn(600), 0.1)
    between = difference(one, other, resamples=200)
    alone = overall(one, resamples=200).nll
    assert between.nll.width < alone.width / 4


def test_a_model_does_not_differ_from_itself():
    one = drawn(100)
    between = difference(one, one, resamples=20)
    assert (between.churn, between.nll.low, between.nll.high, between.aurc.value) == (0, 0, 0, 0)
    assert between.accuracy.low < 0 < between.accuracy.high  # not known to be equal elsewhere


def test_weights_count_inputs_as_often():
    one, other = drawn(80), worse(drawn(80), 1.0)
    twice = torch.cat([torch.arange(80), torch.arange(40)])
    weights = 1.0 + (torch.arange(80) < 40).double()
    weighed = difference(one, other, weights=weights, resamples=20)
    repeated = difference(reordered(one, twice), reordered(other, twice), resamples=20)
    for name in FIGURES:
        value = getattr(repeated, name).value
        assert getattr(weighed, name).value == pytest.approx(value, abs=1e-9), name
    assert weighed.churn == pytest.approx(repeated.churn)
    assert weighed.negative_flips == pytest.approx(repeated.negative_flips)
    assert weighed.accuracy.low < weighed.accuracy.value < weighed.accuracy.high


def test_an_infinite_loss_has_no_difference():
    masked = torch.tensor([[[0.0, -torch.inf], [0.0, 0.0]]])
    mine = Predictions(torch.arange(2), torch.tensor([1, 1]), masked)
    assert np.isnan(difference(mine, mine, resamples=5).nll.value)


def test_other_inputs_are_refused():
    one = drawn(20)
    for other in (drawn(20, seed=1), drawn(21), relabelled(one, 1 - one.labels.clamp(max=1))):
        with pytest.raises(ArcalError, match="give both the same ids and labels"):
            difference(one, other)
