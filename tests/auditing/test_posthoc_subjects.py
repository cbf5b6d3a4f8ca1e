"""Subjects calibrated after training, against temperatures fitted and applied by hand."""

import math

import pytest
import torch

from arcal.auditing import (
    Predictions,
    as_answers,
    as_predictions,
    calibrated,
    ensemble,
    fit_posthoc,
    shift_sets,
    without_zeros,
)
from arcal.calibration.posthoc import POSTHOC, fit_temperature
from arcal.errors import ArcalError

FOG, SNOW = shift_sets(["fog-1", "snow-1"])
N, Z = 60, 3


def drawn(seed, members=1):
    labels = torch.randint(Z, (N,), generator=torch.Generator().manual_seed(0))
    draw = torch.Generator().manual_seed(seed + 1)
    logits = 3 * torch.randn(members, N, Z, generator=draw) + 2 * torch.eye(Z)[labels]
    return Predictions(torch.arange(N), labels, logits)


def by_hand(validation, predictions):
    """Log-probabilities over the temperature of the validation logits, float64 `(N, Z)`."""
    p = validation.logits.double().softmax(dim=2).mean(dim=0)
    T = fit_temperature(p.log(), validation.labels).T
    p = predictions.logits.double().softmax(dim=2).mean(dim=0)
    return (p.log() / T).log_softmax(dim=1)


@pytest.mark.parametrize("members", [1, 2])
def test_the_average_of_the_members_is_calibrated(members):
    validation, test = drawn(0, members), drawn(1, members)
    result = calibrated(fit_posthoc("temperature", validation, "a run"), test)
    assert result.logits.shape == (1, N, Z)
    torch.testing.assert_close(result.log_probabilities, by_hand(validation, test))
    assert torch.equal(result.ids, test.ids)
    assert torch.equal(result.labels, test.labels)


@pytest.mark.parametrize("name", POSTHOC)
def test_every_post_hoc_method_gives_probabilities_that_fit_the_validation_set_better(name):
    validation = drawn(0)
    result = calibrated(fit_posthoc(name, validation, "a run"), validation)
    p = result.log_probabilities.exp()
    torch.testing.assert_close(p.sum(dim=1), torch.ones(N, dtype=torch.float64))
    before, after = (
        (one.log_probabilities.exp() - torch.eye(Z)[one.labels]).square().sum()
        for one in (validation, result)
    )
    assert after < before


def test_what_cannot_be_fitted_names_the_run():
    validation = drawn(0)
    p = validation.log_probabilities
    perfect = Predictions(validation.ids, p.argmax(dim=1), validation.logits)
    with pytest.raises(ArcalError, match=r"^temperature of vanilla-s0-ab: all 60 .* correctly"):
        fit_posthoc("temperature", perfect, "vanilla-s0-ab")


def test_impossible_classes_stay_so_in_an_ensemble_and_after_a_calibrator():
    """Options that a question does not have were taken for rounded zeros, and made small."""
    draw = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(2, 200, 4, generator=draw, dtype=torch.float64)
    logits[:, ::2, 3] = -math.inf
    labels = torch.randint(3, (200,), generator=draw)
    runs = [as_predictions(logits=one, labels=labels) for one in logits]
    both = ensemble(runs)
    mended, _ = without_zeros(both)
    after = calibrated(fit_posthoc("temperature", mended, "both"), both)
    for one in (both, after):
        assert one.impossible
        finite, said = without_zeros(one)
        assert said is not None
        assert "impossible" in said
        assert (finite.log_probabilities.exp()[::2, 3] == 0).all()
    answers = as_answers(confidence=[0.5] * 200, correct=labels > 0)
    two = as_predictions(logits=torch.zeros(200, 2), labels=answers.labels)
    with pytest.raises(ArcalError, match="some of these runs are answers and some are not"):
        ensemble([two, answers])
