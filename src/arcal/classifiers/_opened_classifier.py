"""An opened classifier: its model, and what its configuration says of inputs and classes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from arcal.arrays import digest_state
from arcal.attacks import Model
from arcal.auditing import Caveat
from arcal.classifiers._tokenizer import Tokenizer
from arcal.data import Kind
from arcal.external import Normalization

AS_THEY_ARE = "none added: the model takes inputs as they are"
"""The normalisation of a network that has none before it."""
NOT_IMITATED = "its own, of a kind that is not imitated"
"""The preprocessing of a network whose configuration has one that no `Preprocessing` describes."""


@dataclass(frozen=True)
class Preprocessing:
    """How a picture of any size becomes one of the size (H, W) that a model was made for.

    `resize` comes first: an int is the length of the short side, whose ratio to the long one stays;
    a pair (h, w) is the new size, whatever the ratio; None leaves the picture as it is. Then the
    central `size` is cropped, after as many pixels as it is off the edge, rounded to an even number
    or with `round_down` down. `interpolation` has Pillow's names, in lower case.

    >>> Preprocessing((224, 224), 256, "bicubic").words
    'short side to 256 (bicubic), then the central 224 x 224'
    """

    size: tuple[int, int]
    resize: int | tuple[int, int] | None = None
    interpolation: str = "bilinear"
    round_down: bool = False

    @property
    def words(self) -> str:
        """What is done in a line."""
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
    """A classifier that was named, as a model in evaluation mode.

    name           short, for a page: `resnet18`
    model          from inputs to logits (N, Z), as `arcal.auditing.as_model` makes one; for images,
                   inputs are floats in [0, 1] and normalisation is a layer inside
    kind           what the inputs are, None if nothing says so
    classes        Z, and `class_names` their names in the order of the logits; None if unknown
    calibrated_on  the fingerprint of the inputs that a calibrator inside was fitted to, if known
    input_shape    the shape (C, H, W) of one image, or of one input of another kind, if known
    preprocessing  how pictures of other sizes are brought to that shape, if the configuration says
    not_imitated   whether it says so in a way that no `Preprocessing` describes
    tokenize       makes inputs of texts; None for other kinds
    facts          by title, for a page: Network, Weights, Normalisation, Preprocessing, Library
    caveats        what must be said before any figure, such as that its weights are drawn
    identity       what beside the weights decides the logits, for `fingerprint`
    opaque         whether it is code that may compute with what its tensors do not show

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
        of its file, so that a change of the code is seen as well as a change of the weights. Of one
        that is `opaque` only its code and tensors are seen, not what else it reads.
        """
        digest = hashlib.sha256(self.identity.encode())
        digest_state(digest, self.model)
        return digest.hexdigest()[:16]


def kind_of_shape(shape: tuple[int, ...] | None) -> Kind | None:
    """What a program's one input of a known shape (N left out) is, if it says."""
    kinds: dict[int, Kind] = {1: "table", 3: "images"}
    return kinds.get(len(shape)) if shape else None


@dataclass(frozen=True, eq=False)
class Loaded(OpenedClassifier):
    """What a loader gives: `model` is the network as it came, of any type.

    `normalization` is what its inputs need before it; where it is None, `normalized` says why.
    `library` are the versions that it was made with.
    """

    model: Any
    normalization: Normalization | None = None
    normalized: str = AS_THEY_ARE
    library: str = ""

    def opened(self, **changed: Any) -> OpenedClassifier:
        """The classifier once it is opened, which has `changed` some fields."""
        known = {one.name: getattr(self, one.name) for one in fields(OpenedClassifier)}
        return OpenedClassifier(**known | changed)
