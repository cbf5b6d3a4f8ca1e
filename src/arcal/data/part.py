"""One part (training, validation or test) of a data set: the protocol; in memory, or resized."""

import dataclasses
import hashlib
from collections.abc import Iterable, Sized
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, ClassVar, Protocol, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from arcal.arrays import bytes_of, places_of
from arcal.errors import ArcalError, a_type


class Part(Protocol):
    """The protocol of one part of a data set: N images with stable ids.

    An id always means the same image: robustness, levels and soft labels are looked up by id. A
    position (0 .. N-1) is only the index of the image in this part.

    >>> ids, labels = torch.tensor([3, 5, 8]), torch.tensor([0, 1, 0])
    >>> pixels = torch.zeros(3, 1, 2, 2, dtype=torch.uint8)
    >>> part: Part = InMemory("toy/train", ids, labels, ("cat", "dog"), pixels)
    >>> part.subset(torch.tensor([8, 3])).labels
    tensor([0, 0])
    """

    @property
    def name(self) -> str:
        """The data set and the part, such as "fashion/train"."""
        ...

    @property
    def ids(self) -> Tensor:
        """int64 `(N,)` on the CPU: unique, possibly sparse."""
        ...

    @property
    def labels(self) -> Tensor:
        """int64 `(N,)` in [0, Z)."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the Z classes."""
        ...

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape (C, H, W) of an image."""
        ...

    def __len__(self) -> int: ...

    def images(self, positions: Tensor) -> Tensor:
        """The images at these positions `(B,)`, uint8 `(B, C, H, W)`."""
        ...

    def subset(self, ids: Tensor) -> Self:
        """The part with only these ids, in their order; an unknown id raises `ArcalError`."""
        ...

    def fingerprint(self) -> str:
        """16 hexadecimal digits of the SHA-256 of ids, labels and content."""
        ...


@dataclass(frozen=True)
class Broken:
    """An image that cannot be read: its id, where it is, and why.

    >>> str(Broken(7, "pets/test/cat/7.jpg", "image file is truncated"))
    'pets/test/cat/7.jpg (id 7): image file is truncated'
    """

    id: int
    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.where} (id {self.id}): {self.reason}"


@dataclass(frozen=True, eq=False)
class Labelled:
    """A part of N inputs with ids and labels int64 `(N,)`, Z `classes`, and other fields.

    `BY_ROW` names the fields with one row per input; text is a tuple of N.
    """

    BY_ROW: ClassVar[tuple[str, ...]] = ("ids", "labels", "weights", "names")

    name: str
    ids: Tensor
    labels: Tensor
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        counts = f"{len(self):,} inputs of {len(self.classes):,} classes"
        return f"<{type(self).__name__} {self.name}: {counts}>"

    def subset(self, ids: Tensor, name: str | None = None) -> Self:
        """The part with only these ids, in their order; an unknown id raises `ArcalError`."""
        positions = positions_of(ids, self)
        changed: dict[str, Any] = {"name": name or self.name}
        for field in self.BY_ROW:
            rows = getattr(self, field, None)
            if isinstance(rows, tuple):
                changed[field] = tuple(rows[position] for position in positions.tolist())
            elif rows is not None:
                changed[field] = rows[positions]
        return dataclasses.replace(self, **changed)

    def fingerprint(self) -> str:
        """16 hexadecimal digits of the SHA-256 of shape, ids, labels, content and any weights.

        It is computed once.
        """
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint_of(self, self._content(), getattr(self, "weights", None))

    def _content(self) -> Iterable[bytes | memoryview]:
        """What identifies the inputs, besides ids, labels and weights."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its inputs are")


