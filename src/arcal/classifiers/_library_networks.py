"""`timm:NAME` and `torchvision:NAME`: a network of either library with weights from a file."""

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torchvision import models

from arcal.classifiers._libraries import (
    CENTRED,
    check_torchvision,
    library,
    no_weights,
    parameters,
    timm_config,
    versions,
)
from arcal.classifiers._normalization import Normalization
from arcal.classifiers._opened_classifier import Loaded, Preprocessing
from arcal.classifiers._weights import Weights, load_into, read_weights
from arcal.errors import ArcalError


def load_timm(name: str, weights: Path | None) -> Loaded:
    """A timm network by its name, with or without a tag, with weights from a file.

    The number of classes and of input channels are read from the weights; the size of the inputs,
    the crop and the normalisation from timm's configuration of that name.
    """
    timm: Any = library("timm", f"timm:{name}")
    config = timm_config(timm, name)
    if config is None:
        raise ArcalError(f"timm has no configuration of {name}: write file.py:name that builds it")
    if weights is None:
        raise no_weights(f"timm:{name}")
    heads, stems = _names(config.classifier), _names(config.first_conv)
    known = {f"{layer}.weight" for layer in (*heads, *stems)}
    read = read_weights(weights).without_prefixes(known.__contains__)
    state = read.state
    sizes = [state[key].shape[0] for head in heads if (key := f"{head}.weight") in state]
    if not sizes:
        raise ArcalError(
            f"{weights} does not fit timm:{name}: it lacks {heads[0] if heads else 'a classifier'}"
            ".weight, from which the number of classes is read; name the network that was trained"
        )
    classes = sizes[0]
    stem = next((state[key] for layer in stems if (key := f"{layer}.weight") in state), None)
    channels = config.input_size[0] if stem is None else stem.shape[1]
    _, H, W = config.input_size
    with torch.random.fork_rng(devices=[]):
        network = timm.create_model(name, pretrained=False, num_classes=classes, in_chans=channels)
    fitted = load_into(network, read, f"timm:{name}")
    preprocessing = _preprocessing(config, (H, W))
    return Loaded(
        name,
        network,
        identity=f"timm:{name} {classes} {channels}",
        facts={"Network": f"{name}, {parameters(network)}", "Weights": fitted.words},
        library=versions("timm"),
        normalization=Normalization(
            tuple(config.mean),
            tuple(config.std),
            f"as timm's configuration of {name.partition('.')[0]}.{config.tag} says",
        ),
        kind="images",
        classes=classes,
        input_shape=(channels, H, W),
        preprocessing=preprocessing,
        not_imitated=preprocessing is None,
    )


def _names(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def _preprocessing(config: Any, size: tuple[int, int]) -> Preprocessing | None:
    """What timm's transform for evaluation does; None if it adds a border, or for oblong inputs.

    A crop larger than the picture, as for some VOLO networks, adds a border too.
    """
    scaled = tuple(math.floor(length / config.crop_pct) for length in size)
    if config.crop_mode == "squash":
        return Preprocessing(size, scaled, config.interpolation)
    if config.crop_mode == "border" or scaled[0] != scaled[1] or scaled[0] < size[0]:
        return None
    return Preprocessing(size, scaled[0], config.interpolation)


HEAD = re.compile(r"(?:fc|head|heads\.head|classifier(?:\.(\d+))?)\.weight")
"""The last layer of each network in torchvision; of several `classifier.N` the last one."""


def load_torchvision(name: str, weights: Path | None) -> Loaded:
    """A torchvision network by its name, with weights from a file.

    The number of classes is read from the weights; size, crop and normalisation from the transforms
    that torchvision has for its own weights of that network. For one of torchvision's own files
    (whose public name has the beginning of its SHA-256), the class names are known too, and the
    transforms are those of that edition.
    """
    check_torchvision(name)
    if weights is None:
        raise no_weights(f"torchvision:{name}")
    read = read_weights(weights).without_prefixes(lambda key: bool(HEAD.fullmatch(key)))
    heads = [key for key in read.state if HEAD.fullmatch(key)]
    if not heads:
        raise ArcalError(
            f"{weights} does not fit torchvision:{name}: it has no last layer, such as fc.weight, "
            "from which the number of classes is read; name the network that was trained"
        )
    last = max(heads, key=lambda key: int(re.sub(r"\D", "", key) or 0))
    classes = read.state[last].shape[0]
    with torch.random.fork_rng(devices=[]):
        network = models.get_model(name, weights=None, num_classes=classes, **_options(name, read))
    fitted = load_into(network, _renamed(name, read), f"torchvision:{name}")
    edition = edition_of(name, read.digest)
    default: Any = models.get_model_weights(name).DEFAULT  # pyright: ignore[reportAttributeAccessIssue]
    transforms = (edition or default).transforms()
    (side,), (short,) = transforms.crop_size, transforms.resize_size
    source = f"as torchvision's transforms of {edition or default} say"
    centred = Normalization((0.5,), (0.5,), "as torchvision has it inside the pretrained form")
    return Loaded(
        name,
        network,
        identity=f"torchvision:{name} {classes}",
        facts={"Network": f"{name}, {parameters(network)}", "Weights": fitted.words},
        library=versions("torchvision"),
        normalization=centred
        if name in CENTRED
        else Normalization(tuple(transforms.mean), tuple(transforms.std), source),
        kind="images",
        classes=classes,
        class_names=tuple(edition.meta["categories"]) if edition else None,
        input_shape=(3, side, side),
        preprocessing=Preprocessing((side, side), short, transforms.interpolation.value),
    )


def _options(name: str, weights: Weights) -> dict[str, bool]:
    """Build auxiliary heads if the file has them, and skip the slow drawing of weights."""
    if name not in CENTRED:
        return {}
    auxiliary = any(key.lower().startswith("aux") for key in weights.state)
    return {"aux_logits": auxiliary, "init_weights": False}


def _renamed(name: str, weights: Weights) -> Weights:
    """The weights; in torchvision's own DenseNet files `norm1` is still called `norm.1`."""
    if not name.startswith("densenet"):
        return weights
    state = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d)\.", r"\1\2.", key): tensor
        for key, tensor in weights.state.items()
    }
    return replace(weights, state=state)


def edition_of(name: str, digest: str) -> Any:
    """The edition of torchvision's weights whose file has this SHA-256, or None.

    >>> edition_of("resnet50", "11ad3fa6" + 56 * "0").name
    'IMAGENET1K_V2'
    """
    for edition in models.get_model_weights(name):
        start = re.search(r"-([0-9a-f]{8,})\.pth$", edition.url)
        if start and digest.startswith(start[1]):
            return edition
    return None
