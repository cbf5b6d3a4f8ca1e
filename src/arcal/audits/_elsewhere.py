"""Blocks of a job that other processes do: they open the job anew, and keep what they have done."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from arcal.audits.blocks import Settings
from arcal.audits.engine import Blocks, Piece, Share
from arcal.console import console
from arcal.errors import ArcalError

Reopen = Callable[..., Any]
"""Called with `device=`, opens a job with its model there; can be pickled."""


@dataclass(frozen=True)
class BlocksElsewhere:
    """Does blocks of one job in a process that has to open it first, once.

    `model` and `data` are the fingerprints of what the job has here: where it has something else by
    then, `ArcalError` is raised.
    """

    reopen: Reopen
    kind: type[Blocks[Any]]
    model: str
    data: str
    settings: Settings

    def __call__(self, piece: Piece, device: torch.device) -> None:
        """Run a block on a device and keep it."""
        path, positions = piece[0], torch.tensor(piece[1])
        blocks = self._blocks(device)
        blocks.save(path, blocks.run(positions), positions)

    def _blocks(self, device: torch.device) -> Blocks[Any]:
        job = _opened(self.reopen, device)
        every = (job.examples, job.validation, *job.other)
        examples = next((one for one in every if one and one.content == self.data), None)
        if examples is None or job.fingerprint != self.model:
            what = "the data" if examples is None else job.name
            raise ArcalError(f"{what} was changed in the meantime: run the command again")
        return self.kind(job, examples, replace(self.settings, device=device))


_latest: dict[bytes, Any] = {}
"""The job that was opened last in this process, by how it is opened."""


def _opened(reopen: Reopen, device: torch.device) -> Any:
    key = pickle.dumps((reopen, device))
    if key not in _latest:
        _latest.clear()
        quiet, console.quiet = console.quiet, True  # the command itself shows what it opens
        try:
            _latest[key] = reopen(device=device)
        finally:
            console.quiet = quiet
    return _latest[key]


def share_of(blocks: Blocks[Any]) -> Share | None:
    """What has blocks of a job done by other processes; None where nothing shares them."""
    job, data = blocks.job, blocks.examples.content
    if job.sharing is None or job.reopen is None:
        return None
    elsewhere = BlocksElsewhere(job.reopen, type(blocks), job.fingerprint, data, blocks.settings)
    return partial(job.sharing, elsewhere)
