"""Scoring one part of a data set with the model of a run; the scores are saved in its folder.

The ids, in ascending order, are divided into blocks of `SHARD`. Each block is scored separately, in
batches that do not extend into the next block, and saved as a shard; the complete shards are merged
into the score file. So neither an interruption nor the number of processes changes a bit of it.
"""

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from arcal.attacks import BoundaryProjection, name_of, settings_of
from arcal.compute.processes import keep_memory, watched
from arcal.data import InMemory, Part, ReadAhead, as_input
from arcal.data.contents import check_evidence, evidence_of
from arcal.distributed import from_all
from arcal.errors import ArcalError
from arcal.files import locked
from arcal.orders import check_order
from arcal.robustness import Attack, Robustness, score
from arcal.store import SHARDS, RunFolder, load_scores, merge_scores, save_scores, score_facts
from arcal.training.saved_run import check_done, fingerprint_of, model_of, read_run

if TYPE_CHECKING:
    from lightning_fabric import Fabric

log: logging.Logger = logging.getLogger(__name__)

BATCH = 100
SHARD = 200
FORMAT = 2
"""Increased when a change of the code changes the scores."""


def score_run(
    folder: RunFolder,
    part: Part,
    name: str,
    order: str,
    *,
    attack: Attack | None = None,
    fabric: "Fabric | None" = None,
    progress: Callable[[int, int], object] = lambda done, total: None,
    loaders: int = 0,
) -> Robustness:
    """Score a part of the data by `order` with the model of a run, or read the existing scores.

    `name` is the name of the part in the score file, such as "test"; `attack` is by default
    `BoundaryProjection`. A run with several members is scored as their ensemble. The result has the
    order of the part's ids, the file is ascending by id. Finished shards are not scored again. The
    processes of `fabric`, by default one on the CPU, share the work through one file system; two
    calls that need the same file at the same time score it once. `progress` gets the number of
    images done and the total. Each process reads images ahead with `loaders` further processes.

    An unknown order, a run that is not finished, an empty part, existing scores of another model,
    data set or attack, and existing shards of another number of threads or type of device raise
    `ArcalError`.

    >>> from arcal.training import RECIPES, Run, data_of, train
    >>> size = {"images": 100, "validation": 100, "test_images": 100}
    >>> run = Run(recipe=RECIPES["small"].shortened(1), **size)
    >>> folder = train(run, "runs")
    >>> scores = score_run(folder, data_of(folder).test, "test", "margin")
    >>> scores.robustness.shape, bool((scores.robustness >= 0).all())
    (torch.Size([100]), True)
    """
    device = torch.device("cpu") if fabric is None else fabric.device
    scoring = _scoring(folder, part, name, order, attack, device, loaders)
    path, started = scoring.path, False
    if fabric is not None:
        from arcal.compute.device import all_call  # takes seconds to import

        started = all_call(fabric)
    if path.exists():
        log.info(f"{part.name} was scored before: {path}")
    if started or not path.exists():  # processes that run already must all take this branch
        if before := scoring.done():
            log.info(f"{before:,} of {len(part):,} images were scored before: {scoring.folder}")
        with watched(lambda: progress(scoring.done(), len(part))):
            if fabric is None or not (started or scoring.missing()):
                scoring.alone()
            else:
                scoring.together(fabric)
    elif (left := path.with_suffix(SHARDS)).exists():  # left by a process killed after merging
        with locked(_lock(path)):
            shutil.rmtree(left, ignore_errors=True)
    scores = load_scores(path, scoring.fingerprint)
    if not torch.equal(scores.ids.sort().values, part.ids.sort().values):
        raise ArcalError(f"{path} and {part.name} have different ids: delete it and score again")
    _check_files(path, part)
    progress(len(part), len(part))
    return scores.rows(scores.ids.argsort()[part.ids.argsort().argsort()])


def score_share(
    folder: RunFolder,
    part: Part,
    name: str,
    order: str,
    *,
    attack: Attack | None = None,
    share: int,
    of: int,
    device: torch.device,
    loaders: int = 0,
) -> None:
    """Score what is missing of one share of a part, `share` in [0, of), and keep its shards.

    For many independent workers: `score_run`, called afterwards, scores what is still missing and
    merges all shards. Other arguments and errors are those of `score_run`.
    """
    scoring = _scoring(folder, part, name, order, attack, device, loaders)
    if scoring.path.exists():
        return
    scoring.folder.mkdir(parents=True, exist_ok=True)
    with locked(scoring.folder / f".{share}-{of}.lock"):  # another command may be at it
        mine = range(share, len(scoring.blocks()), of)
        scoring.score(scoring.missing(mine), device)


def _scoring(
    folder: RunFolder,
    part: Part,
    name: str,
    order: str,
    attack: Attack | None,
    device: torch.device,
    loaders: int,
) -> "_Scoring":
    check_order(order)
    check_done([folder])
    attack = (attack or BoundaryProjection()) if order == "attack" else None
    fingerprint: dict[str, Any] = {
        "model": fingerprint_of(folder),
        "data": part.fingerprint(),
        "order": order,
        "format": FORMAT,
    }
    if attack is not None:
        fingerprint["attack"] = settings_of(attack)
    how = {"threads": torch.get_num_threads(), "device": device.type, "batch": BATCH}
    path = score_file(folder, name, order, attack)
    return _Scoring(folder, part, order, attack, path, fingerprint, how, loaders)


