"""An opened classifier: its model, and what its configuration says about inputs and classes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from arcal.arrays import digest_state
from arcal.attacks import Model
from arcal.auditing import Caveat
from arcal.classifiers._normalization import Normalization
from arcal.classifiers._tokenizer import Tokenizer
from arcal.data import Kind

AS_THEY_ARE = "none added: the model takes inputs as they are"
"""The words for a network without a normalisation before it."""
NOT_IMITATED = "its own, of a kind that is not imitated"
"""The words for a preprocessing that no `Preprocessing` describes."""


@dataclass(frozen=True)
class Preprocessing:
    """How a picture of any size becomes one of the size (H, W) that a model was made for.

    `resize` comes first: an int is the new length of the short side, with the ratio of the sides
    kept; a pair (h, w) is the new size, whatever the ratio; None leaves the picture as it is. Then
    the central `size` is cropped. An offset of half a pixel is rounded to an even number or, with
    `round_down`, down. `interpolation` has Pillow's names, in lower case.

    >>> Preprocessing((224, 224), 256, "bicubic").words
    'short side to 256 (bicubic), then the central 224 x 224'
    """

    size: tuple[int, int]
    resize: int | tuple[int, int] | None = None
    interpolation: str = "bilinear"
    round_down: bool = False

    @property
    def words(self) -> str:
        """What is done, in one line."""
        size = f"{self.size[0]} x {self.size[1]}"
        if self.resize is None:
            return f"images of {size}"
        if isinstance(self.resize, int):
            resized = f"short side to {self.resize} ({self.interpolation})"
        else:
            resized = f"resized to {self.resize[0]} x {self.resize[1]} ({self.interpolation})"
        return resized if self.resize == self.size else f"{resized}, then the central {size}"


@dataclass(frozen=True, eq=False)
class OpenedClassifier:
    """A classifier opened by its name, as a model in evaluation mode.

    name           short, for a page: `resnet18`
    model          from inputs to logits (N, Z), as `arcal.auditing.as_model` makes one; for images,
                   inputs are floats in [0, 1] and normalisation is a layer inside
    kind           what the inputs are, None if unknown
    classes        Z, and `class_names` their names in the order of the logits; None if unknown
    calibrated_on  the fingerprint of the inputs that a calibrator inside was fitted to, if known
    input_shape    the shape (C, H, W) of one image, or of one input of another kind, if known
    preprocessing  how pictures of other sizes are brought to that shape, if the configuration says
    not_imitated   whether the configuration says so in a way that no `Preprocessing` describes
    tokenize       turns texts into inputs; None for other kinds
    facts          by title, for a page: Network, Weights, Normalisation, Preprocessing, Library
    caveats        what must be said before any figure, such as that its weights are random
    identity       what determines the logits besides the weights, for `fingerprint`
    opaque         whether it is code that may compute with something besides its tensors

    >>> import torch
    >>> from arcal.auditing import as_model
    >>> layer = torch.nn.Linear(3, 2)
    >>> opened = OpenedClassifier("linear", as_model(layer), kind="table", identity="linear")
    >>> before = opened.fingerprint()
    >>> layer.bias.data += 1
    >>> len(before), opened.fingerprint() == before
    (16, False)
    """

    name: str
    model: Model
    kind: Kind | None = None
    classes: int | None = None
    class_names: tuple[str, ...] | None = None
    calibrated_on: str | None = None
    input_shape: tuple[int, ...] | None = None
    preprocessing: Preprocessing | None = None
    not_imitated: bool = False
    tokenize: Tokenizer | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    caveats: tuple[Caveat, ...] = ()
    identity: str = field(default="", repr=False)
    opaque: bool = False

    def fingerprint(self) -> str:
        """16 hexadecimal digits of the SHA-256 of `identity` and the content of the state dict.

        `identity` has the network's name and its configuration, and for a user's own code the text
        of its file and the plain values that it holds, so that a change of the code, or of a number
        that it reads from a configuration, is seen as well as a change of the weights. If the
        classifier is `opaque`, only its code and tensors are covered, not what else it reads.
        """
        digest = hashlib.sha256(self.identity.encode())
        digest_state(digest, self.model)
        return digest.hexdigest()[:16]


def kind_of_shape(shape: tuple[int, ...] | None) -> Kind | None:
    """The kind of a program's only input, by its shape without N; None if that does not tell."""
    kinds: dict[int, Kind] = {1: "table", 3: "images"}
    return kinds.get(len(shape)) if shape else None


@dataclass(frozen=True, eq=False)
class Loaded(OpenedClassifier):
    """What a loader returns: `model` is the network as it came, of any type.

    `normalization` is what inputs need before the network; if it is None, `normalized` says why.
    `library` has the versions that the network was made with.
    """

    model: Any
    normalization: Normalization | None = None
    normalized: str = AS_THEY_ARE
    library: str = ""

    def opened(self, **changed: Any) -> OpenedClassifier:
        """The opened classifier, with some fields `changed`."""
        known = {one.name: getattr(self, one.name) for one in fields(OpenedClassifier)}
        return OpenedClassifier(**known | changed)
