"""Draws of the ECE, all at once, against draws one by one."""

from typing import Any

import numpy as np
import pytest
import torch

from arcal.calibration import (
    bootstrap,
    bootstrap_ece,
    bootstrap_ece_by_group,
    confidence_and_correct,
    ece,
    ece_by_chance,
    ece_if_calibrated,
)
from arcal.calibration.draws import counts_within, drawn_counts
from arcal.errors import ArcalError

pytestmark = pytest.mark.processor


def draw(n, seed=0, slope=1.0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    confidence = torch.rand(n, generator=generator, dtype=dtype) ** 0.3
    return confidence, torch.rand(n, generator=generator, dtype=dtype) < slope * confidence


def weighted_ece(confidence, correct, weights, K=15):
    """The formula, with every sum and count weighted."""
    c, y, w = confidence.double().numpy(), correct.numpy(), weights.numpy()
    k = np.maximum(np.ceil(c * K), 1)
    return sum(abs((w * (y - c))[k == i].sum()) for i in range(1, K + 1)) / w.sum()


def test_counts_are_the_draws_of_bootstrap():
    rows = []
    bootstrap(lambda i: float(rows.append(i) or 0), torch.arange(30), resamples=50)
    expected = torch.stack([torch.bincount(i, minlength=30) for i in rows[1:]], dim=1)
    blocks = list(drawn_counts(30, 50, seed=0))
    assert torch.equal(torch.cat(blocks, dim=1), expected.double())


def test_float64_confidences_give_the_same_to_rounding():
    rows = draw(500, slope=0.9)
    slow, fast = bootstrap(ece, *rows), bootstrap_ece(*rows)
    assert fast.estimate == pytest.approx(slow.estimate, abs=1e-12)
    torch.testing.assert_close(fast.samples, slow.samples, rtol=0, atol=1e-12)


def test_weights_of_whole_numbers_are_repeated_rows():
    confidence, correct = draw(300, slope=0.9)
    weights = torch.arange(300) % 4
    whole = torch.zeros(300, dtype=torch.int64), 1
    options = {"weights": weights, "resamples": 50}
    value, samples = bootstrap_ece_by_group(confidence, correct, *whole, **options)
    repeated = ece(confidence.repeat_interleave(weights), correct.repeat_interleave(weights))
    assert value.item() == pytest.approx(repeated)
    (counts,) = counts_within(*whole, 50, seed=0)
    for b in (0, 49):
        expected = weighted_ece(confidence, correct, weights * counts[:, b])
        assert samples[b].item() == pytest.approx(expected)


def test_ece_by_group_is_the_ece_of_each_and_its_draws_spread_as_bootstrap_s():
    confidence, correct = draw(1200, slope=0.85)
    groups = torch.randint(3, (1200,), generator=torch.Generator().manual_seed(1)) * 2
    value, samples = bootstrap_ece_by_group(confidence, correct, groups, 6)
    for group in (0, 2, 4):
        own = groups == group
        peer = bootstrap(ece, confidence[own], correct[own])
        assert value[group].item() == pytest.approx(peer.estimate, abs=1e-12)
        ours = samples[:, group]
        assert ours.mean().item() == pytest.approx(peer.samples.mean().item(), abs=0.002)
        assert ours.std().item() == pytest.approx(peer.samples.std().item(), rel=0.15)
    assert value[[1, 3, 5]].isnan().all()
    assert samples[:, [1, 3, 5]].isnan().all()


def test_ece_by_chance_has_the_mean_in_closed_form():
    """Equal confidences within a bin: the binomial of `ece_if_calibrated` is exact."""
    confidence = torch.tensor([0.7, 0.85, 0.99], dtype=torch.float64).repeat_interleave(60)
    groups = torch.zeros(180, dtype=torch.int64)
    draws = ece_by_chance(confidence, groups, 1, resamples=20_000)
    assert draws.mean().item() == pytest.approx(ece_if_calibrated(confidence), rel=0.02)


def test_how_often_the_outer_interval_holds_a_slight_miscalibration():
    """The upper end of the basic one is too low, and the percentile one is too high."""
    generator = torch.Generator().manual_seed(0)

    def drawn(N: int):
        z = 2 * torch.randn(N, 4, generator=generator, dtype=torch.float64)
        labels = z.softmax(1).multinomial(1, generator=generator)[:, 0]
        return confidence_and_correct((1.2 * z).softmax(1), labels)

    truth = ece(*drawn(1_000_000))
    held, basic, percentile, below = 0, 0, 0, 0
    for seed in range(100):
        draws = bootstrap_ece(*drawn(1000), resamples=100, seed=seed)
        held += draws.outer[0] <= truth <= draws.outer[1]
        basic += draws.basic[0] <= truth <= draws.basic[1]
        percentile += draws.percentile[0] <= truth <= draws.percentile[1]
        below += draws.basic[1] < truth
    assert held >= 85
    assert below > 2
    assert percentile < basic < held


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"weights": torch.ones(2)}, "weights must be 3 numbers"),
        ({"weights": torch.tensor([1.0, -1, 1])}, "found -1 at 1"),
        ({"weights": torch.tensor([1.0, 1, torch.nan])}, "found nan at 2"),
        ({"weights": torch.zeros(3)}, "all weights are 0"),
        ({"weights": [1.0, 1.0, 1e200]}, "weights reach 1e.200, whose square"),
        ({"weights": [1e-200] * 3}, "weights reach 1e-200, whose square"),
        ({"resamples": 0}, "0 draws of 3 rows"),
    ],
)
def test_refuses_bad_input_in_one_line(changed, message):
    rows = torch.tensor([0.5, 0.6, 0.7]), torch.tensor([True, False, True])
    with pytest.raises(ArcalError, match=message) as error:
        bootstrap_ece_by_group(*rows, torch.zeros(3, dtype=torch.int64), 1, **changed)
    assert "\n" not in str(error.value)
    groups = torch.tensor([0, 1, 1])
    wrong: list[Any] = [0, 1.5]
    for bins in wrong:  # 1.5 had the edges of no bins
        with pytest.raises(ArcalError, match="bins must be"):
            bootstrap_ece(*rows, bins)
        with pytest.raises(ArcalError, match="bins must be"):
            bootstrap_ece_by_group(*rows, groups, 2, bins=bins)
        with pytest.raises(ArcalError, match="bins must be"):
            ece_by_chance(rows[0], groups, 2, bins=bins)
    with pytest.raises(ArcalError, match="groups must be 0"):
        bootstrap_ece_by_group(*rows, torch.tensor([0, 1, 2]), 2)
