"""Calibrators on halves: what they are fitted on, what they are shown on, and that it is paired."""

import numpy as np
import pytest
import torch

from arcal.auditing import Estimate, Predictions
from arcal.auditing._halves import SHOWN, folds_of, posthoc_on_halves, simplest_of_the_best
from arcal.calibration import clopper_pearson, nll
from arcal.calibration.posthoc import POSTHOC, fit_temperature
from tests.auditing.drawn import drawn, relabelled, reordered

pytestmark = pytest.mark.processor


def states(found):
    """What each calibrator was fitted to, in bytes."""
    return {
        name: {key: value.tolist() for key, value in outcome.calibrator.state_dict().items()}
        for name, outcome in found.outcomes.items()
    }


@pytest.fixture(scope="module")
def sharp():
    return drawn(400, sharpness=2.5)


@pytest.fixture(scope="module")
def found(sharp):
    return posthoc_on_halves(sharp, resamples=60)


def halves(ids, labels, seed=0):
    return folds_of(ids, labels, 2, seed) == 0


@pytest.mark.parametrize("N", [9, 200, 401])
def test_halves_are_even_in_all_and_in_each_label(N):
    predictions = drawn(N)
    first = halves(predictions.ids, predictions.labels)
    assert abs(int(first.sum()) - int((~first).sum())) <= 1
    for label in range(3):
        own = predictions.labels == label
        assert abs(int((first & own).sum()) - int((~first & own).sum())) <= 1


def test_a_fit_never_sees_the_half_it_is_shown_on(sharp, found):
    """It is the fit of the first half alone, and other logits in the second leave every bit."""
    first = halves(sharp.ids, sharp.labels)
    assert set(SHOWN) == {*found.outcomes, *found.refused}
    some = sharp.log_probabilities[first], sharp.labels[first]
    for name, state in states(found).items():
        alone = POSTHOC[name](*some).state_dict()
        for key, value in alone.items():
            np.testing.assert_allclose(state[key], value.numpy(), rtol=1e-6, err_msg=name)
    logits = sharp.logits.clone()
    logits[:, ~first] = logits[:, ~first].flip(2) * 3
    other = posthoc_on_halves(Predictions(sharp.ids, sharp.labels, logits), resamples=2)
    assert states(other) == states(found)
    for name, outcome in found.outcomes.items():
        assert other.outcomes[name].nll.before.value > outcome.nll.before.value


def test_what_is_shown_is_the_other_half(sharp, found):
    first = halves(sharp.ids, sharp.labels)
    log_p = sharp.log_probabilities
    temperature = fit_temperature(log_p[first], sharp.labels[first])
    shown, labels = log_p[~first], sharp.labels[~first]
    outcome = found.outcomes["temperature"]
    assert (found.fitted_on, found.shown_on) == (int(first.sum()), int((~first).sum()))
    assert outcome.nll.before.value == pytest.approx(nll(shown, labels))
    assert outcome.nll.after.value == pytest.approx(nll(temperature(shown), labels))
    right = (shown.argmax(1) == labels).double().mean().item()
    assert outcome.accuracy.before.value == outcome.accuracy.after.value == pytest.approx(right)
    assert outcome.nll.before.n == found.shown_on
    ends = clopper_pearson([round(right * len(labels))], [len(labels)])
    for one in (outcome.accuracy.before, outcome.accuracy.after):
        assert (one.low, one.high) == pytest.approx([end.item() for end in ends])


def test_a_change_is_of_the_same_draws_before_and_after(sharp, found):
    first = halves(sharp.ids, sharp.labels)
    shown, labels = sharp.log_probabilities[~first], sharp.labels[~first]
    n = len(labels)
    generator = torch.Generator().manual_seed(0)
    draws = torch.randint(n, (60, n), generator=generator)
    for outcome in found.outcomes.values():
        after = outcome.calibrator(shown)
        loss = [-log_p.gather(1, labels[:, None])[:, 0] for log_p in (shown, after)]
        change = (loss[1] - loss[0])[draws].mean(1).numpy()
        low, high = np.quantile(change, [0.025, 0.975])
        assert outcome.nll.change.low <= low + 1e-6  # stretched, as few are wrong
        assert outcome.nll.change.high >= high - 1e-6
        assert outcome.nll.change.width < 1.3 * (high - low) or outcome.name == "irm"  # it says 1
        moved = int((after.argmax(1) != shown.argmax(1)).sum())
        assert outcome.changed == moved
        if outcome.keeps_accuracy:
            assert outcome.changed == 0
            change = outcome.accuracy.change
            assert (change.value, change.low, change.high) == (0, 0, 0)
    nlls = found.outcomes["temperature"].nll
    assert nlls.change.width < nlls.before.width