def _check_files(path: Path, part: Part, positions: Tensor | None = None) -> None:
    to_delete = path.parent if path.parent.suffix == SHARDS else "it"
    remedy = f"delete {to_delete} and score again"
    check_evidence(path, part, score_facts(path).get("files"), remedy, positions)


def score_file(folder: RunFolder, name: str, order: str, attack: Attack | None = None) -> Path:
    """The path of the scores of a part by an order, or by an attack for the order `attack`."""
    return folder.scores(
        name, name_of(attack or BoundaryProjection()) if order == "attack" else order
    )


@dataclass(frozen=True)
class _Scoring:
    """One scoring: what every process needs to score its share with the model of `run`.

    `fingerprint` says what is scored by what, `how` with which threads, device and batches.
    """

    run: RunFolder
    part: Part
    order: str
    attack: Attack | None
    path: Path
    fingerprint: dict[str, Any]
    how: dict[str, Any]
    loaders: int

    @property
    def folder(self) -> Path:
        return self.path.with_suffix(SHARDS)

    def blocks(self) -> tuple[Tensor, ...]:
        """The positions of the images of each shard, ascending by id."""
        return self.part.ids.argsort().split(SHARD)

    def shard(self, number: int) -> Path:
        return self.folder / f"{number:05}.parquet"

    def done(self) -> int:
        """The number of images scored so far."""
        if self.path.exists():
            return len(self.part)
        return min(len(list(self.folder.glob("*.parquet"))) * SHARD, len(self.part))

    def alone(self) -> None:
        """Score the missing shards on the CPU, and merge all."""
        keep_memory()
        with locked(_lock(self.path)):
            self.score(self.missing(), torch.device("cpu"))
            self.merge()

    def together(self, fabric: "Fabric") -> None:
        """Have the processes of `fabric` score the missing shards, and merge all."""
        from arcal.compute.device import run_on

        if (error := run_on(fabric, self.take_share)) is not None:
            raise error

    def take_share(self, fabric: "Fabric") -> Exception | None:
        """Score this process's share of the missing shards; the first process merges all shards.

        If one process fails, all return its error, so that none waits for it.
        """
        keep_memory()
        torch.set_num_threads(self.how["threads"])
        first = fabric.is_global_zero
        with locked(_lock(self.path)) if first else nullcontext():
            missing: Any = fabric.broadcast(_result_or_error(self.missing) if first else None)
            if isinstance(missing, Exception):
                return missing
            share = missing[fabric.global_rank :: fabric.world_size]
            own = _result_or_error(self.score, share, fabric.device)
            errors = from_all(own) if fabric.world_size > 1 else [own]
            error = next(filter(None, errors), None)
            if first and error is None:
                error = _result_or_error(self.merge)
            return fabric.broadcast(error)

    def missing(self, numbers: Iterable[int] | None = None) -> list[int]:
        """The shards to score, of all or of these; shards of another scoring raise `ArcalError`."""
        if self.path.exists():
            return []
        if not len(self.part):
            raise ArcalError(f"there is nothing to score: {self.part.name} is empty")
        missing, blocks = [], self.blocks()
        for number in range(len(blocks)) if numbers is None else numbers:
            shard, block = self.shard(number), blocks[number]
            if not shard.exists():
                missing.append(number)
                continue
            scores = load_scores(shard, self.fingerprint | self.how)
            if not torch.equal(scores.ids, self.part.ids[block]):
                raise ArcalError(f"{shard} has different ids: delete {self.folder} and score again")
            _check_files(shard, self.part, block)
        return missing

    def score(self, numbers: list[int], device: torch.device) -> None:
        """Score the shards of these numbers and save each when it is done."""
        model, blocks = model_of(self.run).to(device), self.blocks()
        seed = read_run(self.run).run.seeds[0]  # so that the order `random` differs by run
        batches = [batch for number in numbers for batch in blocks[number].split(BATCH)]
        lazy = not isinstance(self.part, InMemory)
        ahead = ReadAhead(self.part, batches, self.loaders if lazy else 0)
        for number in numbers:
            inputs = self._inputs(ahead, blocks[number], device)
            scores = score(model, inputs, self.order, attack=self.attack, seed=seed)
            about = self.fingerprint | self.how | _files(self.part, blocks[number])
            of = {"model": self.run.name, "data": self.part.name}
            save_scores(self.shard(number), scores, about, of=of)

    def _inputs(
        self, ahead: ReadAhead, block: Tensor, device: torch.device
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for rows in block.split(BATCH):
            yield self.part.ids[rows], as_input(ahead.images(rows), device), self.part.labels[rows]

    def merge(self) -> None:
        """Merge the shards into the score file, and remove them."""
        if not self.path.exists():
            shards = map(self.shard, range(len(self.blocks())))
            merge_scores(self.path, shards, **_files(self.part))
        shutil.rmtree(self.folder, ignore_errors=True)


def _lock(path: Path) -> Path:
    return path.with_name(f".{path.stem}.lock")


def _files(part: Part, positions: Tensor | None = None) -> dict[str, Any]:
    """What a score file records of the images' files, if they are files."""
    evidence = evidence_of(part, positions)
    return {"files": evidence} if evidence else {}


def _result_or_error(function: Callable[..., Any], *args: Any) -> Any:
    try:
        return function(*args)
    except (ArcalError, OSError) as error:
        return error
