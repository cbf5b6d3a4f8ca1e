"""Robust accuracy against counts by hand."""

import pytest
import torch

from arcal.calibration import clopper_pearson, robust_accuracy
from arcal.errors import ArcalError

DISTANCE = torch.tensor([0.2, 0.0, 0.5, torch.inf, 0.2, 0.1])
CORRECT = torch.tensor([True, True, True, True, False, False])


def test_it_counts_what_is_right_and_farther_than_the_radius():
    radii = torch.tensor([0.0, 0.1, 0.2, 0.4, 0.5, 9.0])
    curve = robust_accuracy(DISTANCE, CORRECT, radii)
    counts = torch.tensor([4, 3, 2, 2, 1, 1])  # at 0 all that are right
    assert curve.accuracy.tolist() == pytest.approx((counts / 6).tolist())
    low, high = clopper_pearson(counts, torch.full_like(counts, 6))
    torch.testing.assert_close(curve.low, low)
    torch.testing.assert_close(curve.high, high)
    assert curve.n.tolist() == [6] * 6


def test_inputs_that_are_right_and_have_no_distance_are_counted():
    assert robust_accuracy(DISTANCE, CORRECT).without_distance == int(
        (DISTANCE.isinf() & CORRECT).sum()
    )
    assert robust_accuracy(DISTANCE[:3], CORRECT[:3]).without_distance == 0


def test_without_radii_the_curve_has_all_its_steps():
    curve = robust_accuracy(DISTANCE, CORRECT)
    assert curve.radii.tolist() == pytest.approx([0.0, 0.2, 0.5])
    assert curve.accuracy.tolist() == pytest.approx([4 / 6, 2 / 6, 1 / 6])
    assert (curve.accuracy.diff() < 0).all()
    nothing = robust_accuracy(DISTANCE, ~CORRECT | True)
    assert nothing.accuracy[0] == 1


@pytest.mark.parametrize(
    ("distance", "correct", "radii"),
    [
        (DISTANCE[:3], CORRECT, None),
        (DISTANCE, CORRECT.long(), None),
        (torch.tensor([torch.nan]), torch.tensor([True]), None),
        (torch.tensor([-1.0]), torch.tensor([True]), None),
        (DISTANCE[:0], CORRECT[:0], None),
        (DISTANCE, CORRECT, torch.tensor([-0.1])),
        (DISTANCE, CORRECT, torch.tensor([[0.1]])),
    ],
)
def test_bad_input_is_one_line(distance, correct, radii):
    with pytest.raises(ArcalError) as caught:
        robust_accuracy(distance, correct, radii)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("radius", [0.2, 0, torch.tensor(0.2)])
def test_one_radius_need_not_be_in_a_list(radius):
    one, few = (robust_accuracy(DISTANCE, CORRECT, some) for some in (radius, [float(radius)]))
    assert (one.radii.shape, one.accuracy.tolist()) == ((1,), few.accuracy.tolist())
    assert (one.low.tolist(), one.high.tolist()) == (few.low.tolist(), few.high.tolist())
