"""Facts and refusals of audits made in Python: bounds, attacks, categories, pixels."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import nn

import arcal

X, Y = torch.rand(40, 3, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 2


@dataclass(frozen=True)
class Mine:
    most: float = 2.0
    ours: Any = field(default_factory=arcal.BoundaryProjection, repr=False)

    def __call__(self, model, x, bounds):
        return self.ours(model, x, bounds)


@pytest.mark.parametrize(
    ("options", "facts"),
    [
        ({}, {}),
        ({"order": "margin", "bounds": (-1, 2)}, {}),
        ({"bounds": (-1, 2)}, {"Bounds": "-1 to 2"}),
        ({"bounds": None}, {"Bounds": "none: a number of an input may change to any other"}),
        (
            {"bounds": (torch.tensor([0.0, -1, 0]), torch.tensor([1.0, 1, 4]))},
            {"Bounds": "each number of an input has its own, in all -1 to 4"},
        ),
        ({"attack": "boundary-projection-quick"}, {"Attack": "boundary-projection-quick"}),
        ({"attack": Mine()}, {"Attack": "Mine(most=2.0), your own"}),
        (
            {"attack": arcal.BoundaryProjection(norm="linf")},
            {"Norm": "L-infinity: the greatest ch"},
        ),
    ],
)
@pytest.mark.parametrize("data", [(X, Y), [(X, Y)]])
def test_distances_that_are_not_the_usual_say_how_they_were_found(data, options, facts):
    audit = arcal.audit(nn.Linear(3, 2).eval(), data, R=2, **options)
    said = audit.as_json()["models"][0]["facts"]
    assert said.keys() == facts.keys()
    assert all(said[title].startswith(fact) for title, fact in facts.items())


class WithCategory(nn.Module):
    def __init__(self, embedding):
        super().__init__()
        self.embedding, self.linear = embedding, nn.Linear(5, 2)
        with torch.no_grad():
            self.linear.weight.fill_(0.01)
            self.linear.weight[0].neg_()
            self.linear.bias.copy_(torch.tensor([0.0, 50.0]))

    def forward(self, x):
        return self.linear(torch.cat([self.embedding(x[:, 0].long()), x[:, :2]], dim=1))


def one_hot(category):
    return nn.functional.one_hot(category, 4)[:, :3]


CATEGORIES = torch.cat([torch.arange(40).remainder(4)[:, None].float(), X], dim=1)


@pytest.mark.parametrize("of", [arcal.audit, arcal.score])
@pytest.mark.parametrize(
    ("embedding", "says"),
    [(nn.Embedding(4, 3), "index out of range"), (one_hot, "Class values must be")],
)
def test_an_attack_that_leaves_a_category_is_one_line(of, embedding, says, capfd):
    with pytest.raises(arcal.ArcalError, match=rf"takes the inputs and fails .*\({says}"):
        of(WithCategory(embedding).eval(), (CATEGORIES, Y), bounds=None)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("shape", [(3, 4, 4), (4, 4, 3), (4, 4)])
def test_pixels_are_doubted_by_a_calibration_as_by_an_audit(shape):
    pixels = torch.arange(40 * 48).remainder(256).view(40, 48).float()
    pixels = pixels[:, : torch.Size(shape).numel()].reshape(40, *shape)
    pixels[0] = 255
    model = nn.Sequential(nn.Flatten(), nn.Linear(pixels[0].numel(), 2)).eval()
    says = "divide them by 255"
    with pytest.raises(arcal.ArcalError, match=says):
        arcal.audit(model, (pixels, Y), R=2)
    audit = arcal.audit(model, (pixels, Y), order=None)
    calibration = arcal.calibrate(model, (pixels, Y), calibrators=["temperature"])
    for doubts in (audit.doubts, calibration.doubts):
        assert any("the images reach up to 255" in doubt and says in doubt for doubt in doubts)
