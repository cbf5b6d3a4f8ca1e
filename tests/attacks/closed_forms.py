"""Models to attack, distances by means that no attack uses, and what any result must satisfy."""

import math
from typing import Any

import numpy as np
import torch
from torch import nn

from arcal.attacks.model import margin, rounding
from arcal.attacks.norms import NORMS

L2 = NORMS["l2"]


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def between(bounds, u):
    """Inputs within bounds from `u` in [0, 1]."""
    lo, hi = bounds or (0.0, 1.0)
    return lo + (hi - lo) * u


def corners(*shape, seed=3):
    return torch.rand(*shape, generator=seeded(seed)).round()


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


def centred(seed, Z=5, hidden=16):
    """A random network whose Z logits have mean 0 and deviation 1 over [-1, 1]^2."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        last = nn.Linear(hidden, Z)
        model = nn.Sequential(
            nn.Linear(2, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), last
        )
        z = model(2 * torch.rand(500, 2) - 1)
        last.weight /= z.std(0)[:, None]
        last.bias.copy_((last.bias - z.mean(0)) / z.std(0))
    return model


@torch.no_grad()
def searched(model, point, bounds, radius=2.5, radii=250, angles=360, norm=L2):
    """The distance to the nearest flip on a polar grid around one point, and its resolution.

    Along each ray the first flip of the grid is refined by bisection. Rings beyond those of the
    nearest flip are not looked at.
    """
    y = model(point[None]).argmax()
    angle = torch.arange(angles) * 2 * math.pi / angles
    rays = torch.stack([angle.cos(), angle.sin()], dim=1)
    rays = rays / norm.length(rays).unsqueeze(1)
    step = radius / radii

    def flips(at):
        inside = (at >= bounds[0]) & (at <= bounds[1]) if bounds else torch.ones_like(at).bool()
        return (model(at.view(-1, 2)).argmax(1) != y).view(at.shape[:-1]) & inside.all(dim=-1)

    every = torch.arange(1, radii + 1).split(10)
    grids = ((rings, flips(point + step * rings.view(-1, 1, 1) * rays)) for rings in every)
    rings, grid = next(both for both in grids if both[1].any())
    rays = rays[grid.any(dim=0)]
    high = step * (rings[0] + grid.float().argmax(dim=0)[grid.any(dim=0)])
    low = high - step
    for _ in range(15):
        middle = (low + high) / 2
        beyond = flips(point + middle[:, None] * rays)
        low, high = torch.where(beyond, low, middle), torch.where(beyond, middle, high)
    nearest = high.min().item()
    return nearest, step + nearest * 2 * math.pi / angles


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


def assert_honest(found, model, x, bounds, norm=L2):
    """What is called a success flips the model, within the box; what is not is inf and NaN."""
    assert torch.equal(found.distance.isposinf(), ~found.success)
    assert torch.equal(found.x.flatten(1).isnan().all(dim=1), ~found.success)
    ok = found.success
    assert found.x[ok].isfinite().all()
    measured = norm.length((found.x - x)[ok].flatten(1)).float()
    torch.testing.assert_close(found.distance[ok], measured)
    if bounds and ok.any():
        assert found.x[ok].min() >= bounds[0]
        assert found.x[ok].max() <= bounds[1]
    with torch.no_grad():  # of other batches than those of the attack, so up to rounding
        clean, flipped = model(x.clone()), model(torch.where(found.x.isnan(), x, found.x))
    assert (margin(clean, found.predicted) >= -rounding(clean)).all()
    assert (margin(flipped, found.predicted) <= rounding(flipped))[ok].all()


def assert_same_distances(distance, expected):
    """The distances of the same inputs in another batch, whose kernels may round otherwise.

    A search may then end a step sooner or later, over a gain of .3 %.
    """
    apart = (distance / expected - 1).abs()
    assert (apart < 1e-3).float().mean() >= 0.9
    assert apart.max() < 0.02
