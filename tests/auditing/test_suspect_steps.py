"""A table whose categories are cut to whole numbers has distances of nearly 0, and a warning."""

import pytest
import torch
from torch import nn

import arcal
from arcal.auditing import suspect_steps


class Categories(nn.Module):
    def __init__(self, *, rounds):
        super().__init__()
        torch.manual_seed(0)
        self.rounds = rounds
        self.embedding, self.layer = nn.Embedding(7, 4), nn.Linear(7, 2)

    def forward(self, x):
        category = x[:, 0].round() if self.rounds else x[:, 0]
        return self.layer(torch.cat([self.embedding(category.long()), x[:, 1:]], dim=1))


@pytest.fixture
def table():
    torch.manual_seed(1)
    return torch.cat([torch.randint(0, 7, (100, 1)).float(), torch.randn(100, 3)], dim=1)


def test_what_is_cut_is_said_and_what_is_rounded_is_not(table):
    cuts, rounds = Categories(rounds=False).eval(), Categories(rounds=True).eval()
    assert "`.round().long()`" in (suspect_steps(cuts, table) or "")
    assert suspect_steps(rounds, table) is None
    labels = torch.arange(100) % 2
    attack, bounds = arcal.BoundaryProjection(budget=24, starts=2), (table.amin(0), table.amax(0))
    for model in (cuts, rounds):
        audit = arcal.audit(model, (table, labels), bounds=bounds, attack=attack)
        said = any("cuts whole numbers" in line for line in audit.doubts)
        assert said == (model is cuts)


@pytest.mark.parametrize("scale", [0.01, 1.0, 1000.0])
@pytest.mark.parametrize("layer", [nn.ReLU(), nn.Tanh(), nn.GELU()])
def test_counts_that_a_model_takes_as_numbers_are_no_steps(layer, scale):
    for seed in range(5):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(6, 32), layer, nn.Linear(32, 3)).eval()
        x = (torch.rand(100, 6) * scale * 10).round()
        assert suspect_steps(model, x) is None
