"""Optional libraries, imported only when they are needed, and names that do not exist."""

from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

import torch

from arcal.errors import ArcalError

CENTRED = ("inception_v3", "googlenet")
"""Networks of torchvision whose pretrained form normalises to [-1, 1] inside, whatever the
transforms of their weights do."""


def library(name: str, spec: str) -> ModuleType:
    """An optional library; if it is not installed, `ArcalError` says how to install it."""
    try:
        return import_module(name)
    except ImportError as error:
        if error.name != name:
            raise ArcalError(f"{name} cannot be imported ({error}): reinstall it") from error
        raise ArcalError(
            f"{spec} needs {name}, which is not installed: pip install {name}"
        ) from None


def versions(*names: str) -> str:
    """Libraries with their versions, torch last: `timm 1.0.31, torch 2.13.0`."""
    numbers = {name: _version(name) for name in names} | {"torch": torch.__version__}
    return ", ".join(f"{name} {number}".strip() for name, number in numbers.items())


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def near(name: str, names: Iterable[str], otherwise: str = "") -> str:
    """The end of an error line: the names that `name` resembles, or else `otherwise`.

    >>> near("resnet81", ["resnet18", "vgg16"])
    'did you mean resnet18?'
    """
    close = get_close_matches(name, list(names), n=3, cutoff=0.6)
    return f"did you mean {' or '.join(close)}?" if close else otherwise


def no_weights(spec: str) -> ArcalError:
    """The error for a library's network that is named without a file of weights."""
    return ArcalError(
        f"{spec} needs a file of weights: nothing is downloaded, and random weights say nothing; "
        "save `model.state_dict()` and give the file as weights"
    )


def timm_config(timm: Any, name: str) -> Any:
    """The configuration that timm has of a network, by its name, perhaps with a tag, or None.

    Tags of one architecture may have different normalisations. A name or a tag that timm does not
    have raises `ArcalError`.
    """
    architecture, _, _ = name.partition(".")
    if not timm.is_model(architecture):
        raise ArcalError(
            f"timm has no network {architecture}: "
            + near(architecture, timm.list_models(), "`timm.list_models()` has the names")
        )
    try:
        return timm.get_pretrained_cfg(name)
    except RuntimeError:
        tags = list(timm.list_pretrained(f"{architecture}.*"))
        raise ArcalError(
            f"timm has no configuration {name}: "
            + near(name, tags, f"give timm:{architecture}, or one of {', '.join(tags)}")
        ) from None


def check_torchvision(name: str) -> None:
    """Refuse a name that is not a torchvision classifier."""
    from torchvision import models  # it takes seconds to import

    names = models.list_models(module=models)
    if name not in names:
        raise ArcalError(
            f"torchvision has no classifier {name}: "
            + near(name, names, "`torchvision.models.list_models()` has the names")
        )


def parameters(network: torch.nn.Module) -> str:
    """The number of a network's parameters in words.

    >>> parameters(torch.nn.Linear(999, 2))
    '2,000 parameters'
    """
    return f"{sum(parameter.numel() for parameter in network.parameters()):,} parameters"
