"""Named random draws: every draw has a generator of its own, made from a seed and a name.

A generator is made anew from `(seed, name, epoch, ...)` each time it is needed, so nothing has to
be saved to continue a run exactly, and one draw never shifts another.
"""

from hashlib import sha256

import torch


def draw_seed(*name: str | int) -> int:
    """A seed in [0, 2^63) for this name, the same on every machine."""
    return int.from_bytes(sha256("/".join(map(str, name)).encode()).digest()[:8]) >> 1


def draw(*name: str | int) -> torch.Generator:
    """A CPU generator for this name, such as `draw(seed, "order", epoch)`."""
    return torch.Generator().manual_seed(draw_seed(*name))
