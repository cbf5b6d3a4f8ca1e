"""What an attack that somebody else wrote returns is not taken on trust."""

from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn

import arcal
from arcal.attacks import ATTACKS, Adversarial, as_attack
from arcal.errors import ArcalError

X = torch.tensor([[0.75, 0.5], [0.25, 0.5], [0.875, 0.125]])  # the inputs are the logits
Y = torch.tensor([0, 1, 1])


@dataclass(frozen=True)
class Swapped:
    """Swaps the two logits, except of the last input; `changes` are made to what it returns."""

    changes: tuple[tuple[str, object], ...] = ()

    def __call__(self, model, x, bounds):
        success = torch.tensor([True, True, False])
        found = torch.where(success[:, None], x.flip(1), torch.nan)
        distance = (found - x).norm(dim=1).nan_to_num(torch.inf)
        result = Adversarial(distance, success, found, model(x).argmax(1), torch.ones(3).long())
        return replace(result, **dict(self.changes))


def test_a_true_one_is_taken_as_it_is():
    scores = arcal.score(nn.Identity(), (X, Y), attack=Swapped())
    assert scores.robustness.tolist() == pytest.approx([0.125**0.5, 0.125**0.5, torch.inf])
    assert scores.success is not None
    assert scores.success.tolist() == [True, True, False]
    assert arcal.distance(nn.Identity(), X[0]) == pytest.approx(0.25 / 2**0.5, rel=1e-3)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"distance": torch.ones(2)}, r"returned distance \(2,\) for 3 inputs: .* \(3,\)"),
        ({"x": X[:, :1]}, r"returned x \(3, 1\)"),
        ({"passes": 3}, "returned passes int"),
        ({"success": torch.ones(3)}, "returned success as torch.float32: give booleans"),
        ({"success": torch.tensor([True, True, True])}, "gives 1 of 3 inputs a distance without"),
        ({"distance": torch.tensor([0.4, torch.nan, torch.inf])}, "gives 1 of 3 inputs"),
        ({"distance": torch.tensor([0.4, -0.4, torch.inf])}, "gives 1 of 3 inputs"),
        ({"x": X}, "claims success on 2 of 3 inputs for whose x the model predicts the same"),
        ({"x": X.flip(1) + 3}, "outside the bounds"),
        ({"x": torch.full_like(X, torch.nan)}, "outside the bounds, or nan"),
        ({"predicted": Y}, "a `predicted` other than the model's own prediction for 1 of 3"),
    ],
)
def test_what_is_not_true_is_one_line(changes, says):
    with pytest.raises(ArcalError, match=says):
        arcal.score(nn.Identity(), (X, Y), attack=Swapped(tuple(changes.items())))


def test_arcals_own_verify_what_they_return_and_spend_no_passes_on_it():
    assert all(attack.VERIFIES for attack in ATTACKS.values())
    calls = []

    def counted(x):
        calls.append(len(x))
        return x

    attack = as_attack("boundary-projection-quick")
    attack(counted, X, (0.0, 1.0))
    alone = len(calls)
    arcal.score(counted, (X, Y), attack=attack)
    assert len(calls) == 2 * alone
