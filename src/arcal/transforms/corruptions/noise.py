"""Noise: Gaussian, shot, impulse and speckle. `x` is float64 `(B, C, H, W)` in [0, 1]."""

from torch import Tensor

from arcal.transforms.corruptions.draws import Draws


def gaussian_noise(x: Tensor, c: float, draws: Draws) -> Tensor:
    """Add normal noise with standard deviation `c` to every value."""
    return x + c * _normal(x, draws)


def shot_noise(x: Tensor, c: float, draws: Draws) -> Tensor:
    """Photon noise: a Poisson count with mean `c` times the value, divided by `c`."""
    return draws.poisson(x * c) / c


def impulse_noise(x: Tensor, c: float, draws: Draws) -> Tensor:
    """Salt and pepper: each value becomes 0 or 1 with probability `c / 2` each."""
    chance = draws.uniform(0, 1, *x.shape[1:])
    return x.masked_fill(chance < c, 0).masked_fill(chance < c / 2, 1)


def speckle_noise(x: Tensor, c: float, draws: Draws) -> Tensor:
    """Multiply every value by 1 plus normal noise with standard deviation `c`."""
    return x + x * (c * _normal(x, draws))


def _normal(x: Tensor, draws: Draws) -> Tensor:
    """Normal noise of the shape of `x`, drawn pixel by pixel with the channels innermost."""
    _, C, H, W = x.shape
    return draws.normal(H, W, C).movedim(-1, 1)
