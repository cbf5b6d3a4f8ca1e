"""Auditing block by block, here or in other processes; finished blocks are kept."""

import logging
import pickle
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch
from torch import Tensor

from arcal._version import __version__
from arcal.arrays import digest_state
from arcal.attacks import Bounds, Inputs, frozen
from arcal.auditing import EvaluationSet, check_model
from arcal.audits._examples import Examples, check_within
from arcal.audits.blocks import Advance, Block, Settings, audit_block, score_block
from arcal.console import console
from arcal.data import InMemory, ReadAhead, as_input
from arcal.data.contents import evidence_of, is_evidence_of
from arcal.errors import ArcalError
from arcal.labelled_batches import has_ids, names_of, refuse_repeats, unpacked, usual_batch
from arcal.labels import as_labels
from arcal.loader_order import Copies
from arcal.robustness import Robustness
from arcal.store import (
    content_hash,
    load_scores,
    load_tensors,
    save_scores,
    save_tensors,
    score_facts,
)

if TYPE_CHECKING:
    from arcal.audits._job import Job

log: logging.Logger = logging.getLogger(__name__)

BLOCK = 200
PROBED, MANY = 8, 1000
"""Inputs a model runs on to be checked, and the most that an opaque model is recognised by."""
FORMAT = 2
"""Increased when a change to the code changes what is kept."""

Given = TypeVar("Given", Block, Robustness)
"""What is kept of a block of inputs: all that an audit shows, or only their scores."""

Piece = tuple[Path, list[int]]
"""A block to be done: the path to keep it at, and the positions of its inputs."""


def fingerprint_of_answers(job: "Job", examples: Examples) -> str:
    """A fingerprint of a model: of its name, its weights, and its logits on a few inputs.

    The code is represented by its logits on 8 inputs: to two digits, and their spread to three, so
    that the number of threads does not matter. Masked classes count as the lowest finite logit. If
    a model is `opaque`, a refit shows only there, so every digit counts, on up to 1,000 inputs.
    """
    digest = sha256(job.fingerprint.encode())
    digest_state(digest, job.model)
    if job.opaque:
        for some in examples.order()[:MANY].split(100):
            digest.update(_logits(job, examples, some).numpy().tobytes())
        return digest.hexdigest()[:16]
    logits = _logits(job, examples, examples.order()[:PROBED])
    logits = logits.clamp(min=logits[logits.isfinite()].min())
    spread = (logits.max() - logits.min()).clamp(min=1e-12)
    for rounded in (100 * logits / spread, 1000 * spread.log()):
        digest.update(rounded.round().int().numpy().tobytes())
    return digest.hexdigest()[:16]


@torch.no_grad()
def _logits(job: "Job", examples: Examples, positions: Tensor) -> Tensor:
    with frozen(job.model):
        some = job.read(examples, positions).to(job.settings.device)
        return job.model(some.parts).float().cpu()


class Blocks(ABC, Generic[Given]):
    """A model's results on some examples, in blocks: how a block is run, kept and read again."""

    suffix: str
    facts: Mapping[str, Any] = {}

    def __init__(self, job: "Job", examples: Examples, settings: Settings) -> None:
        self.job: Job = job
        self.examples: Examples = examples
        self.settings: Settings = settings
        self._ahead: ReadAhead | None = None

    def order(self) -> Tensor:
        """The positions of all inputs in the order in which they are done: the order on disk."""
        return torch.arange(len(self.examples), device="cpu")

    @abstractmethod
    def run(self, positions: Tensor, advance: Advance = lambda done: None) -> Given:
        """Run the inputs at these positions; `advance` is called with how many are done."""

    @abstractmethod
    def save(self, path: Path, block: Given, positions: Tensor) -> None:
        """Write a block that is done to a path."""

    @abstractmethod
    def load(self, path: Path, positions: Tensor) -> Given | None:
        """A block that was kept; None if a file of its images was replaced since."""

    def folder(self) -> Path | None:
        """The folder in the job's `work` for this model, data and settings; None without `work`."""
        if self.job.work is None:
            return None
        settings = {**self.settings.facts(), **self.facts}
        model, data = fingerprint_of_answers(self.job, self.examples), self.examples.content
        about = {"format": FORMAT, "arcal": __version__, "model": model, "settings": settings}
        return self.job.work / content_hash(about | {"data": data})

    def read_ahead(self, blocks: Sequence[Tensor]) -> None:
        """Start reading these blocks ahead, if they are images that are not in memory."""
        part = self.examples.part
        if part is not None and not isinstance(part, InMemory):
            self._ahead = ReadAhead(part, blocks, self.settings.loaders)

    def inputs(self, positions: Tensor) -> tuple[Tensor, Any, Tensor, Tensor | None]:
        """The ids, the model's inputs, the labels, and for images their pixels as uint8."""
        examples, part = self.examples, self.examples.part
        images = None if part is None else (self._ahead or part).images(positions)
        x = self.job.read(examples, positions) if images is None else as_input(images, "cpu")
        return examples.ids[positions], x, examples.labels[positions], images


