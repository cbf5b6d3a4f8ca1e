"""Attacked images of a linear classifier, whose smallest perturbations are known."""

import torch
from torch import nn

from arcal.attacks import BoundaryProjection
from arcal.auditing import attack_evenly
from arcal.data import InMemory
from arcal.robustness import score


class Linear(nn.Module):
    """Two classes, told apart by a plane in the middle of the unit cube."""

    def __init__(self):
        super().__init__()
        draw = torch.Generator().manual_seed(0)
        self.normal = nn.Parameter(torch.randn(16, generator=draw))

    def forward(self, x):
        side = (x.flatten(1) - 0.5) @ self.normal
        return torch.stack([side, -side], dim=1)


def test_images_are_spread_over_the_ranking_and_moved_to_the_plane():
    draw = torch.Generator().manual_seed(1)
    pixels = torch.randint(100, 156, (40, 1, 4, 4), dtype=torch.uint8, generator=draw)
    part = InMemory("toy/test", 5 * torch.arange(40), torch.arange(40) % 2, ("a", "b"), pixels)
    model, x = Linear().eval(), pixels.float() / 255
    scores = score(model, [(part.ids, x, part.labels)], "margin")
    shown = attack_evenly(model, part, scores, BoundaryProjection(), N=8)
    order = scores.robustness.argsort()
    rows = order[torch.linspace(0, 39, 8).round().long()]
    assert torch.equal(shown.ids, part.ids[rows])
    assert torch.equal(shown.estimate, scores.robustness[rows])
    assert torch.equal(shown.labels, part.labels[rows])
    torch.testing.assert_close(shown.x, x[rows])
    with torch.no_grad():
        logits, moved = model(shown.x), model(shown.adversarial)
        distance = ((x[rows].flatten(1) - 0.5) @ model.normal).abs() / model.normal.norm()
    assert torch.equal(shown.predicted, logits.argmax(dim=1))
    assert torch.equal(shown.becomes, moved.argmax(dim=1))
    assert (shown.becomes != shown.predicted).all()
    torch.testing.assert_close(shown.distance, distance, rtol=0.02, atol=1e-4)
    assert len(attack_evenly(model, part, scores, BoundaryProjection(), N=100).ids) == 40


def test_where_the_attack_fails_nothing_changes():
    pixels = torch.zeros(4, 1, 4, 4, dtype=torch.uint8)
    pixels[1:] = 255
    part = InMemory("toy/test", torch.arange(4), torch.zeros(4).long(), ("a", "b"), pixels)

    class Constant(nn.Module):
        def forward(self, x):
            zero = 0 * x.flatten(1).sum(dim=1)
            return torch.stack([zero, zero + 2], dim=1)

    model = Constant()
    x = pixels.float() / 255
    scores = score(model, [(part.ids, x, part.labels)], "margin")
    shown = attack_evenly(model, part, scores, BoundaryProjection(), N=4)
    assert shown.distance.isinf().all()
    assert shown.adversarial.isnan().all()
    assert shown.becomes.tolist() == shown.predicted.tolist() == [1] * 4
