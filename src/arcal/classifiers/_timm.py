"""`timm:NAME`: an architecture of timm's with weights from a file."""

import math
from pathlib import Path
from typing import Any

import torch

from arcal.classifiers._opened_classifier import Loaded, Preprocessing
from arcal.errors import ArcalError
from arcal.external import (
    Normalization,
    check_timm,
    library,
    load_into,
    near,
    no_weights,
    parameters,
    read_weights,
    versions,
)


def load_timm(name: str, weights: Path | None, shape: tuple[int, int, int] | None = None) -> Loaded:
    """A network of timm's by its name, with or without a tag, and the weights in a file.

    The number of classes and of input channels are read from the weights; the size of the inputs,
    the crop and the normalisation from timm's configuration of that name. Architectures that are
    built for one size of inputs are built for `shape` (C, H, W) if it is given.
    """
    timm: Any = library("timm", f"timm:{name}")
    config = _config(timm, name)
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
    _, H, W = shape or config.input_size
    options = {"img_size": (H, W)} if shape and config.fixed_input_size else {}
    with torch.random.fork_rng(devices=[]):
        network = timm.create_model(
            name, pretrained=False, num_classes=classes, in_chans=channels, **options
        )
    fitted = load_into(network, read, f"timm:{name}")
    return Loaded(
        name,
        network,
        identity=f"timm:{name} {classes} {channels} {options}",
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
        preprocessing=_preprocessing(config, (H, W)),
    )


def _config(timm: Any, name: str) -> Any:
    architecture, _, _ = name.partition(".")
    check_timm(timm, architecture)
    try:
        config = timm.get_pretrained_cfg(name)
    except RuntimeError:
        tags = list(timm.list_pretrained(f"{architecture}.*"))
        raise ArcalError(
            f"timm has no configuration {name}: "
            + near(name, tags, f"give timm:{architecture}, or one of {', '.join(tags)}")
        ) from None
    if config is None:
        raise ArcalError(f"timm has no configuration of {name}: write file.py:name that builds it")
    return config


def _names(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def _preprocessing(config: Any, size: tuple[int, int]) -> Preprocessing | None:
    """What timm's transform for evaluation does; None if it adds a border, or for oblong inputs."""
    scaled = tuple(math.floor(length / config.crop_pct) for length in size)
    if config.crop_mode == "squash":
        return Preprocessing(size, scaled, config.interpolation)
    if config.crop_mode == "border" or scaled[0] != scaled[1]:
        return None
    return Preprocessing(size, scaled[0], config.interpolation)
