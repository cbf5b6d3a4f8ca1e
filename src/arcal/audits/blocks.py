"""A block of inputs: everything that is computed on them, in one pass over the data."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from arcal.arrays import ascending
from arcal.attacks import (
    Adversarial,
    BoundaryProjection,
    Bounds,
    Inputs,
    InputsLike,
    Model,
    bound,
    frozen,
    settings_of,
)
from arcal.attacks.inputs import over
from arcal.attacks.norms import checked_bounds
from arcal.auditing import EvaluationSet, Perturbed, as_model
from arcal.data import as_input
from arcal.errors import ArcalError, first_line
from arcal.labelled_batches import usual_batch
from arcal.orders import FORWARD
from arcal.robustness import Attack, Robustness, score
from arcal.transforms import corrupt

PANEL = tuple(
    EvaluationSet(corruption=type, intensity=3)
    for type in ("gaussian_noise", "defocus_blur", "fog", "jpeg_compression")
)
"""The default corruptions: one of each family, at the middle intensity."""


CPU = torch.device("cpu")

Advance = Callable[[int], object]


@dataclass(frozen=True)
class Settings:
    """What is computed for every input.

    `order` is what the levels are based on: "attack", "gradient" or "margin", or None for no
    levels. With "attack" it is the distance that `attack` finds within `bounds`. `panel` are the
    corruptions applied to images. `batch` inputs are run at a time, by default `usual_batch`.
    Without `nearest`, for scores or predictions alone, neither perturbed inputs nor their predicted
    classes are kept, and inputs are read in the order on disk. `loaders` processes read and decode
    images ahead.
    """

    order: str | None = "attack"
    attack: Attack = field(default_factory=BoundaryProjection)
    bounds: Bounds = (0.0, 1.0)
    panel: Sequence[EvaluationSet] = ()
    batch: int | None = None
    device: torch.device = CPU
    nearest: bool = True
    loaders: int = 0

    def __post_init__(self) -> None:
        if self.batch is not None and self.batch < 1:
            raise ArcalError(f"batch {self.batch}: at least 1 input is needed")
        if self.loaders < 0:
            raise ArcalError(f"{self.loaders} loaders: at least 0 are needed")

    @property
    def norm(self) -> str | None:
        """The norm of the distances, "l2" or "linf"; None without distances."""
        return getattr(self.attack, "norm", "l2") if self.order == "attack" else None

    def facts(self) -> dict[str, Any]:
        """What the results depend on, besides the model and the data."""
        return {
            "order": self.order,
            "attack": settings_of(self.attack) if self.order == "attack" else None,
            "panel": [where.name for where in self.panel],
            "batch": self.batch,
            "device": self.device.type,
        }


SHOWN = 8
"""One in this many images of a block is kept in its perturbed form: the least robust ones."""

SHIFTED, PERTURBED = "shifted-", "perturbed-"
"""Prefixes of the names of these tensors."""


@dataclass(frozen=True, eq=False)
class Block:
    """The results on B inputs.

    `ids` and `labels` are int64 `(B,)`, and `nearest` int64 `(B,)` is the predicted class of the
    nearest perturbed input found, -1 if none was found. `logits`, and those under each corruption
    in `shifted`, are `(B, Z)`. `robustness` is float32 `(B,)`, a distance if the order is "attack",
    and `passes` int64 `(B,)`. `perturbed` has the least robust images, or all rows of a table, in
    their perturbed form.
    """

    ids: Tensor
    labels: Tensor
    logits: Tensor
    shifted: Mapping[EvaluationSet, Tensor]
    robustness: Tensor | None = None
    nearest: Tensor | None = None
    passes: Tensor | None = None
    perturbed: Perturbed | None = None

    def tensors(self) -> dict[str, Tensor]:
        """All tensors by name, without the names of the corruptions."""
        own = {name: one for name, one in vars(self).items() if isinstance(one, Tensor)}
        shifted = {f"{SHIFTED}{i}": z for i, z in enumerate(self.shifted.values())}
        some = vars(self.perturbed) if self.perturbed else {}
        return own | shifted | {f"{PERTURBED}{name}": one for name, one in some.items()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], panel: Iterable[EvaluationSet]) -> "Block":
        """The block with these tensors, by the names of `tensors()`, and corruptions `panel`."""
        shifted = {where: tensors[f"{SHIFTED}{i}"] for i, where in enumerate(panel)}
        some = {
            name.removeprefix(PERTURBED): one
            for name, one in tensors.items()
            if name.startswith(PERTURBED)
        }
        own = {name: one for name, one in tensors.items() if name in cls.__annotations__}
        return cls(**own, shifted=shifted, perturbed=Perturbed(**some) if some else None)


def audit_block(
    model: Model,
    ids: Tensor,
    x: InputsLike,
    labels: Tensor,
    settings: Settings,
    images: Tensor | None = None,
    advance: Advance = lambda done: None,
) -> Block:
    """Compute everything for inputs `x` with these ids and labels `(B,)`, batch by batch.

    `images` uint8 `(B, C, H, W)` are corrupted for the panel. `advance` is called after each batch
    with the number of inputs done.
    """
    parts = []
    for rows, some in _batches(x, settings):
        pixels = None if images is None else images[rows]
        parts.append(_batch(model, ids[rows], some, labels[rows], settings, pixels))
        advance(int(rows[-1]) + 1)
    return joined(parts)


def score_block(
    model: Model,
    ids: Tensor,
    x: InputsLike,
    labels: Tensor,
    settings: Settings,
    advance: Advance = lambda done: None,
) -> Robustness:
    """Score inputs `x` with these ids and labels `(B,)`, batch by batch; compute nothing else."""

    def batches() -> Iterator[tuple[Tensor, Inputs, Tensor]]:
        for rows, some in _batches(x, settings):
            yield ids[rows], some, labels[rows]
            advance(int(rows[-1]) + 1)

    assert settings.order is not None
    attack = settings.attack if settings.order == "attack" else None
    return score(model, batches(), settings.order, attack=attack, bounds=settings.bounds)


def _batches(x: InputsLike, settings: Settings) -> Iterator[tuple[Tensor, Inputs]]:
    """The rows and the inputs of each batch, on the device."""
    inputs = Inputs.of(x)
    batch = settings.batch or usual_batch(inputs, settings.device)
    for rows in torch.arange(len(inputs), device="cpu").split(batch):
        yield rows, inputs.rows(rows).to(settings.device)


def joined(blocks: Sequence[Block]) -> Block:
    """Several blocks as one, in their order."""
    parts = [block.tensors() for block in blocks]
    names = dict.fromkeys(name for part in parts for name in part)
    whole = {name: torch.cat([part[name] for part in parts if name in part]) for name in names}
    return Block.from_tensors(whole, blocks[0].shifted)


def by_id(block: Block) -> Block:
    """The block in ascending order of its ids."""
    order = ascending(block.ids)
    rows = {name: rows[order] for name, rows in block.tensors().items() if PERTURBED not in name}
    return replace(Block.from_tensors(rows, block.shifted), perturbed=block.perturbed)


def _batch(
    model: Model,
    ids: Tensor,
    x: Inputs,
    labels: Tensor,
    settings: Settings,
    images: Tensor | None,
) -> Block:
    with frozen(model), torch.no_grad():
        try:
            logits = model(x.parts).float().cpu()
        except (LookupError, ValueError) as error:  # it took the first inputs, which were checked
            raise ArcalError(
                f"the model fails on some of the inputs with ids {int(ids.min())} to "
                f"{int(ids.max())}: {first_line(error)}; look for values that it does not know, "
                "such as a category or token beyond its embedding"
            ) from error
        shifted = {}
        for where in settings.panel:
            assert where.corruption is not None
            assert images is not None
            changed = corrupt(images, ids, type=where.corruption, intensity=where.intensity)
            changed = as_input(changed, settings.device)
            shifted[where] = model(changed).float().cpu()
    if settings.order is None:
        return Block(ids, labels, logits, shifted)
    attacked: list[Adversarial] = []
    if settings.order == "attack":
        scores = score(
            model,
            [(ids, x, labels)],
            attack=settings.attack,
            bounds=settings.bounds,
            keep=lambda _, adversarial: attacked.append(adversarial),
        )
    elif settings.order in FORWARD:  # the logits suffice: the model need not run again
        if not x.only_run:
            checked_bounds(bound(model, x)[1], settings.bounds)
        everything = torch.arange(len(ids), device="cpu")
        looked_up = as_model(logits.__getitem__)
        scores = score(looked_up, [(ids, everything, labels)], settings.order)
    else:
        scores = score(model, [(ids, x, labels)], settings.order, bounds=settings.bounds)
    block = Block(ids, labels, logits, shifted, scores.robustness, passes=scores.passes)
    if not attacked or not settings.nearest:
        return block
    after = _logits_after(model, x, attacked[0])
    success = attacked[0].success.cpu()
    nearest = torch.where(success, after.argmax(dim=1), -1)
    if not isinstance(x.parts, Tensor) or x.parts.ndim not in (2, 4):
        return replace(block, nearest=nearest)
    pictures = x.parts.ndim == 4
    shown = -(-len(ids) // SHOWN) if pictures else len(ids)
    least = scores.robustness.argsort()[:shown]
    least = least[success[least]]
    there = attacked[0].x.cpu()[least]
    there = there.half() if pictures else there.float()
    return replace(block, nearest=nearest, perturbed=Perturbed(ids[least], there, after[least]))


@torch.no_grad()
def _logits_after(model: Model, x: Inputs, attacked: Adversarial) -> Tensor:
    """The logits of the perturbed inputs, or of the original inputs where the attack failed."""
    rowwise, clean = bound(model, x)
    perturbed = torch.where(over(clean, attacked.success), attacked.x, clean)
    with frozen(model):
        return rowwise(perturbed).float().cpu()
