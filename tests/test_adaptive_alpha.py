"""The rule for alpha against simulated networks, the joint step against brute force."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from arcal.adaptive_alpha import (
    CAP,
    alpha_by_epochs_left,
    joint_step,
    with_sum,
)
from arcal.errors import ArcalError
from arcal.methods import ARAdaLS
from arcal.smoothing import AdaptiveLabelSmoothing

pytestmark = pytest.mark.processor

LOW = 0.1
labels = st.lists(st.floats(-1, 2), min_size=1, max_size=8).map(
    lambda p: torch.tensor(p, dtype=torch.float64)
)


@given(labels, st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_with_sum_meets_the_conditions_of_the_projection(label, share):
    """A common shift for all free labels; those at a bound would be beyond it by that shift."""
    total = len(label) * (LOW + share * (1 - LOW))
    found = with_sum(label, total, LOW)
    assert float(found.sum()) == pytest.approx(total, abs=1e-9)
    assert found.min() >= LOW
    assert found.max() <= 1
    moved, free = found - label, (found > LOW + 1e-9) & (found < 1 - 1e-9)
    if free.any():
        mu = moved[free][0]
        torch.testing.assert_close(moved[free], mu.expand(int(free.sum())), atol=1e-8, rtol=0)
        assert (moved[found <= LOW + 1e-9] >= mu - 1e-8).all()
        assert (moved[found >= 1 - 1e-9] <= mu + 1e-8).all()


def test_alpha_after_the_decay_is_spread_over_the_rest():
    tail = [alpha_by_epochs_left(t, 200, 80) for t in range(80, 200)]
    assert sum(tail) == pytest.approx(2)
    assert len(set(tail)) == 1
    assert alpha_by_epochs_left(15, 16, 16) == CAP


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=6), st.floats(0.01, 1))
@settings(max_examples=20, deadline=None)
def test_the_mean_label_follows_equation_3(gap, alpha):
    gap = torch.tensor(gap, dtype=torch.float64)
    label = torch.linspace(0.3, 1, len(gap), dtype=torch.float64)
    found = joint_step(label, gap, torch.full_like(gap, 1e-3), alpha, LOW)
    expected = (label.mean() - alpha * gap.mean()).clamp(LOW, 1)
    assert float(found.mean()) == pytest.approx(float(expected), abs=1e-9)


def test_levels_that_cannot_be_told_apart_do_not_wind_up():
    """A network that answers the mean label only: Eq. 3 drives levels to the bounds, we do not."""
    offset = torch.tensor([0.08, 0.0, -0.08], dtype=torch.float64)
    own = joint = torch.full((3,), 0.7, dtype=torch.float64)
    for _ in range(200):
        own = (own - 0.2 * (own.mean() - 0.6 + offset)).clamp(LOW, 1)
        gap = joint.mean() - 0.6 + offset
        joint = joint_step(joint, gap, torch.zeros(3, dtype=torch.float64), 0.2, LOW)
    assert own.min() == LOW
    assert own.max() == 1
    torch.testing.assert_close(joint, 0.6 - offset)


def predictions(epoch, ids):
    generator = torch.Generator().manual_seed(epoch)
    confidence = torch.rand(len(ids), generator=generator, dtype=torch.float64)
    return confidence, torch.rand(len(ids), generator=generator) < 0.2 + 0.1 * (ids % 4)


def test_a_joint_update_is_the_step_and_continues_to_the_bit():
    ids = torch.arange(80)

    def method():
        new = ARAdaLS(10, alpha="auto", update="joint", R=4, order="margin")
        new.begin(8, 5)
        return new

    whole = method()
    whole.assign("validation", ids, ids % 4)
    halfway = {}
    for epoch in range(8):
        if epoch == 3:
            halfway = {name: t.clone() for name, t in whole.state_dict().items()}
        before = whole.smoothing.soft_label.clone()
        confidence, correct = predictions(epoch, ids)
        whole.learn(ids, confidence, correct)
        difference = (confidence - correct.double()).view(-1, 4)
        gap, noise = difference.mean(0), difference.var(0, correction=0) / len(difference)
        alpha = alpha_by_epochs_left(epoch, 8, 5)
        expected = joint_step(before, gap, noise, alpha, 0.1 + 1e-6)
        torch.testing.assert_close(whole.smoothing.soft_label, expected)
    again = method()
    again.load_state_dict(halfway)
    for epoch in range(3, 8):
        again.learn(ids, *predictions(epoch, ids))
    assert torch.equal(again.smoothing.soft_label, whole.smoothing.soft_label)
    assert whole.smoothing.soft_label.max() < 1, "labels must have moved to test anything"


def test_a_level_without_validation_examples_keeps_its_label():
    smoothing = AdaptiveLabelSmoothing(4, 3, alpha=0.5, update="joint")
    smoothing.assign("validation", torch.arange(4), torch.tensor([0, 0, 2, 2]))
    smoothing.update(
        torch.full((4,), 0.9), torch.tensor([True, False, True, False]), torch.arange(4)
    )
    assert smoothing.soft_label.tolist() == pytest.approx([0.8, 1, 0.8])


def test_what_is_missing_or_unknown_is_said():
    with pytest.raises(ArcalError, match="call begin"):
        AdaptiveLabelSmoothing(4, alpha="auto").update(torch.tensor([0.5]), torch.tensor([True]))
    for length in ((5, 9), (5, -1)):
        with pytest.raises(ArcalError, match="epochs with the full learning rate"):
            AdaptiveLabelSmoothing(4, alpha="auto").begin(*length)
    with pytest.raises(ArcalError, match="update is 'all'"):
        AdaptiveLabelSmoothing(4, update="all")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ArcalError, match="alpha is 'fast'"):
        AdaptiveLabelSmoothing(4, alpha="fast")  # pyright: ignore[reportArgumentType]
