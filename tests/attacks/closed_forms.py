"""Models to attack, and the distances to their boundaries by means that no attack uses."""

from typing import Any

import numpy as np
import torch
from torch import nn


def linear(Z, features, seed=0):
    generator = torch.Generator().manual_seed(seed)
    layer = nn.Linear(features, Z)
    layer.weight.data = torch.randn(Z, features, generator=generator)
    layer.bias.data = torch.randn(Z, generator=generator)
    return nn.Sequential(nn.Flatten(), layer)


def smallest_step(x, offset, normal, bounds):
    """The smallest d with `offset + normal.d <= 0` and x + d in bounds, NaN where there is none.

    `x` and `normal` `(..., D)`, `offset` `(...)`, float64 arrays. At the optimum d is
    clip(-t normal) for one multiplier t > 0, found by bisection: normal.d falls as t grows.
    """
    lo, hi = bounds or (-np.inf, np.inf)
    low, high = np.zeros(offset.shape), np.full(offset.shape, 1e6)
    for _ in range(200):
        t = (low + high) / 2
        short = (normal * np.clip(-t[..., None] * normal, lo - x, hi - x)).sum(-1) > -offset
        low, high = np.where(short, t, low), np.where(short, high, t)
    d = np.clip(-high[..., None] * normal, lo - x, hi - x)
    solved = (normal * d).sum(-1) <= -offset * (1 - 1e-9)
    return np.where(solved[..., None], d, np.nan)


def exact_distance(model, x, bounds):
    """Distance from each x to the nearest decision boundary of a linear model, in a box or not."""
    W, b = model[1].weight.detach().double().numpy(), model[1].bias.detach().double().numpy()
    x = x.flatten(1).double().numpy()
    z = x @ W.T + b
    y = z.argmax(axis=1)
    d = smallest_step(x[:, None], z.max(axis=1)[:, None] - z, W[y][:, None] - W, bounds)
    distance = np.linalg.norm(d, axis=-1)
    distance[np.isnan(distance)] = np.inf
    distance[np.arange(len(y)), y] = np.inf
    return torch.tensor(distance.min(axis=1))


class Small(nn.Module):
    """Convolution and batch norm, with a layer that works in place and one of dropout."""

    def __init__(self, Z):
        super().__init__()
        self.net = nn.Sequential(
            nn.ReLU(inplace=True),
            nn.Conv2d(1, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Flatten(),
            nn.Linear(8 * 64, Z),
        )

    def forward(self, x):
        return self.net(x)


def small_network(Z=5) -> Any:
    """A `Small` in training mode, its batch norm statistics not the initial ones."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model: Any = Small(Z)
        for _ in range(20):
            model(torch.rand(32, 1, 8, 8))
        model.net[2].weight.data.uniform_(0.5, 2)
        model.net[6].weight.data *= 4
    return model


def small_images(N=40):
    return torch.rand(N, 1, 8, 8, generator=torch.Generator().manual_seed(4))


class Scaled(nn.Module):
    def __init__(self, model, scale):
        super().__init__()
        self.model, self.scale = model, scale

    def forward(self, x):
        return self.model(x) * self.scale
