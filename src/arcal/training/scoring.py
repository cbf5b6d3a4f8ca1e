"""Scoring one part of a data set with a run's model, kept in the run's folder.

The ids, ascending, are cut into blocks of `SHARD`. Each block is scored on its own, in batches that
never reach into the next, and written as a shard; when all are there they are merged into the score
file. So neither a kill nor the number of processes changes a bit of it.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from arcal.attacks import BoundaryProjection, name_of, settings_of
from arcal.compute.device import fabric_on, run_on
from arcal.compute.memory import keep_memory
from arcal.compute.watch import watched
from arcal.data import Part, as_input, batches
from arcal.errors import ArcalError
from arcal.files import locked
from arcal.robustness import Attack, Robustness, check_order, score
from arcal.store import SHARDS, RunFolder, load_scores, merge_scores, save_scores
from arcal.training.run import fingerprint_of, is_done, model_of, read_run

BATCH = 100
SHARD = 200
FORMAT = 1
"""Raised when a change of the code changes what is scored."""


def score_run(
    folder: RunFolder,
    part: Part,
    name: str,
    order: str,
    *,
    attack: Attack | None = None,
    fabric: Fabric | None = None,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Robustness:
    """Score `part` by `order` with the run's model, or read the score file that is there.

    A run of several members is scored as the ensemble they are. Scores come back in the order of
    the part's ids; the file is ascending by id. A file of another model, data or attack is refused.
    Finished shards are not scored again; they are refused if the number of threads or the kind of
    device is another. The processes of `fabric` (one CPU unless given) share the work on one file
    system; two calls that need the same file at the same time score once.
    """
    check_order(order)
    attack = attack or BoundaryProjection()
    if not is_done(folder):
        raise ArcalError(f"{folder.path} is not trained to its end: run `arcal train` again")
    path = score_file(folder, name, order, attack)
    fingerprint: dict[str, Any] = {
        "model": fingerprint_of(folder),
        "data": part.fingerprint(),
        "order": order,
        "format": FORMAT,
    }
    if order == "attack":
        fingerprint["attack"] = settings_of(attack)
    fabric = fabric or fabric_on("cpu")
    started = fabric.world_size > 1 and torch.distributed.is_initialized()
    if started or not path.exists():  # processes that run already must all go the same way
        if not len(part):
            raise ArcalError(f"there is nothing to score: {part.name} is empty")
        seed = read_run(folder).run.seeds[0]  # of the random order: runs differ in it as well
        how = {"threads": torch.get_num_threads(), "device": fabric.device.type, "batch": BATCH}
        model = model_of(folder)
        scoring = _Scoring(model, part, order, attack, seed, path, fingerprint | how)
        with watched(lambda: progress(scoring.done(), len(part))):
            error = run_on(fabric, scoring.take_share)
        if error is not None:
            raise error
    scores = load_scores(path, fingerprint)
    progress(len(part), len(part))
    at = scores.ids.argsort()[part.ids.argsort().argsort()]
    columns = {key: value[at] for key, value in vars(scores).items() if isinstance(value, Tensor)}
    return replace(scores, **columns)


def score_file(folder: RunFolder, name: str, order: str, attack: Attack | None = None) -> Path:
    """The score file of the part of this name by this order, or for `attack` by this attack."""
    return folder.scores(
        name, name_of(attack or BoundaryProjection()) if order == "attack" else order
    )


@dataclass(frozen=True)
class _Scoring:
    """What every process must know."""

    model: torch.nn.Module
    part: Part
    order: str
    attack: Attack
    seed: int
    path: Path
    fingerprint: dict[str, Any]

    @property
    def folder(self) -> Path:
        return self.path.with_suffix(SHARDS)

    @property
    def lock(self) -> Path:
        return self.path.with_name(f".{self.path.stem}.lock")

    def blocks(self) -> tuple[Tensor, ...]:
        """The positions of each shard's images, ascending by id."""
        return self.part.ids.argsort().split(SHARD)

    def shard(self, number: int) -> Path:
        return self.folder / f"{number:05}.parquet"

    def done(self) -> int:
        """How many images are scored."""
        if self.path.exists():
            return len(self.part)
        return min(len(list(self.folder.glob("*.parquet"))) * SHARD, len(self.part))

    def take_share(self, fabric: Fabric) -> Exception | None:
        """Score this process's share of the missing shards; the first process merges them all.

        A process whose share fails does not leave the others waiting: all return what went wrong.
        """
        keep_memory()
        torch.set_num_threads(self.fingerprint["threads"])
        first = fabric.is_global_zero
        with locked(self.lock) if first else nullcontext():
            missing: Any = fabric.broadcast(_tried(self.missing) if first else None)
            if isinstance(missing, Exception):
                return missing
            mine = missing[fabric.global_rank :: fabric.world_size]
            errors: list[Any] = [_tried(self.score, mine, fabric.device)]
            if fabric.world_size > 1:
                own, errors = errors[0], [None] * fabric.world_size
                torch.distributed.all_gather_object(errors, own)
            error = next(filter(None, errors), None)
            if first and error is None:
                error = _tried(self.merge)
            return fabric.broadcast(error)

    def missing(self) -> list[int]:
        """The shards that are still to be scored; one there that is of another scoring raises."""
        missing = []
        for number, block in enumerate([] if self.path.exists() else self.blocks()):
            shard = self.shard(number)
            if not shard.exists():
                missing.append(number)
            elif not torch.equal(load_scores(shard, self.fingerprint).ids, self.part.ids[block]):
                raise ArcalError(f"{shard} is of other ids: delete {self.folder} and score again")
        return missing

    def score(self, numbers: list[int], device: torch.device) -> None:
        """Score these shards and write each as it is done."""
        model, blocks, parent = self.model.to(device), self.blocks(), parent_process()
        attack = self.attack if self.order == "attack" else None
        for number in numbers:
            if parent is not None and not parent.is_alive():
                raise ArcalError("the process that began this scoring is gone: it stops")
            inputs = self._inputs(blocks[number], device)
            scores = score(model, inputs, self.order, attack=attack, seed=self.seed)
            save_scores(self.shard(number), scores, self.fingerprint)

    def _inputs(
        self, block: Tensor, device: torch.device
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for ids, images, labels in batches(self.part, BATCH, order=block):
            yield ids, as_input(images, device), labels

    def merge(self) -> None:
        """Make the score file from its shards, and remove them."""
        if not self.path.exists():
            merge_scores(self.path, map(self.shard, range(len(self.blocks()))))
        shutil.rmtree(self.folder, ignore_errors=True)


def _tried(act: Callable[..., Any], *args: Any) -> Any:
    """What `act` returns, or the error that it raises."""
    try:
        return act(*args)
    except (ArcalError, OSError) as error:
        return error
