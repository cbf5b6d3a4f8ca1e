"""Auditing block by block: what is done is kept, and a first answer comes before the last input."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, fields
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from arcal._version import __version__
from arcal.attacks import Inputs, Model, frozen
from arcal.auditing import EvaluationSet, Perturbed, check_model
from arcal.auditing._labels import as_whole_numbers
from arcal.audits._blocks import Advance, Block, Settings, audit_block, moved, usual_batch
from arcal.audits._examples import Examples
from arcal.data import as_input
from arcal.data.contents import evidence_of, is_evidence_of
from arcal.errors import ArcalError
from arcal.store import content_hash, load_tensors, save_tensors

log = logging.getLogger(__name__)

BLOCK = 200
PROBED = 8
"""Inputs that a model answers before anything is computed."""
FORMAT = 2
"""Increased when a change of the code changes what is kept."""


def in_blocks(
    model: Model,
    examples: Examples,
    settings: Settings,
    *,
    work: Path | None = None,
    spec: str = "",
    advance: Advance = lambda done: None,
) -> Iterator[Block]:
    """The blocks of an audit, in the random order of `examples`, or of a scoring, in that on disk.

    With a folder `work` each is written there when it is done, and read instead of being done again
    by the same audit: the same model, data and settings. `spec` is what the model is called, and
    `advance` is told after each batch how many inputs are done.
    """
    folder = None
    if work is not None:
        folder = work / content_hash(
            {
                "format": FORMAT,
                "arcal": __version__,
                "model": model_fingerprint(model, spec, examples, settings.device),
                "data": examples.content,
                "settings": settings.facts() | ({} if settings.nearest else {"scores": True}),
            }
        )
        log.info(f"{examples.name}: what is done is kept in {folder}")
    order = examples.order() if settings.nearest else torch.arange(len(examples))
    for number, positions in enumerate(order.split(BLOCK)):
        ids = examples.ids[positions]
        path = None if folder is None else folder / f"{number:05}.safetensors"
        block = None if path is None or not path.exists() else _load(path, examples, positions)
        if block is None or not torch.equal(block.ids, ids):
            images = None if examples.part is None else examples.part.images(positions)
            x = examples.read(positions) if images is None else as_input(images, "cpu")
            labels = examples.labels[positions]
            further = partial(_further, advance, number * BLOCK)
            block = audit_block(model, ids, x, labels, settings, images, further)
            if path is not None:
                save_block(path, block, evidence_of(examples.part, positions))
        yield block


def _further(advance: Advance, before: int, done: int) -> None:
    advance(before + done)


def from_loader(
    model: Model,
    loader: Iterable[Any],
    settings: Settings,
    classes: int | None = None,
    meet: Callable[[Tensor | Inputs], object] = lambda x: None,
) -> Iterator[Block]:
    """The blocks of an audit, one for each batch of a loader: `(x, labels)` or `(ids, x, labels)`.

    Without ids inputs are numbered in the loader's order. The model is checked on the first batch,
    as `check_model` does, and must have so many `classes` if that is given; `meet` gets its inputs.
    """
    seen = 0
    for batch in loader:
        ids, x, labels = _unpacked(batch, seen)
        if not seen:
            first = slice(usual_batch(x, settings.device))
            some = moved(x[first] if isinstance(x, Tensor) else x.rows(first), settings.device)
            few = some[:PROBED] if isinstance(some, Tensor) else some.rows(slice(PROBED))
            check_model(model, few, labels[:PROBED], classes)
            meet(some)
        seen += len(ids)
        yield audit_block(model, ids, x, labels, settings)


def _unpacked(batch: Any, seen: int) -> tuple[Tensor, Tensor | Inputs, Tensor]:
    """The ids, numbers from `seen` on if there are none, the inputs, and the labels."""
    ids = None
    if isinstance(batch, tuple | list) and len(batch) == 2:
        x, labels = batch
    elif isinstance(batch, tuple | list) and len(batch) == 3:
        ids, x, labels = batch
    elif isinstance(batch, dict) and "labels" in batch:  # as a collator of transformers makes them
        labels = batch["labels"]
        rest = {name: value for name, value in batch.items() if name not in ("labels", "ids")}
        ids = batch.get("ids")
        x = next(iter(rest.values())) if len(rest) == 1 else rest
    else:
        raise ArcalError(
            f"a batch is a {type(batch).__name__}: give (x, labels), (ids, x, labels), or a dict "
            "with `labels`"
        )
    if not isinstance(x, Tensor | Inputs | Mapping | tuple | list):
        raise ArcalError(
            f"the inputs of a batch are a {type(x).__name__}: give a tensor (N, ...), or a dict or "
            "tuple of several"
        )
    x = x if isinstance(x, Tensor | Inputs) else Inputs(x)
    N = len(x)
    ids = torch.arange(seen, seen + N) if ids is None else as_whole_numbers(ids, N, "ids")
    return ids, x, as_whole_numbers(labels, N, "labels")


@torch.no_grad()
def model_fingerprint(model: Model, spec: str, examples: Examples, device: torch.device) -> str:
    """What tells one model from another: its name, its weights, and what it says of a few inputs.

    Code is not read; what it computes of the inputs is, to two digits, so that the number of
    threads does not matter.
    """
    digest = sha256(spec.encode())
    if isinstance(model, nn.Module):
        for name, tensor in model.state_dict().items():
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            flat = tensor.detach().cpu().contiguous().view(-1)
            digest.update(flat.view(torch.uint8).numpy().tobytes() if len(flat) else b"")
    with frozen(model):
        x = moved(examples.read(examples.order()[:8]), device)
        logits = model(x.parts if isinstance(x, Inputs) else x).float().cpu()
    spread = (logits.max() - logits.min()).clamp(min=1e-12)
    digest.update((100 * logits / spread).round().int().numpy().tobytes())
    return digest.hexdigest()[:16]


def save_block(path: Path, block: Block, files: dict[str, str]) -> None:
    """Write a block that is done, with what tells its files from replaced ones."""
    tensors = {name: value for name, value in vars(block).items() if isinstance(value, Tensor)}
    shifted = {f"shifted-{i}": z for i, z in enumerate(block.shifted.values())}
    some = vars(block.perturbed) if block.perturbed else {}
    perturbed = {f"perturbed-{name}": t for name, t in some.items()}
    panel = [asdict(where) for where in block.shifted]
    save_tensors(path, tensors | shifted | perturbed, panel=panel, files=files)


def _load(path: Path, examples: Examples, positions: Tensor) -> Block | None:
    """A block that was done; None if a file of its images was replaced since."""
    tensors, header = load_tensors(path)
    if not is_evidence_of(examples.part, header.get("files"), positions):
        return None
    panel = [EvaluationSet(**where) for where in header["panel"]]
    shifted = {where: tensors.pop(f"shifted-{i}") for i, where in enumerate(panel)}
    names = [field.name for field in fields(Perturbed) if f"perturbed-{field.name}" in tensors]
    perturbed = {name: tensors.pop(f"perturbed-{name}") for name in names}
    some = Perturbed(**perturbed) if perturbed else None
    return Block(**tensors, shifted=shifted, perturbed=some)
