"""Weights in the fits: as often as an input is counted, whatever their unit."""

import pytest
import torch

from arcal.calibration.posthoc import (
    POSTHOC,
    CalibrationSet,
    as_calibration_set,
    fit_batch_temperature,
    fit_spline,
    fit_temperature,
)
from arcal.errors import ArcalError

N, Z = 900, 4


@pytest.fixture(scope="module")
def given():
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(N, Z, generator=generator).double()
    labels = (logits / 2).softmax(1).multinomial(1, generator=generator)[:, 0]
    return logits, labels, torch.randint(4, (N,), generator=generator)


def fitted(name, logits, labels, weights=None):
    energy = -logits.logsumexp(1)
    return POSTHOC[name](logits.log_softmax(1), labels, energy=energy, weights=weights)


def alike(one, other, logits, within):
    log_p, energy = logits.log_softmax(1), -logits.logsumexp(1)
    apart = one(log_p, energy=energy).exp() - other(log_p, energy=energy).exp()
    return apart.abs().max().item() < within


@pytest.mark.parametrize("name", ["temperature", "ets", "irm", "irova-ts", "ebs"])
def test_a_weight_is_how_often_an_input_is_there(name, given):
    logits, labels, times = given
    rows = torch.arange(N).repeat_interleave(times)
    repeated = fitted(name, logits[rows], labels[rows])
    assert alike(fitted(name, logits, labels, times.double()), repeated, logits, 1e-6)
    assert not alike(fitted(name, logits, labels), repeated, logits, 1e-4)


@pytest.mark.parametrize("name", POSTHOC)
def test_weight_0_is_not_there_and_the_unit_does_not_matter(name, given):
    logits, labels, times = given
    some = (times > 1).double()
    left = fitted(name, logits[times > 1], labels[times > 1])
    assert alike(fitted(name, logits, labels, some), left, logits, 1e-9)
    plain = fitted(name, logits, labels)
    assert alike(fitted(name, logits, labels, torch.ones(N) * 1e-3), plain, logits, 1e-4)
    heavy = 1 + 9 * (labels == 0).double()
    assert not alike(fitted(name, logits, labels, heavy), plain, logits, 0.01)


def test_a_spline_follows_the_weighted_accuracy():
    """Where the confidence is s, inputs that weigh 3 are right, those that weigh 1 are wrong."""
    s = torch.linspace(0.55, 0.95, 500).repeat_interleave(2).double()
    log_p = torch.stack([s, 1 - s], 1).log()
    labels = torch.arange(1000) % 2
    weights = 3.0 - 2 * labels
    spline = fit_spline(log_p, labels, weights=weights)
    assert torch.allclose(spline(log_p).exp()[:, 0], torch.tensor(0.75).double(), atol=1e-6)
    plain = fit_spline(log_p, labels)
    assert torch.allclose(plain(log_p).exp()[:, 0], torch.tensor(0.5).double(), atol=1e-3)


def test_a_stream_begins_at_the_weighted_accuracy(given):
    logits, labels, times = given
    log_p, rows = logits.log_softmax(1), torch.arange(N).repeat_interleave(times)
    weighted = fit_batch_temperature(log_p, labels, weights=times)
    repeated = fit_batch_temperature(log_p[rows], labels[rows])
    right = (log_p.argmax(1) == labels).double()
    assert weighted.accuracy == pytest.approx((times * right).sum().item() / times.sum().item())
    assert abs(weighted.T - repeated.T) < 1e-6
    one, other = weighted.by_threshold, repeated.by_threshold
    assert one.threshold.score == pytest.approx(other.threshold.score)
    # fewer count than are there, so less is known of the accuracy
    assert one.loosest.score <= other.loosest.score
    assert one.strictest.score >= other.strictest.score
    assert weighted.estimate(log_p[rows]).accuracy == pytest.approx(weighted.accuracy, abs=1e-3)


def test_rows_keep_their_numbers_and_weights_their_place(given):
    logits, labels, times = given
    log_p = logits.log_softmax(1)
    log_p[7, 0] = -torch.inf
    log_p = log_p.log_softmax(1)
    weights = torch.ones(N)
    weights[7] = 0
    fit_temperature(log_p, labels, weights=weights)  # what does not count cannot be wrong
    weights[7], weights[:3] = 1, 0
    with pytest.raises(ArcalError, match="of input 7 hold -inf"):
        fit_temperature(log_p, labels, weights=weights)
    shared = as_calibration_set(logits.log_softmax(1), labels)
    with pytest.raises(ArcalError, match="its own"):
        fit_temperature(shared, shared.labels, weights=weights)
    with pytest.raises(ArcalError, match="weights must be 0 or more"):
        fit_temperature(logits.log_softmax(1), labels, weights=-weights)
    shared = CalibrationSet(logits.log_softmax(1), labels, times.double())
    assert len(shared) == int((times > 0).sum())
    assert shared.n == pytest.approx((times.sum() ** 2 / times.square().sum()).item())
    assert shared.mean(shared.labels.double()).item() == pytest.approx(
        (times * labels).sum().item() / times.sum().item()
    )
