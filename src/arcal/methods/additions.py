"""Additions to any method: settings that are not a method's own, and how they combine.

Each is in the file of its name: its setting, its formula, its source.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from arcal.errors import ArcalError
from arcal.methods.augmix import AUGMIX
from arcal.methods.mixup import MIXUP, REGMIXUP
from arcal.methods.noise import NOISE
from arcal.methods.penalties import ENTROPY, MBLS
from arcal.methods.perturbed import PERTURBED, PERTURBED_BY, check_distances
from arcal.methods.setting import Setting

ADDITIONS = (MIXUP, REGMIXUP, NOISE, AUGMIX, PERTURBED, PERTURBED_BY, ENTROPY, MBLS)
"""All additions, in the order in which they are shown."""

OF_INPUTS = (NOISE, AUGMIX)
"""Those that change only the images, and so work for methods without a criterion."""


@dataclass(frozen=True)
class Added:
    """What was added to a method; None for everything else.

    >>> Added(noise=0.1).augmix is None
    True
    """

    mixup: float | None = None
    regmixup: float | None = None
    noise: float | None = None
    augmix: float | None = None
    perturbed: float | None = None
    perturbed_by: str | None = None
    entropy: float | None = None
    mbls: float | None = None


OF_PIXELS = (NOISE, AUGMIX, PERTURBED)
"""Those that need images in [0, 1]: they clip them, or look colours up in a table."""
OVERSHOT = 1e-3
"""How far resizing may bring images outside [0, 1]."""


def check_pixels(added: Added, x: Tensor) -> None:
    """Refuse images `(B, ...)` outside [0, 1] if something was added that needs them within.

    >>> check_pixels(Added(mixup=0.2), torch.tensor([[-2.0, 2.0]]))
    >>> check_pixels(Added(noise=0.1), torch.tensor([[-2.0, 2.0]]))
    Traceback (most recent call last):
    arcal.errors.ArcalError: images reach from -2 to 2, and noise is added to images in [0, 1]: ...
    """
    named = [one.name for one in OF_PIXELS if getattr(added, one.name) is not None]
    if not named or not x.numel():
        return
    low, high = torch.stack(x.aminmax()).tolist()
    if not (low >= -OVERSHOT and high <= 1 + OVERSHOT):
        raise ArcalError(
            f"images reach from {low:.4g} to {high:.4g}, and {' and '.join(named)} is added to "
            "images in [0, 1]: give these, and normalise in the model's first layer"
        )


def additions_to(own: tuple[Setting, ...], criterion: bool) -> tuple[Setting, ...]:
    """The additions that a method takes, without names that its own settings have.

    >>> [setting.name for setting in additions_to((), criterion=False)]
    ['noise', 'augmix']
    """
    names = {setting.name for setting in own}
    every = ADDITIONS if criterion else OF_INPUTS
    return tuple(setting for setting in every if setting.name not in names)


def checked(name: str, criterion: bool, given: Mapping[str, Any]) -> Added:
    """The additions given for the method of this name; `criterion` says whether it has one.

    A value out of range, or additions that cannot be combined, raise `ArcalError`.

    >>> checked("vanilla", True, {"noise": 0.1, "mixup": None})
    Added(mixup=None, regmixup=None, noise=0.1, augmix=None, perturbed=None, perturbed_by=None, \
entropy=None, mbls=None)
    """
    for setting in ADDITIONS:
        if given.get(setting.name) is not None:
            setting.check(given[setting.name])
            if not criterion and setting not in OF_INPUTS:
                raise ArcalError(f"{name} makes its own inputs: leave {setting.name} out")
    added = Added(**given)
    if added.augmix and not criterion:
        raise ArcalError(
            f"{name} makes its own inputs, which have no consistency loss: give augmix 0, which "
            "trains on AugMix's images without it"
        )
    if added.mixup is not None and added.regmixup is not None:
        raise ArcalError("mixup and regmixup both mix the batch: leave one out")
    if added.mixup is not None and added.augmix:
        raise ArcalError(
            "mixup leaves no clean image for AugMix's consistency loss: leave mixup out, take "
            "regmixup, or give augmix 0, which trains on AugMix's images without that loss"
        )
    if added.perturbed_by is not None:
        check_distances(added.perturbed_by)
        if added.perturbed is None:
            raise ArcalError(
                "perturbed_by is given without perturbed: give the share of the distance as well"
            )
    return added
