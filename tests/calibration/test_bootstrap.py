import math
from itertools import product

import numpy as np
import pytest
import torch

from arcal.calibration import (
    Bootstrap,
    Reliability,
    bootstrap,
    brier,
    class_wise_ece,
    debiased_ece,
    debiased_squared,
    ece,
    equal_mass_ece,
    nll,
)
from arcal.errors import ArcalError


def draw(n, seed=0, slope=1.0):
    generator = torch.Generator().manual_seed(seed)
    confidence = torch.rand(n, generator=generator, dtype=torch.float64) ** 0.3
    return confidence, torch.rand(n, generator=generator, dtype=torch.float64) < slope * confidence


def mean(values):
    return values.double().mean().item()


def debiased(*rows):
    return debiased_squared(Reliability().update(*rows))


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
    narrow = bootstrap(mean, correct, resamples=2000, confidence=0.5).percentile
    assert narrow[1] - narrow[0] == pytest.approx(2 * 0.6745 * half / 1.96, rel=0.1)


def test_intervals_are_order_statistics():
    found = bootstrap(mean, torch.arange(50.0), resamples=401, confidence=0.9)
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


def test_arrays_are_drawn_together():
    a = torch.arange(100)

    def pairs(a, b, c):
        assert torch.equal(a * 2, b)
        assert torch.equal(c[:, 1], a)
        return len(a.unique()) / 100

    found = bootstrap(pairs, a, a * 2, torch.stack([a, a], 1), resamples=100)
    assert found.estimate == 1
    assert mean(found.samples) == pytest.approx(1 - 0.99**100, abs=0.02)  # distinct rows of a draw


def test_every_measure_has_an_interval():
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(300, 4, generator=generator)
    labels = torch.randint(4, (300,), generator=generator)
    rows = logits.softmax(1), labels
    binary = draw(300)
    for measure, arrays in (
        (ece, binary),
        (equal_mass_ece, binary),
        (debiased, binary),
        (lambda *rows: debiased_ece(Reliability().update(*rows)), binary),
        (class_wise_ece, rows),
        (brier, rows),
    ):
        found = bootstrap(measure, *arrays, resamples=40)
        assert found.estimate == measure(*arrays)
        low, high = found.percentile
        assert low < high
        assert found.samples.isfinite().all()


def test_the_percentile_interval_of_an_ece_is_too_high_and_basic_mends_it():
    """Truth: sum_k P(B_k) E[.1 p | B_k] = .1 E[p] = .1/1.3."""
    truth, bounds, estimates = 0.1 / 1.3, [], []
    for seed in range(25):
        found = bootstrap(ece, *draw(400, seed, slope=0.9), resamples=40, confidence=0.9, seed=seed)
        bounds.append([found.percentile, found.basic])
        estimates.append(found.estimate)
    bias = np.mean(estimates) - truth
    middle = np.mean(bounds, (0, 2)) - truth
    assert bias > 0.005
    assert middle[0] > 1.4 * bias
    assert abs(middle[1]) < 0.5 * bias


def test_debiased_square_shifted_holds_0_for_calibrated_models_where_the_ece_never_does():
    held = np.zeros(2)
    for seed in range(25):
        rows = draw(400, seed)
        low, high = bootstrap(debiased, *rows, resamples=40, confidence=0.9, seed=seed).shifted
        held += [low <= 0 <= high, bootstrap(ece, *rows, resamples=9).percentile[0] <= 0]
    assert held[0] >= 22
    assert held[1] == 0


def test_equal_rows_leave_nothing_to_chance():
    found = bootstrap(ece, torch.full((50,), 0.75), torch.ones(50, dtype=torch.bool), resamples=20)
    assert found.percentile == found.basic == found.shifted == (0.25, 0.25)
    assert found.bias == 0


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ([], {}, "rows"),
        ([torch.zeros(0)], {}, "rows"),
        ([torch.tensor(0.5)], {}, r"\[0\] rows"),
        ([torch.zeros(2), torch.zeros(3)], {}, r"\[2, 3\] rows"),
        ([torch.zeros(2)], {"confidence": 1.0}, "confidence"),
        ([torch.zeros(2)], {"confidence": 95}, "confidence"),
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
    some = Bootstrap(1.0, torch.tensor([1, 2, 3, math.inf, math.inf]).double(), confidence=0.5)
    assert some.percentile == (2, math.inf)
