"""A tiny classifier with known answers, and inputs of it."""

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from arcal.audits._examples import Examples
from arcal.data import InMemory

CLASSES = ("dark", "light")
X, Y = torch.rand(40, 1, 4, 4, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 2
"""Images for a model of two classes, and their labels."""


class Brightness(nn.Module):
    """Images `(N, C, H, W)`: dark or light by the mean of their pixels, as logits `(N, 2)`.

    The boundary is the plane where the mean is .5, so the distance of an image is known.
    """

    def __init__(self, sharpness: float = 8.0):
        super().__init__()
        self.sharpness = nn.Parameter(torch.tensor(sharpness))

    def forward(self, x: Tensor) -> Tensor:
        lead = self.sharpness * (x.mean((1, 2, 3)) - 0.5)
        return torch.stack([-lead, lead], dim=1)


def distance(pixels: Tensor) -> Tensor:
    """The exact L2 distance of uint8 images to the boundary, where pixels need no clipping."""
    means = (pixels.double() / 255).mean((1, 2, 3))
    return (means - 0.5).abs() * pixels[0].numel() ** 0.5


def part(N: int = 60, size: int = 28, noise: float = 0.1) -> InMemory:
    """Grey images of mid brightness; one in ten has the other label."""
    generator = torch.Generator().manual_seed(0)
    brightness = 96 + 64 * torch.rand(N, 1, 1, 1, generator=generator)
    grain = noise * 32 * torch.randn(N, 1, size, size, generator=generator)
    pixels = (brightness + grain).clamp(0, 255).to(torch.uint8)
    labels = (pixels.double().mean((1, 2, 3)) > 127.5).long()
    labels[::10] = 1 - labels[::10]
    ids = torch.randperm(5 * N, generator=generator)[:N]
    return InMemory("tiny/test", ids, labels, CLASSES, pixels)


def examples(N: int = 60) -> Examples:
    return Examples.from_part(part(N))


def batches(x: Tensor, labels: Tensor) -> DataLoader:
    return DataLoader(TensorDataset(x, labels), batch_size=16)
