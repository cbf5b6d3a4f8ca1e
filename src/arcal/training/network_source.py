"""Networks of users and libraries, to train: `file.py:name`, `timm:NAME`, `torchvision:NAME`."""

import hashlib
import inspect
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from arcal.classifiers import (
    CENTRED,
    IMAGENET,
    Normalization,
    Weights,
    check_torchvision,
    library,
    load_into,
    named_in_code,
    needed_arguments,
    one_line,
    read_weights,
    source_of,
    timm_config,
)
from arcal.errors import ArcalError, a_type
from arcal.files import expanded
from arcal.generators import seeded

Shape = tuple[int, int, int]

ARGUMENTS = {
    "classes": ("classes", "num_classes", "n_classes"),
    "channels": ("channels", "in_channels", "in_chans"),
    "shape": ("shape", "input_shape"),
}
"""Facts about the data that a function or class gets, if it has an argument of such a name."""
MOST_CHANNELS = 4
"""The most channels of an image; an argument `channels` with a larger default is a width."""


@dataclass(frozen=True)
class NetworkSource:
    """Where a network to be trained comes from, and the file of weights it starts from.

    `spec` is one of

    - `file.py:name` or `package.module:name`, a function or class that returns a new module for
      images in [0, 1] each time it is called. It gets the number of classes as `classes` or
      `num_classes`, the shape (C, H, W) as `shape`, and C as `channels` or `in_chans`, if it has
      such arguments; `channels` with a default above 4 is left alone, because it is a width. This
      runs the user's code;
    - `timm:NAME` or `torchvision:NAME`, with that library's normalisation as its first layer.

    Weights of a last layer for another number of classes are left out, and that layer is drawn
    anew.

    >>> layers = "nn.Sequential(nn.Flatten(), nn.Linear(12, classes))"
    >>> code = f"from torch import nn; make = lambda classes: {layers}"
    >>> _ = Path("mine.py").write_text(code)
    >>> source = NetworkSource("mine.py:make")
    >>> network = source.build(classes=5, shape=(3, 2, 2), seed=0)
    >>> network(torch.zeros(1, 3, 2, 2)).shape, source.name
    (torch.Size([1, 5]), 'mine.py:make')
    """

    spec: str
    weights: str | None = None

    @classmethod
    def located(cls, spec: str, weights: str | None = None) -> "NetworkSource":
        """The same with full paths, so that its files are found from any working folder."""
        file, _, name = spec.rpartition(":")
        if _is_file(spec):
            spec = f"{expanded(file).resolve()}:{name}"
        return cls(spec, weights and str(expanded(weights).resolve()))

    @property
    def name(self) -> str:
        """What it is called on a page: the spec without the folder of its file."""
        return Path(self.spec).name if _is_file(self.spec) else self.spec

    def digest(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the code, or of the name in a library.

        For code it covers the file that holds the name, and the files it imports from its folder or
        the working folder, which are read but not run. A missing file raises `ArcalError`.
        """
        source = self.spec if _library_of(self.spec) else source_of(self.spec)
        return hashlib.sha256(source.encode()).hexdigest()[:16]

    def weights_digest(self) -> str | None:
        """The same for the file of weights, if there is one."""
        return None if self.weights is None else read_weights(Path(self.weights)).digest[:16]

    def build(self, *, classes: int, shape: Shape, seed: int) -> nn.Module:
        """A new network in training mode on the CPU, from images `(N, C, H, W)` to `(N, classes)`.

        Weights that are not read are drawn after `torch.manual_seed(seed)`, and the global
        generators are left as they were. A network that cannot be built, or gives something other
        than logits of this shape, raises `ArcalError`.
        """
        with seeded(seed), torch.device("cpu"):
            network = self._drawn(classes, shape)
            if self.weights is not None:
                own, weights = self._own_and_read(network)
                weights = replace(weights, state={**weights.state, **_head_of(own, weights)})
                load_into(self._inner(network), weights, self.name)
        return network.train()

    def layer_drawn_anew(self, *, classes: int, shape: Shape) -> str | None:
        """The last layer whose weights in the file are for another number of classes, if one is.

        The arguments and errors are those of `build`.
        """
        if self.weights is None:
            return None
        with seeded(0), torch.device("cpu"):
            head = _head_of(*self._own_and_read(self._drawn(classes, shape)))
        return next((key.rpartition(".")[0] for key in head), None)

    def _drawn(self, classes: int, shape: Shape) -> nn.Module:
        """The network with all its weights drawn at random."""
        kind, _, name = self.spec.partition(":")
        if kind == "timm":
            network = _from_timm(name, classes, shape)
        elif kind == "torchvision":
            network = _from_torchvision(name, classes, shape)
        else:
            network = _from_code(self.spec, classes, shape)
        _check(network, self.spec, classes, shape)  # draws lazy weights
        return network

    def _inner(self, network: nn.Module) -> nn.Module:
        """What the file has weights for: a library's network without its normalisation."""
        return network.get_submodule("network") if _library_of(self.spec) else network

    def _own_and_read(self, network: nn.Module) -> tuple[dict[str, Tensor], Weights]:
        """The network's weights, and those of the file."""
        own = self._inner(network).state_dict()
        return own, read_weights(Path(str(self.weights))).without_prefixes(own.__contains__)


def _is_width(argument: inspect.Parameter) -> bool:
    default = argument.default
    return argument.name == "channels" and isinstance(default, int) and default > MOST_CHANNELS


def _library_of(spec: str) -> str | None:
    kind, _, _ = spec.partition(":")
    return kind if kind in ("timm", "torchvision") else None


def _is_file(spec: str) -> bool:
    return spec.rpartition(":")[0].endswith(".py")


def _from_code(spec: str, classes: int, shape: Shape) -> nn.Module:
    named = named_in_code(spec)
    value = named.value
    if isinstance(value, nn.Module) or not callable(value):
        raise ArcalError(
            f"{spec} is {a_type(value)}: name a function or class that returns a new "
            "network each time, since each seed draws its own weights"
        )
    described = {"classes": classes, "channels": shape[0], "shape": shape}
    known = {name: described[what] for what, names in ARGUMENTS.items() for name in names}
    try:
        taken = inspect.signature(value).parameters
    except (TypeError, ValueError):
        taken = {}
    if unknown := [name for name in needed_arguments(value) or [] if name not in known]:
        raise ArcalError(
            f"{spec} needs {' and '.join(unknown)}: give it a default, or name a function that "
            "takes no more than classes, channels and shape"
        )
    with one_line(spec, f"in {named.name}()"):
        network = value(
            **{name: known[name] for name in taken if name in known and not _is_width(taken[name])}
        )
    if not isinstance(network, nn.Module):
        raise ArcalError(
            f"{spec} returns {type(network).__name__}: it must return a torch module to be trained"
        )
    return network


def _from_timm(name: str, classes: int, shape: Shape) -> nn.Module:
    timm: Any = library("timm", f"timm:{name}")
    config = timm_config(timm, name)
    options: dict[str, Any] = {"num_classes": classes, "in_chans": shape[0]}
    if config is not None and config.fixed_input_size:
        options["img_size"] = shape[1:]
    with one_line(f"timm:{name}", f"for images of {_words(shape)}"):
        network = timm.create_model(name.partition(".")[0], pretrained=False, **options)
    mean, std = IMAGENET if config is None else (tuple(config.mean), tuple(config.std))
    return _normalized(network, Normalization(mean, std), shape)


def _from_torchvision(name: str, classes: int, shape: Shape) -> nn.Module:
    from torchvision import models  # it takes seconds to import

    check_torchvision(name)
    if shape[0] != 3:
        raise ArcalError(
            f"torchvision:{name} takes images of 3 channels, and these have {shape[0]}: name a "
            "network of timm, or write file.py:name"
        )
    centred = name in CENTRED
    options = {"aux_logits": False, "init_weights": True} if centred else {}
    network = models.get_model(name, weights=None, num_classes=classes, **options)
    usual = Normalization((0.5,), (0.5,)) if centred else Normalization(*IMAGENET)
    return _normalized(network, usual, shape)


def _normalized(network: nn.Module, usual: Normalization, shape: Shape) -> nn.Module:
    """The network after its normalisation, averaged over channels if their number differs."""
    if len(usual.mean) not in (1, shape[0]):
        mean, std = (sum(each) / len(each) for each in (usual.mean, usual.std))
        usual = Normalization((mean,), (std,))
    return nn.Sequential(OrderedDict(normalize=usual.layer(), network=network))


def _head_of(own: Mapping[str, Tensor], weights: Weights) -> dict[str, Tensor]:
    """The network's own last-layer weights, if the file's are for other numbers of classes."""
    head = {
        key: own[key]
        for key, tensor in weights.state.items()
        if key in own and tensor.ndim and own[key].shape[1:] == tensor.shape[1:]
        if own[key].shape != tensor.shape
    }
    # if they are of several layers, the file is of another network, and load_into says how
    return head if len({key.rpartition(".")[0] for key in head}) == 1 else {}


def _check(network: nn.Module, spec: str, classes: int, shape: Shape) -> None:
    """Refuse a network that does not give logits of these images."""
    network.eval()
    with torch.no_grad(), one_line(spec, f"on images of {_words(shape)}"):
        logits = network(torch.full((2, *shape), 0.5, device="cpu"))
    got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
    if got != (2, classes):
        raise ArcalError(
            f"{spec} gives {got} for 2 images of {_words(shape)}: it must return logits of shape "
            f"{(2, classes)}"
        )


def _words(shape: Shape) -> str:
    return " x ".join(map(str, shape))
