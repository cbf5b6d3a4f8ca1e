import math
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from arcal.calibration import (
    Bootstrap,
    act_above,
    aurc,
    auroc,
    bootstrap,
    bootstrap_ece,
    bootstrap_ece_by_group,
    debiased_ece,
    debiased_squared,
    ece,
    ece_if_calibrated,
    mce,
    nll,
    rmsce,
    selective_accuracy,
    smooth_ece,
)
from arcal.calibration.weighted import widening
from arcal.errors import ArcalError

ONES: Any = torch.ones(30)


def draw(n, seed=0, slope=1.0):
    generator = torch.Generator().manual_seed(seed)
    confidence = torch.rand(n, generator=generator, dtype=torch.float64) ** 0.3
    return confidence, torch.rand(n, generator=generator, dtype=torch.float64) < slope * confidence


def mean(values):
    return values.double().mean().item()


def test_draws_are_the_distribution_over_all_draws():
    """Three rows have 27 draws; the share of each mean is counted."""
    values = torch.tensor([0.0, 1.0, 5.0])
    found = bootstrap(mean, values, resamples=4000).samples
    every = np.array([np.mean(rows) for rows in product(values.tolist(), repeat=3)])
    for value in np.unique(every.round(9)):
        share = np.isclose(every, value).mean()
        error = (share * (1 - share) / 6000) ** 0.5
        assert abs(np.isclose(found, value).mean() - share) < 4 * error


def test_the_interval_of_an_accuracy_is_the_normal_one():
    correct = torch.arange(1000) < 800
    found = bootstrap(mean, correct, resamples=2000)
    half = 1.96 * (0.8 * 0.2 / 1000) ** 0.5
    assert found.estimate == mean(correct)
    assert found.percentile == pytest.approx((0.8 - half, 0.8 + half), abs=0.1 * half)
    assert found.basic == pytest.approx((0.8 - half, 0.8 + half), abs=0.1 * half)
    assert abs(found.bias) < 0.1 * half
    assert found.shifted == pytest.approx([end - found.bias for end in found.percentile])
    narrow = bootstrap(mean, correct, resamples=2000, level=0.5).percentile
    assert narrow[1] - narrow[0] == pytest.approx(2 * 0.6745 * half / 1.96, rel=0.1)


def test_intervals_are_order_statistics():
    found = bootstrap(mean, torch.arange(50.0), resamples=401, level=0.9)
    ascending = found.samples.sort().values
    assert found.percentile == (ascending[20].item(), ascending[380].item())
    assert found.basic == (
        2 * found.estimate - ascending[380].item(),
        2 * found.estimate - ascending[20].item(),
    )


def test_the_same_seed_draws_the_same_and_more_begin_alike():
    rows = draw(200)
    state = torch.get_rng_state()
    found = bootstrap(ece, *rows, resamples=50).samples
    assert torch.equal(bootstrap(ece, *rows, resamples=20).samples, found[:20])
    assert not torch.equal(bootstrap(ece, *rows, resamples=50, seed=1).samples, found)
    assert torch.equal(torch.get_rng_state(), state)


def test_debiased_square_shifted_holds_0_for_calibrated_models_where_the_ece_never_does():
    held = np.zeros(2)
    for seed in range(25):
        rows = draw(400, seed)
        low, high = bootstrap(debiased_squared, *rows, resamples=40, level=0.9, seed=seed).shifted
        held += [low <= 0 <= high, bootstrap(ece, *rows, resamples=9).percentile[0] <= 0]
    assert held[0] >= 22
    assert held[1] == 0


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ([], {}, "rows"),
        ([torch.zeros(0)], {}, "rows"),
        ([torch.tensor(0.5)], {}, r"\[0\] rows"),
        ([torch.zeros(2), torch.zeros(3)], {}, r"\[2, 3\] rows"),
        ([torch.zeros(2)], {"level": 1.0}, "level"),
        ([torch.zeros(2)], {"level": 95}, "level"),
        ([torch.zeros(2)], {"resamples": 0}, "resamples"),
        ([torch.full((2,), torch.nan)], {}, "nan"),
    ],
)
def test_refuses_bad_input_in_one_line(arrays, options, message):
    with pytest.raises(ArcalError, match=message) as error:
        bootstrap(mean, *arrays, **options)
    assert "\n" not in str(error.value)


def test_samples_that_are_infinite_have_ends():
    """As those of a log-loss where a label has a probability of 0."""
    rows = torch.tensor([[1.0, 0.0], [0.5, 0.5]]).log(), torch.tensor([1, 0])
    found = bootstrap(nll, *rows, resamples=200)
    assert found.percentile == (pytest.approx(math.log(2)), math.inf)
    some = Bootstrap(1.0, torch.tensor([1, 2, 3, math.inf, math.inf]).double(), level=0.5)
    assert some.percentile == (2, math.inf)


def test_weights_are_drawn_with_their_rows_and_widen_the_interval_as_in_an_audit():
    confidence, correct = draw(300, slope=0.9)
    weights = torch.arange(300) % 7 / 3
    found = bootstrap(ece, confidence, correct, weights=weights.tolist(), resamples=30)
    generator = torch.Generator().manual_seed(0)
    for sample in found.samples:
        rows = torch.randint(300, (300,), generator=generator)
        expected = ece(confidence[rows], correct[rows], weights=weights[rows])
        assert sample.item() == pytest.approx(expected, abs=1e-12)
    assert found.widening == widening(weights) > 1
    fast = bootstrap_ece(confidence, correct, weights=weights, resamples=30)
    assert fast.samples.numpy() == pytest.approx(found.samples.numpy(), abs=1e-12)
    assert fast.outer == pytest.approx(found.outer, abs=1e-12)
    by_group = bootstrap_ece_by_group(
        confidence, correct, torch.zeros(300).long(), 1, weights=weights
    )
    assert by_group[0].item() == pytest.approx(fast.estimate, abs=1e-12)


@pytest.mark.parametrize(
    ("measure", "options", "message"),
    [
        (
            lambda c, k: ece(c, k, ONES),
            {},  # type: ignore[arg-type]
            "not a Tensor.*as weights=",
        ),
        (act_above, {}, "does not take 2 arrays .*'accuracy'"),
        (debiased_ece, {"weights": torch.ones(30)}, "does not take 2 arrays and weights"),
        (lambda c, k: act_above(c, k, 0.9), {}, "gives a NoneType, not a number"),
        (selective_accuracy, {}, "gives a SelectiveAccuracy, not a number"),
        (ece, {"weights": torch.ones(3)}, "weights must be 30 numbers"),
    ],
)
def test_what_is_no_measure_of_these_arrays_raises_one_line(measure, options, message):
    with pytest.raises(ArcalError, match=message) as caught:
        bootstrap(measure, *draw(30), **options)
    assert "\n" not in str(caught.value)


def test_the_measures_named_in_the_docs_can_be_bootstrapped():
    p = torch.rand(60, 3, generator=torch.Generator().manual_seed(0)).softmax(1)
    labels = torch.arange(60) % 3
    pair = draw(60)
    found = [
        bootstrap(measure, *pair, resamples=3)
        for measure in (rmsce, mce, smooth_ece, aurc, lambda c, k: auroc(c[k], c[~k]))
    ]
    found.append(bootstrap(ece_if_calibrated, pair[0], resamples=3))
    found.append(bootstrap(nll, p.log(), labels, resamples=3))
    assert all(one.samples.isfinite().all() for one in found)
