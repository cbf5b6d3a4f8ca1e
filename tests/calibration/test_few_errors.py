"""The interval of a mean over few errors, against scipy's exact ones and counted chances."""

import pytest
import torch
from scipy.stats import chi2, gamma, norm

from arcal.calibration import aurc_interval
from arcal.calibration.few_errors import errors_of, few_errors_interval


def ends(values, flipped, weights=None, **options):
    values, flipped = (torch.as_tensor(one, dtype=torch.float64) for one in (values, flipped))
    w = torch.ones_like(values) if weights is None else torch.as_tensor(weights).double()
    return few_errors_interval(values, flipped, values != 0, weights=w, **options)


@pytest.mark.parametrize("errors", [0, 1, 3, 20])
def test_of_a_count_it_is_the_exact_interval_of_poisson(errors):
    values = (torch.arange(500) < errors).double()
    variance = errors / 500**2
    low, high = ends(values, torch.ones(500), variance=variance)
    assert low == pytest.approx(chi2.ppf(0.025, 2 * errors) / 2 / 500 if errors else 0)
    assert high == pytest.approx(chi2.ppf(0.975, 2 * errors + 2) / 2 / 500)


def test_of_weighted_counts_it_is_that_of_fay_and_feuer():
    """Strata of other weights, where one more event is of the stratum that weighs most."""
    weights = torch.tensor([1.0, 2.0, 5.0]).double().repeat_interleave(40)
    values = torch.zeros(120).double()
    values[[0, 1, 2, 50, 51, 100]] = 1
    share = weights / weights.sum()
    y, v, most = (share * values).sum(), (share**2 * values).sum(), share.max()
    low, high = ends(
        values, torch.ones(120), weights, chance=(weights == 5).double(), variance=v.item()
    )
    assert low == pytest.approx(gamma.ppf(0.025, y**2 / v, scale=v / y))
    y, v = y + most, v + most**2
    assert high == pytest.approx(gamma.ppf(0.975, y**2 / v, scale=v / y))


def test_of_many_values_of_both_signs_it_is_the_normal_one():
    values = torch.randn(40_000, generator=torch.Generator().manual_seed(0)).double() + 0.1
    mean, reach = values.mean().item(), float(norm.ppf(0.975)) * values.std().item() / 200
    assert ends(values, values) == pytest.approx((mean - reach, mean + reach), abs=0.02 * reach)


def test_an_error_not_seen_is_drawn_by_the_weights():
    """Of 3 inputs of weight 1 and one of 5, none wrong: w is 5 for 5 of 8 that it stands for."""
    weights = torch.tensor([1.0, 1, 1, 5]).double()
    m, m2 = (3 / 8 * (1 / 8) ** k + 5 / 8 * (5 / 8) ** k for k in (1, 2))
    low, high = ends(torch.zeros(4), torch.ones(4), weights, variance=0.0)
    assert (low, high) == (0, pytest.approx(gamma.ppf(0.975, m**2 / m2, scale=m2 / m)))
    some = ends(torch.zeros(4), torch.ones(4), weights, chance=torch.full((4,), 0.1).double())
    assert some == pytest.approx((low, high))


def test_errors_that_weigh_much_are_few():
    correct = torch.arange(1000) >= 200
    assert errors_of(correct) == errors_of(correct, torch.full((1000,), 4.0)) == 200
    heavy = torch.where(torch.arange(1000) < 2, 50.0, 1.0)
    assert errors_of(correct, heavy) == pytest.approx((100 + 198) ** 2 / (2 * 50**2 + 198))
    assert errors_of(torch.ones(3, dtype=torch.bool), torch.ones(3)) == 0


def test_it_holds_the_aurc_where_inputs_that_are_sure_stand_for_many():
    """300 unsure inputs were all labelled and 100 sure ones are 100 each, wrong twice in 100."""
    generator = torch.Generator().manual_seed(0)
    sure = torch.arange(400) < 100
    weights, chance = torch.where(sure, 100.0, 1.0), torch.where(sure, 0.02, 0.5).double()
    confidence = torch.where(sure, 0.99, 0.5) + torch.linspace(0, 0.005, 400)
    many = torch.cat([torch.full((100,), 0.02), torch.full((300,), 0.5)]).double()
    order = confidence.argsort(descending=True)
    w = weights[order].double()
    true = (w @ ((w * many[order]).cumsum(0) / w.cumsum(0)) / w.sum()).item()
    held = 0
    for _ in range(200):
        correct = torch.rand(400, generator=generator) >= chance
        low, high = aurc_interval(confidence, correct, weights=weights)
        held += low <= true <= high
    assert held >= 0.93 * 200
