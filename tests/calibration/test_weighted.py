"""Measures of inputs that count by their weights."""

import pytest
import torch

from arcal.auditing import as_predictions, overall
from arcal.calibration import brier, confidence_and_correct, ece, nll
from arcal.errors import ArcalError

N = 500


@pytest.fixture
def some():
    generator = torch.Generator().manual_seed(0)
    log_p = torch.randn(N, 4, generator=generator, dtype=torch.float64).log_softmax(1)
    labels = torch.randint(4, (N,), generator=generator)
    times = torch.randint(4, (N,), generator=generator)
    return log_p, labels, times


def measures(log_p, labels, weights=None):
    confidence, correct = confidence_and_correct(log_p.exp(), labels)
    return {
        "ece": ece(confidence, correct, weights=weights),
        "nll": nll(log_p, labels, weights=weights),
        "brier": brier(log_p.exp(), labels, weights=weights),
    }


def test_a_weight_is_as_many_copies(some):
    log_p, labels, times = some
    copies = torch.arange(N).repeat_interleave(times)
    expected = measures(log_p[copies], labels[copies])
    assert measures(log_p, labels, times) == pytest.approx(expected, rel=1e-12)
    assert measures(log_p, labels, times.double() / 7) == pytest.approx(expected, rel=1e-12)
    assert measures(log_p, labels, torch.ones(N)) == pytest.approx(measures(log_p, labels))
    assert expected != pytest.approx(measures(log_p, labels))


def test_they_are_those_of_an_audit(some):
    log_p, labels, times = some
    audited = overall(as_predictions(logits=log_p, labels=labels), weights=times)
    for name, value in measures(log_p, labels, times).items():
        assert value == pytest.approx(getattr(audited, name).value, rel=1e-9)


def test_an_impossible_label_without_weight_does_not_count():
    log_p = torch.tensor([[1.0, 0.0], [0.5, 0.5]]).log()
    labels = torch.tensor([1, 0])
    assert nll(log_p, labels, weights=[0, 2]) == pytest.approx(0.693147, abs=1e-6)
    assert nll(log_p, labels, weights=[1, 2]) == float("inf")


def test_weights_that_are_none(some):
    log_p, labels, times = some
    for weights, line in (
        (times[1:], "weights must be 500 numbers, one per input"),
        (-times, "weights must be 0 or more"),
        (0 * times, "all weights are 0"),
    ):
        for measure in (
            lambda w: nll(log_p, labels, weights=w),
            lambda w: brier(log_p.exp(), labels, weights=w),
        ):
            with pytest.raises(ArcalError, match=line):
                measure(weights)
        with pytest.raises(ArcalError, match=line):
            ece(*confidence_and_correct(log_p.exp(), labels), weights=weights)
