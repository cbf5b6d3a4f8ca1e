"""Scoring again during training ("on the fly", section 4), shard by shard.

The state that it starts from is saved first, and each shard when it is done, so a kill loses at
most a shard. The positions of a part are cut into blocks of `SHARD`, so a score does not depend on
how many processes share the work, nor on which shards existed already.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from arcal._version import __version__
from arcal.data import Part
from arcal.distributed import from_all
from arcal.errors import ArcalError
from arcal.store import RunFolder, load_tensors, save_tensors

if TYPE_CHECKING:
    from lightning_fabric import Fabric

log = logging.getLogger(__name__)

SHARD = 200

Scorer = Callable[[list[nn.Module], Part, Tensor], Tensor]
"""The robustness `(M, B)` of a part's inputs at positions `(B,)` by each of M members."""


@dataclass(frozen=True)
class Rescoring:
    """One re-scoring of M models; its shards are in `folder`, unless that is None."""

    rescore: Scorer
    models: list[nn.Module]
    fabric: "Fabric"
    folder: RunFolder | None

    def robustness(self, part: Part, name: str) -> Tensor:
        """The robustness `(M, N)` of a part, in the order of its positions; all processes call it.

        Shards of a re-scoring from the same checkpoint are not made again.
        """
        rank, world = self.fabric.global_rank, self.fabric.world_size
        blocks = torch.arange(len(part), device="cpu").split(SHARD)
        state, done = self.fabric.broadcast(self._before(name, blocks) if rank == 0 else ("", {}))
        missing = [number for number in range(len(blocks)) if number not in done]
        new: dict[int, Tensor] = {}
        for number in missing[rank::world]:
            new[number] = self.rescore(self.models, part, blocks[number]).cpu()
            if self.folder is not None:
                tensors = {"robustness": new[number]}
                save_tensors(self._shard(self.folder, name, number), tensors, state=state)
        for some in from_all(new) if world > 1 else [new]:
            done |= some
        return torch.cat([done[number] for number in range(len(blocks))], dim=1)

    def _before(self, name: str, blocks: tuple[Tensor, ...]) -> tuple[str, dict[int, Tensor]]:
        """The state that shards start from, and the shards made from it; others are deleted."""
        done: dict[int, Tensor] = {}
        if self.folder is None:
            return "", done
        state = blake2b(self.folder.checkpoint.read_bytes(), digest_size=16).hexdigest()
        state += f" {__version__}"
        for number, block in enumerate(blocks):
            path = self._shard(self.folder, name, number)
            if not path.exists():
                continue
            try:
                tensors, header = load_tensors(path)
                fits = tensors["robustness"].shape == (len(self.models), len(block))
            except (ArcalError, KeyError):
                fits, tensors, header = False, {}, {}
            if fits and header.get("state") == state:
                done[number] = tensors["robustness"]
            else:
                path.unlink()
        images = sum(len(blocks[number]) for number in done)
        if done:
            log.info(f"{images:,} images of {name} were re-scored before: {self.folder.rescoring}")
        return state, done

    def _shard(self, folder: RunFolder, name: str, number: int) -> Path:
        return folder.rescoring / name / f"{number:05}.safetensors"