def test_planted_over_confidence_is_mended_and_the_simplest_that_keeps_accuracy_named(found):
    assert found.outcomes["temperature"].nll.change.sign == -1
    assert found.outcomes["temperature"].ece.change.sign == -1
    assert found.recommended == "temperature"


def test_the_simplest_is_named_unless_it_is_shown_to_be_worse_than_the_best():
    """As `choose_calibrator` does, so that an audit and `arcal calibrate` say the same."""
    losses = {"ets": 0.1, "temperature": 0.2}
    lower = {(name, "none"): Estimate(-0.2, -0.3, -0.1, 200) for name in losses}
    for least, expected in ((-0.01, "temperature"), (0.01, "ets")):
        behind = lower | {("temperature", "ets"): Estimate(0.05, least, 0.11, 200)}
        picked = simplest_of_the_best(losses, lambda *pair, of=behind: of[pair])
        assert picked == (expected, "ets")


def test_one_that_is_better_by_luck_does_not_hide_one_that_helps():
    behind = {
        ("irm", "none"): Estimate(-1.0, -2.0, 0.5, 200),
        ("temperature", "none"): Estimate(-0.2, -0.3, -0.1, 200),
    }
    losses = {"irm": 0.0, "temperature": 0.2}
    picked = simplest_of_the_best(losses, lambda *pair: behind[pair])
    assert picked == ("temperature", "temperature")
    assert simplest_of_the_best({"irm": 0.0}, lambda *pair: behind[pair]) == (None, "irm")
    assert simplest_of_the_best({}, lambda *pair: behind[pair]) == (None, None)


def test_validation_is_fitted_on_and_every_input_shown(sharp):
    validation = drawn(300, sharpness=2.5, seed=4)
    found = posthoc_on_halves(sharp, validation, resamples=2)
    assert (found.fitted_on, found.shown_on) == (300, 400)
    temperature = fit_temperature(validation.log_probabilities, validation.labels)
    after = nll(temperature(sharp.log_probabilities), sharp.labels)
    assert found.outcomes["temperature"].nll.after.value == pytest.approx(after)
    other = posthoc_on_halves(relabelled(sharp, sharp.predicted), validation, resamples=2)
    assert states(other) == states(found)


def test_weights_count_in_the_fit_and_where_it_is_shown(sharp, found):
    first = halves(sharp.ids, sharp.labels)
    weights = torch.arange(400) % 4
    weighted = posthoc_on_halves(sharp, weights=weights, resamples=2)
    of_first = sharp.log_probabilities[first], sharp.labels[first]
    fitted = fit_temperature(*of_first, weights=weights[first])
    calibrator = weighted.outcomes["temperature"].calibrator
    torch.testing.assert_close(calibrator.state_dict(), fitted.state_dict())
    assert abs(fitted.T - fit_temperature(*of_first).T) > 1e-3
    one_half = posthoc_on_halves(sharp, weights=(~first).double(), resamples=2)
    assert one_half.too_small == (
        "calibrators cannot be compared, as all inputs in one half weigh 0: give more inputs a "
        "weight"
    )
    rows = (~first).nonzero()[:, 0].repeat_interleave(weights[~first])
    repeated = nll(sharp.log_probabilities[rows], sharp.labels[rows])
    loss = weighted.outcomes["temperature"].nll.before
    assert loss.value == pytest.approx(repeated)
    w = weights[~first].double()
    assert loss.n == round((w.sum() ** 2 / (w**2).sum()).item())
    equal = posthoc_on_halves(sharp, weights=torch.full((400,), 3), resamples=60)
    for name, outcome in found.outcomes.items():
        ours, theirs = outcome.nll.change, equal.outcomes[name].nll.change
        assert (theirs.n, theirs.low, theirs.high) == pytest.approx((ours.n, ours.low, ours.high))


def test_too_little_says_so(sharp):
    few = posthoc_on_halves(reordered(sharp, torch.arange(199)))
    assert few.too_small == (
        "too few inputs to compare calibrators: 200 are needed, and there are 199; or give "
        "validation data"
    )
    assert (few.fitted_on + few.shown_on, few.outcomes, few.recommended) == (199, {}, None)
    assert posthoc_on_halves(reordered(sharp, torch.arange(200)), resamples=2).too_small is None
    given = posthoc_on_halves(sharp, reordered(sharp, torch.arange(99)))
    assert given.too_small == (
        "too few validation inputs to compare calibrators: 100 are needed, and there are 99"
    )
    weightless = posthoc_on_halves(sharp, weights=halves(sharp.ids, sharp.labels).double())
    assert weightless.too_small is not None
    assert "weigh 0" in weightless.too_small
    assert weightless.outcomes == {}