@dataclass(frozen=True, eq=False, repr=False)
class InMemory(Labelled):
    """A part whose images are one tensor `pixels`, uint8 `(N, C, H, W)`, in memory.

    `ids` are unique int64 `(N,)`, `labels` int64 `(N,)` in [0, Z), and `classes` the Z names.
    `weights`, if any, are float64 `(N,)`: how much each image counts, at least 0. `how` says what
    was done to the images, whether they were `resized`, and whether some had `sixteen_bits` a
    channel; `skipped` lists those that could not be read. `names` are the data's N ids if these are
    not numbers, or None. Other values raise `ArcalError`.

    >>> pixels = torch.arange(3, dtype=torch.uint8).view(3, 1, 1, 1).expand(3, 1, 2, 2)
    >>> ids, labels = torch.tensor([3, 5, 8]), torch.tensor([0, 1, 0])
    >>> part = InMemory("toy/train", ids, labels, ("cat", "dog"), pixels)
    >>> len(part), part.shape
    (3, (1, 2, 2))
    >>> part.images(torch.tensor([2]))  # by position, not by id
    tensor([[[[2, 2],
              [2, 2]]]], dtype=torch.uint8)
    """

    BY_ROW: ClassVar[tuple[str, ...]] = (*Labelled.BY_ROW, "pixels")

    pixels: Tensor
    weights: Tensor | None = None
    how: str = "as they are"
    skipped: tuple[Broken, ...] = ()
    names: tuple[str, ...] | None = None
    resized: bool = False
    sixteen_bits: bool = False

    def __post_init__(self) -> None:
        check_tensor(self.name, "pixels", self.pixels)
        if self.pixels.dtype != torch.uint8 or self.pixels.ndim != 4:
            raise ArcalError(
                f"{self.name}: pixels must be uint8 of shape (N, C, H, W), "
                f"not {self.pixels.dtype} of shape {tuple(self.pixels.shape)}"
            )
        check_rows(self, self.pixels, "images")

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape (C, H, W) of an image."""
        _, C, H, W = self.pixels.shape
        return C, H, W

    def key(self, position: int) -> str:
        """What the data calls the image; "" if it has no name for it."""
        return "" if self.names is None else self.names[position]

    def images(self, positions: Tensor) -> Tensor:
        """The images at these positions `(B,)`, uint8 `(B, C, H, W)`."""
        return self.pixels[positions]

    def fingerprint(self) -> str:
        """As for every part, but computed each time, since pixels may be changed in place."""
        return fingerprint_of(self, [bytes_of(self.pixels)], self.weights)


def check_rows(part: Any, rows: Sized, what: str) -> None:
    """Raise unless a part has one of its `rows` and a label for each id.

    `what` says what the rows are, for messages.
    """
    check_ids_and_labels(part.name, part.ids, part.labels, len(part.classes))
    if len(rows) != len(part.ids):
        raise ArcalError(f"{part.name}: {len(rows)} {what} but {len(part.ids)} ids: give one each")


def check_tensor(name: str, word: str, value: Any) -> None:
    """Raise unless the value that `word` stands for is a tensor."""
    if not isinstance(value, Tensor):
        raise ArcalError(
            f"{name}: {word} are {a_type(value)}: give a tensor, such as torch.tensor({word})"
        )


def check_ids_and_labels(name: str, ids: Tensor, labels: Tensor, Z: int) -> None:
    """Raise unless both are int64 `(N,)` on the CPU, ids are unique, and labels are in [0, Z)."""
    for word, tensor in (("ids", ids), ("labels", labels)):
        check_tensor(name, word, tensor)
        if tensor.dtype != torch.int64 or tensor.ndim != 1 or tensor.device.type != "cpu":
            raise ArcalError(
                f"{name}: {word} must be int64 of shape (N,) on the CPU, "
                f"not {tensor.dtype} of shape {tuple(tensor.shape)} on {tensor.device}"
            )
    if len(ids) != len(labels):
        raise ArcalError(f"{name}: {len(ids)} ids but {len(labels)} labels: give one each")
    distinct, counts = ids.unique(return_counts=True)
    if len(distinct) != len(ids):
        repeated = distinct[counts > 1][0].item()
        raise ArcalError(f"{name}: ids must be unique, but id {repeated} occurs more than once")
    wrong = (labels < 0) | (labels >= Z)
    if wrong.any():
        label, id = labels[wrong][0].item(), ids[wrong][0].item()
        raise ArcalError(
            f"{name}: label {label} of id {id} is not in [0, {Z}): number the classes from 0"
        )


def positions_of(ids: Tensor, part: Any) -> Tensor:
    """The positions of these ids `(B,)` in a part, int64 `(B,)`; an unknown id raises an error."""
    places = places_of(ids.cpu(), part.ids)
    unknown = ids[(places < 0).nonzero()[:, 0]]
    if len(unknown):
        some = f"{len(unknown)} of the {len(ids)} ids to look up are unknown"
        raise ArcalError(
            f"{part.name} has no id {unknown[0].item()}: {some if len(part) else 'it is empty'}"
        )
    return places


def fingerprint_of(
    part: Any, content: Iterable[bytes | memoryview], weights: Tensor | None = None
) -> str:
    """16 hexadecimal digits of the SHA-256 of shape, ids, labels, content and weights, if any."""
    digest = hashlib.sha256(repr(part.shape).encode())
    weighted = () if weights is None else (b"weights", bytes_of(weights))
    for piece in chain((bytes_of(part.ids), bytes_of(part.labels)), content, weighted):
        digest.update(piece)
    return digest.hexdigest()[:16]


LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue: ITU-R BT.601
CHANNELS = {(1, 3): "grey repeated to 3 channels", (3, 1): "colour turned grey by luminance"}


class Resized:
    """A `Part` with the images of another part, changed to `shape` (C, H, W) when they are read.

    With it a model can be evaluated on an out-of-distribution set of another shape. Ids, labels and
    classes are those of the other part. Images are resized bilinearly with antialiasing, without
    preserving their aspect ratio; grey images are repeated to 3 channels, and colour images become
    grey by their luminance; the result is rounded to uint8. `how` describes the change. Channels
    other than 1 and 3 that would have to change raise `ArcalError`.

    >>> from arcal.data import InMemory
    >>> ids, pixels = torch.arange(2), torch.full((2, 1, 28, 28), 7, dtype=torch.uint8)
    >>> part = Resized(InMemory("toy/test", ids, ids, ("cat", "dog"), pixels), (3, 32, 32))
    >>> part.images(torch.tensor([0])).shape
    torch.Size([1, 3, 32, 32])
    >>> part.how
    'resized from 28 x 28 to 32 x 32, grey repeated to 3 channels'
    """

    def __init__(self, part: Part, shape: tuple[int, int, int]) -> None:
        channels = (part.shape[0], shape[0])
        if channels not in CHANNELS and channels[0] != channels[1]:
            raise ArcalError(
                f"{part.name} has {channels[0]} channels, which cannot become {channels[1]}: "
                "only grey (1) and colour (3) can be converted"
            )
        self.part: Part = part
        self.shape: tuple[int, int, int] = shape
        self.name: str = part.name
        self.classes: tuple[str, ...] = part.classes
        self.ids: Tensor = part.ids
        self.labels: Tensor = part.labels

    @property
    def how(self) -> str:
        """What is done to an image, such as "resized from 28 x 28 to 32 x 32"."""
        (c, h, w), (C, H, W) = self.part.shape, self.shape
        size = f"resized from {h} x {w} to {H} x {W}" if (h, w) != (H, W) else ""
        return ", ".join(filter(None, (size, CHANNELS.get((c, C))))) or "as it is"

    def __len__(self) -> int:
        return len(self.part)

    def images(self, positions: Tensor) -> Tensor:
        """The images at these positions `(B,)`, uint8 `(B, C, H, W)`."""
        images = self.part.images(positions)
        C, H, W = self.shape
        if images.shape[1] != C and C == 1:
            images = (images * torch.tensor(LUMINANCE, device="cpu")[:, None, None]).sum(
                1, keepdim=True
            )
        if images.shape[2:] != (H, W):
            images = F.interpolate(
                images.float().contiguous(), (H, W), mode="bilinear", antialias=True
            )
        if images.is_floating_point():
            images = images.round().clamp(0, 255).to(torch.uint8)
        return images.expand(-1, C, -1, -1).contiguous()

    def subset(self, ids: Tensor) -> "Resized":
        """The part with only these ids, in their order; an unknown id raises `ArcalError`."""
        return Resized(self.part.subset(ids), self.shape)

    def fingerprint(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the original fingerprint and of `how`."""
        return fingerprint_of(self, [f"{self.part.fingerprint()} {self.how}".encode()])
