"""Where else to look: points around an input from which a search may find a nearer boundary."""

import torch
from torch import Tensor

from arcal.attacks.bounds import Bounds, clamped
from arcal.attacks.norms import Norm

FEW = 64
"""Entries of an input up to which there are few enough directions for drawn ones to help."""

GROUP = 8
"""Of so many points drawn, one starts a search."""


def around(
    x: Tensor, distance: Tensor, bounds: Bounds, points: int, turn: int, norm: Norm
) -> Tensor:
    """Points `(N, points, ...)` around inputs `(N, ...)`, others at each `turn`, within bounds.

    They fill the ball in which something nearer than `distance` `(N,)` is to be looked for: in D
    dimensions its radius is `sqrt(D / 2)` distances, or one if that is more, since a direction that
    is drawn leads to a given plane only at so many times its distance. Where the distance is
    infinite, radii rise from 1 % to 100 times the norm of the input, or 1 if that is more. The
    draws are the same for every input.
    """
    D = x[0].numel()
    generator = torch.Generator().manual_seed(turn)
    u = torch.randn(points // 2 + points % 2, D, generator=generator, dtype=torch.float64)
    u = torch.cat([u, -u])[:points]
    u = u / norm.length(u).unsqueeze(1)
    share = (torch.randperm(points, generator=generator).double() + 0.5).unsqueeze(1) / points
    inside = max(1, (D / 2) ** 0.5) * share ** (1 / D) * u
    anywhere = 10 ** (4 * share - 2) * u
    known = distance.isfinite().view(-1, 1, 1)
    size = distance.where(distance.isfinite(), norm.length(x.flatten(1)).clamp(min=1))
    offset = size.view(-1, 1, 1) * torch.where(known, inside.to(x), anywhere.to(x))
    return clamped(x.unsqueeze(1) + offset.view(len(x), points, *x.shape[1:]), bounds)


def promising(x: Tensor, points: Tensor, lead: Tensor, starts: int, norm: Norm) -> Tensor:
    """The best `starts` `(N, starts, ...)` of points `(N, P, ...)` with margins `lead` `(N P,)`.

    Of each group it is the nearest point of another class, or else the one of the smallest margin.
    """
    N, P = points.shape[:2]
    distance = norm.length((points - x.unsqueeze(1)).flatten(2))
    lead = lead.nan_to_num(torch.inf).view(N, P)
    tiny = torch.finfo(x.dtype).tiny
    rank = torch.where(lead < 0, -1 / distance.clamp(min=tiny), lead)
    which = rank.view(N, starts, -1).argmin(dim=2)
    which += torch.arange(0, P, P // starts, device=x.device)
    return points[torch.arange(N, device=x.device).unsqueeze(1), which]
