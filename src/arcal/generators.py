"""Seeds torch's global random generators for the length of a block."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the global generators while the block runs; afterwards they are as they were.

    `torch.manual_seed` alone would also seed the GPUs' generators, which `fork_rng(devices=[])`
    does not restore, even on a machine that has not used its GPU yet.

    >>> before = torch.get_rng_state()
    >>> with seeded(0):
    ...     torch.rand(1)
    tensor([0.4963])
    >>> torch.equal(before, torch.get_rng_state())
    True
    """
    gpus = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    # The state of Apple's GPU, which fork_rng cannot restore.
    before = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    with torch.random.fork_rng(devices=[*gpus]):
        (torch.manual_seed if gpus else torch.default_generator.manual_seed)(seed)
        if before is not None:
            torch.mps.manual_seed(seed)
        try:
            yield
        finally:
            if before is not None:
                torch.mps.set_rng_state(before)
