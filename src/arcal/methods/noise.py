"""Gaussian noise on the training inputs, with a strength drawn for each."""

from typing import Any

import torch
from torch import Tensor

from arcal.methods.setting import Setting

NOISE = Setting(
    "add Gaussian noise to each training image, with a standard deviation drawn from U(0, noise) "
    "for pixels in [0, 1]; 0.1 is a start",
    above=0,
    at_most=10,
    name="noise",
    type=float | None,
)
"""A setting of all methods."""


def noisy(x: Tensor, noise: float, generator: torch.Generator | None = None) -> Tensor:
    """Images `(B, C, H, W)` in [0, 1] with Gaussian noise, clipped to [0, 1]:

        x~ = clip(x + sigma n, 0, 1),   sigma ~ U(0, noise) for each image,   n ~ N(0, 1)

    drawn by `generator` on the CPU, or by torch's global one. Noise is the oldest regulariser of
    this kind (Bishop 1995: to first order a penalty on the gradient); a sigma per image, as here,
    keeps clean images among those trained on. It overlaps with the corruptions: gaussian_noise of
    CIFAR-10-C has a sigma of 0.04 to 0.1, and shot, impulse and speckle noise are similar, so look
    at figures under shift without the noises, too.

    >>> x = torch.full((2, 1, 1, 2), 0.5)
    >>> noisy(x, 1e-6, torch.Generator().manual_seed(0)).sub(x).abs().max() < 1e-5
    tensor(True)
    """
    sizes = len(x), *(1,) * (x.ndim - 1)
    drawn: dict[str, Any] = {"generator": generator, "device": "cpu", "dtype": torch.float32}
    sigma = noise * torch.rand(sizes, **drawn)
    n = torch.randn(x.shape, **drawn)
    return (x + (sigma * n).to(x)).clamp(0, 1)
