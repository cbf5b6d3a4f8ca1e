"""Named random draws: every draw has its own generator, made from a seed and a name.

The generator is made anew from `(seed, name, epoch, ...)` whenever it is needed. So no state has to
be saved to resume a run exactly, and no draw affects another.
"""

from hashlib import sha256

import torch


def draw_seed(*name: str | int) -> int:
    """A seed in [0, 2^63) for this name, the same on every machine.

    >>> draw_seed(0, "order", 3)
    2723741169552378311
    """
    return int.from_bytes(sha256("/".join(map(str, name)).encode()).digest()[:8]) >> 1


def draw(*name: str | int) -> torch.Generator:
    """A CPU generator for this name, such as `draw(seed, "order", epoch)`."""
    return torch.Generator().manual_seed(draw_seed(*name))