class AuditBlocks(Blocks[Block]):
    """Everything that an audit computes, in the examples' random order; or predictions alone."""

    suffix = ".safetensors"

    def __init__(self, job: "Job", examples: Examples, settings: Settings) -> None:
        super().__init__(job, examples, settings)
        self.facts: Mapping[str, Any] = {} if settings.nearest else {"scores": True}

    def order(self) -> Tensor:
        return self.examples.order() if self.settings.nearest else super().order()

    def run(self, positions: Tensor, advance: Advance = lambda done: None) -> Block:
        ids, x, labels, images = self.inputs(positions)
        return audit_block(self.job.model, ids, x, labels, self.settings, images, advance)

    def save(self, path: Path, block: Block, positions: Tensor) -> None:
        save_block(path, block, evidence_of(self.examples.part, positions))

    def load(self, path: Path, positions: Tensor) -> Block | None:
        tensors, header = load_tensors(path)
        if not is_evidence_of(self.examples.part, header.get("files"), positions):
            return None
        return Block.from_tensors(tensors, [EvaluationSet(**where) for where in header["panel"]])


class ScoreBlocks(Blocks[Robustness]):
    """Scores alone, in the order on disk; logits, which may be too large to keep, are dropped."""

    suffix = ".parquet"
    facts: Mapping[str, Any] = {"scores": "alone"}

    def run(self, positions: Tensor, advance: Advance = lambda done: None) -> Robustness:
        ids, x, labels, _ = self.inputs(positions)
        return score_block(self.job.model, ids, x, labels, self.settings, advance)

    def save(self, path: Path, block: Robustness, positions: Tensor) -> None:
        save_scores(path, block, {"files": evidence_of(self.examples.part, positions)})

    def load(self, path: Path, positions: Tensor) -> Robustness | None:
        scores = load_scores(path)
        files = score_facts(path)["files"]
        return scores if is_evidence_of(self.examples.part, files, positions) else None


def in_order(
    blocks: Blocks[Given], advance: Advance = lambda done: None
) -> Iterator[tuple[Given, bool]]:
    """All blocks in their order, each with whether it was run (True) or read.

    A finished block is kept in the job's folder `work`, if it has one, and read by a later audit of
    the same model, data and settings. `advance` is called after each batch with the number of
    inputs done. If the job is shared, other processes do the missing blocks, and `advance` is
    called after each block.
    """
    folder, share = blocks.folder(), _share_of(blocks)
    ready: set[str] = set()
    if folder is not None:
        log.info(f"{blocks.examples.name}: finished work is kept in {folder}")
        ready = {path.name for path in folder.glob(f"*{blocks.suffix}")}
    every = [
        ((folder or Path()) / f"{number:05}{blocks.suffix}", positions)
        for number, positions in enumerate(blocks.order().split(BLOCK))
    ]
    missing = [(path, positions) for path, positions in every if path.name not in ready]
    others: Iterator[Piece] = iter(())  # the blocks that other processes do, as they are done
    if share is None:
        blocks.read_ahead([positions for _, positions in missing])
    elif folder is not None:
        others = share(((path, positions.tolist()) for path, positions in missing), folder)
    inputs_done, done_by_others = 0, set[str]()
    for path, positions in every:
        while path.name not in ready | done_by_others and (piece := next(others, None)) is not None:
            done_by_others.add(piece[0].name)
        run = path.name not in ready
        block = blocks.load(path, positions) if path.name in ready | done_by_others else None
        if block is None or not torch.equal(block.ids, blocks.examples.ids[positions]):
            block, run = blocks.run(positions, partial(further, advance, inputs_done)), True
            if folder is not None:
                blocks.save(path, block, positions)
        elif run:
            advance(inputs_done + len(positions))
        inputs_done += len(positions)
        yield block, run


def further(advance: Advance, before: int, done: int) -> None:
    """Call `advance` with the number of inputs done in all: `before`, and `done` since."""
    advance(before + done)


