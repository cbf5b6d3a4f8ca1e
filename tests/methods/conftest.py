import pytest
import torch
from torch import nn


class Recorder(nn.Module):
    """A small network that keeps its inputs, and whether it was in training mode."""

    def __init__(self, Z=4):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(12, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, Z)
        )
        self.seen, self.modes = [], []

    def forward(self, x):
        self.seen.append(x.detach().clone())
        self.modes.append(self.training)
        return self.layers(x)


@pytest.fixture
def network():
    """A small network for images of 3 x 2 x 2 and 4 classes, the same each time it is called."""
    return Recorder


@pytest.fixture
def batch():
    """Ids, images and labels of 9."""
    generator = torch.Generator().manual_seed(2)
    x = torch.rand(9, 3, 2, 2, generator=generator)
    return torch.arange(9) * 2, x, torch.randint(4, (9,), generator=generator)
