"""Draws of the rows with replacement, many at a time, as counts: how often each row was drawn.

A figure that is computed from sums over rows is then a matrix product with the counts.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from arcal.calibration.clusters import Clusters
from arcal.errors import ArcalError

BLOCK = 2**18
"""Counts in memory at a time: more does not fit a processor's cache."""

MOST, LEAST, MANY = 1000, 200, 100_000


def usual_resamples(N: int) -> int:
    """How many draws of N inputs an interval uses: 1,000 up to 100,000 inputs.

    For more inputs it is 10^8 / N, but at least 200: by then the interval is narrow, and each end
    is known to a tenth of its half-width.

    >>> [usual_resamples(N) for N in (100, 100_000, 200_000, 1_000_000)]
    [1000, 1000, 500, 200]
    """
    return MOST if N <= MANY else max(LEAST, MOST * MANY // N)


def drawn_counts(
    N: int, resamples: int, seed: int, clusters: Clusters | None = None
) -> Iterator[Tensor]:
    """How often each of N rows is in each draw of N with replacement: `(N, b)` float64 blocks.

    The columns of all blocks together are the `resamples` draws of `bootstrap`, in its order. With
    `clusters`, as many whole clusters as there are are drawn instead of rows.

    >>> (counts,) = drawn_counts(3, resamples=2, seed=0)
    >>> counts.sum(dim=0)
    tensor([3., 3.], dtype=torch.float64)
    """
    generator = torch.Generator().manual_seed(seed)
    whole = _whole_numbers(N)  # int32 is counted faster, and draws the same numbers
    number = None if clusters is None else clusters.number.unique(return_inverse=True)[1]
    drawn = N if number is None else int(number.max()) + 1
    for b in block_sizes(N, resamples):
        rows = torch.randint(drawn, (b, drawn), generator=generator, dtype=whole, device="cpu")
        yield _counts(rows) if number is None else _counts(rows)[number]


def stored_counts(
    N: int, resamples: int, seed: int, clusters: Clusters | None = None
) -> list[Tensor]:
    """The blocks of `drawn_counts`, stored for reuse: uint8, in one piece of memory.

    >>> (counts,) = stored_counts(3, resamples=2, seed=0)
    >>> counts.dtype, counts.double().equal(next(drawn_counts(3, resamples=2, seed=0)))
    (torch.uint8, True)
    """
    memory = torch.empty(N * resamples, dtype=torch.uint8, device="cpu")
    sizes = [N * b for b in block_sizes(N, resamples)]
    stored = [piece.view(N, -1) for piece in memory.split(sizes)]
    for piece, counts in zip(stored, drawn_counts(N, resamples, seed, clusters), strict=True):
        piece.copy_(counts)
    return stored


def gathered(blocks: Iterable[Tensor], resamples: int, *shape: int) -> Tensor:
    """All blocks `(b, *shape)` as one float64 tensor `(resamples, *shape)`, allocated at once.

    Small results kept between large temporary ones would fragment memory: with many inputs the
    process would take many times what is in use.
    """
    rows, first = torch.empty(resamples, *shape, dtype=torch.float64, device="cpu"), 0
    for block in blocks:
        rows[first : first + len(block)] = block
        first += len(block)
    return rows


def counts_within(groups: Tensor, G: int, resamples: int, seed: int) -> Iterator[Tensor]:
    """Blocks as from `drawn_counts`, with each of `G` groups drawn from itself, so sizes stay.

    `groups` `(N,)` are 0 .. G-1. It is fastest if they are in ascending order.

    >>> (counts,) = counts_within(torch.tensor([0, 1, 0]), 2, resamples=4, seed=0)
    >>> counts[1], counts[0] + counts[2]
    (tensor([1., 1., 1., 1.], dtype=torch.float64), tensor([2., 2., 2., 2.], dtype=torch.float64))
    """
    N, order = len(groups), groups.argsort(stable=True)
    size = torch.bincount(groups, minlength=G)
    whole = _whole_numbers(N)
    first, size = (one[groups[order]] for one in ((size.cumsum(0) - size).to(whole), size.double()))
    in_order = bool((groups.diff() >= 0).all())
    generator = torch.Generator().manual_seed(seed)
    for b in block_sizes(N, resamples):
        draw = torch.rand(b, N, dtype=torch.float64, generator=generator, device="cpu")
        drawn = _counts(draw.mul_(size).to(whole).add_(first))
        if in_order:
            yield drawn
            continue
        counts = torch.empty(N, b, dtype=torch.float64, device="cpu")
        counts[order] = drawn
        yield counts


def chance(
    confidence: Tensor, resamples: int, seed: int, clusters: Clusters | None = None
) -> Iterator[Tensor]:
    """Whether each row is right, if its confidence is the chance of that: `(N, b)` bool blocks.

    Rows of the same cluster often share their luck, as `Clusters` describes.

    >>> (right,) = chance(torch.tensor([0.0, 1.0]), resamples=3, seed=0)
    >>> right
    tensor([[False, False, False],
            [ True,  True,  True]])
    """
    N, generator = len(confidence), torch.Generator().manual_seed(seed)
    # allocating memory for each block would take most of the time
    memory = torch.empty(0, dtype=torch.float64, device="cpu")
    for b in block_sizes(N, resamples):
        if memory.shape != (N, b):
            memory = torch.empty(N, b, dtype=torch.float64, device="cpu")
        luck = memory.uniform_(generator=generator)
        if clusters is not None:
            own = torch.rand(N, b, generator=generator, device="cpu") >= clusters.alike**0.5
            shape = (int(clusters.number.max()) + 1, b)
            shared = torch.rand(shape, dtype=torch.float64, generator=generator, device="cpu")
            luck = torch.where(own, luck, shared[clusters.number])
        yield luck < confidence[:, None]


def block_sizes(N: int, resamples: int) -> Iterator[int]:
    """The number of draws in each block, for `resamples` draws of N rows.

    >>> list(block_sizes(BLOCK // 4, resamples=10))
    [4, 4, 2]
    """
    if N < 1 or resamples < 1:
        raise ArcalError(f"{resamples} draws of {N} rows: at least one of each is needed")
    size = max(1, BLOCK // N)
    for first in range(0, resamples, size):
        yield min(size, resamples - first)


def _whole_numbers(N: int) -> torch.dtype:
    """An integer type that holds 0 .. N."""
    return torch.int32 if N < 2**31 else torch.int64


def _counts(rows: Tensor) -> Tensor:
    b, N = rows.shape
    if b == 1:  # many rows: no copies
        return torch.bincount(rows[0], minlength=N).double()[:, None]
    cells = rows + N * torch.arange(b, dtype=rows.dtype, device="cpu")[:, None]
    return torch.bincount(cells.flatten(), minlength=b * N).view(b, N).T.contiguous().double()