def from_loader(
    job: "Job", advance: Advance = lambda done: None, within: Bounds | None = None
) -> Iterator[tuple[Block, bool]]:
    """The blocks of an audit, one for each batch of the job's loader, all of which are run.

    Inputs without ids are numbered in the loader's order. The model is checked on the first batch,
    by `checked_classes`. Before each batch is run, its labels and ids are checked, and its inputs
    against the bounds `within`, if given. Errors in later batches name the batch. `advance` is
    called after each batch with the number of inputs done. Empty batches are skipped.
    """
    seen, settings = 0, job.settings
    known: set[int] = set()
    copies = Copies(job.loader)
    Z = 0
    for number, batch in enumerate(job.loader, start=1):
        try:
            ids, x, labels = unpacked(batch, seen, job.classes)
            if not len(ids):
                continue
            x = x.no_finer_than(job.model)
            if not has_ids(batch):
                copies.refuse(x, labels)
            if within is not None:
                check_within(x, within)
            if not seen:
                Z = checked_classes(job, x, labels)
                few = x.rows(slice(usual_batch(x, settings.device))).to(settings.device)
                job.look_at_scale(few)
                job.look_at_outputs()
            as_labels(labels, len(ids), Z)
            refuse_repeats(ids, known)
            job.names.update(zip(ids.tolist(), names_of(batch, len(ids)) or (), strict=False))
            further_on = partial(further, advance, seen)
            block = audit_block(job.model, ids, x, labels, settings, advance=further_on)
        except Exception as error:
            where = f"batch {number} of the loader, after {seen} inputs"
            if isinstance(error, ArcalError) and seen:
                raise type(error)(f"{where}: {error}") from error
            error.add_note(f"arcal: in {where}")
            raise
        seen += len(ids)
        yield block, True


@torch.no_grad()
def checked_classes(job: "Job", x: Inputs, labels: Tensor) -> int:
    """The number of classes that the job's model returns; one that does not fit is refused."""
    few = x.rows(slice(PROBED)).to(job.settings.device)
    Z = None if job.classes is None else len(job.classes)
    check_model(job.model, few, labels[:PROBED], Z)
    with frozen(job.model):
        Z = job.model(few.parts).shape[1]
    job.positive_class(job.classes or [*map(str, range(Z))])
    return Z


def save_block(path: Path, block: Block, files: dict[str, str]) -> None:
    """Write a block that is done, with `files`, which show later whether a file was replaced."""
    panel = [asdict(where) for where in block.shifted]
    save_tensors(path, block.tensors(), panel=panel, files=files)


Reopen = Callable[..., Any]
"""Called with `device=`, it opens a job with its model on that device; it can be pickled."""


@dataclass(frozen=True)
class BlocksElsewhere:
    """Does blocks of one job in another process, which opens the job first, once.

    `model` and `data` are the fingerprints in this process: if the opened job has others, it raises
    `ArcalError`.
    """

    reopen: Reopen
    kind: type[Blocks[Any]]
    model: str
    data: str
    settings: Settings

    def __call__(self, piece: Piece, device: torch.device) -> None:
        """Run a block on a device and keep the result."""
        path, positions = piece[0], torch.tensor(piece[1], device="cpu")
        blocks = self._blocks(device)
        blocks.save(path, blocks.run(positions), positions)

    def _blocks(self, device: torch.device) -> Blocks[Any]:
        job = _opened(self.reopen, device)
        every = (job.examples, job.validation, *job.other)
        known = (one for one in every if isinstance(one, Examples))
        examples = next((one for one in known if one.content == self.data), None)
        if examples is None or job.fingerprint != self.model:
            drawn = [one.sentence for one in job.caveats if one.about == "weights"]
            if examples is not None and drawn:
                raise ArcalError(
                    f"{job.name} is a different model in each process that shares the work: "
                    f"{drawn[0]}"
                )
            what = "the data" if examples is None else job.name
            raise ArcalError(f"{what} was changed in the meantime: run the command again")
        return self.kind(job, examples, replace(self.settings, device=device))


_latest: dict[bytes, Any] = {}
"""The job that was opened last in this process, by its pickled `reopen` and device."""


def _opened(reopen: Reopen, device: torch.device) -> Any:
    key = pickle.dumps((reopen, device))
    if key not in _latest:
        _latest.clear()
        quiet, console.quiet = console.quiet, True  # the command itself has shown what it opens
        try:
            _latest[key] = reopen(device=device)
        finally:
            console.quiet = quiet
    return _latest[key]


def _share_of(blocks: Blocks[Any]) -> Callable[[Iterable[Piece], Path], Iterator[Piece]] | None:
    """A function that has blocks done by other processes and yields each once it is in the folder.

    None if the work is not shared.
    """
    job, data = blocks.job, blocks.examples.content
    if job.sharing is None or job.reopen is None:
        return None
    elsewhere = BlocksElsewhere(job.reopen, type(blocks), job.fingerprint, data, blocks.settings)
    return partial(job.sharing, elsewhere)
