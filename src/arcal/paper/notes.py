"""What a reader must know beside the numbers of an item: what they were measured on."""

from collections.abc import Sequence

from arcal.evaluation import MethodRuns, over_types
from arcal.evaluation.sets import INTENSITIES
from arcal.paper.item import Found
from arcal.transforms.corruptions import CORRUPTIONS

STANDS_FOR = {
    "cifar10-resnet29": "CIFAR-10, ResNet-29",
    "cifar10-headline": "CIFAR-10, all training images",
    "cifar10-wrn": "CIFAR-10, WRN-28-10",
    "cifar100-wrn": "CIFAR-100, WRN-28-10",
    "imagenet-resnet101": "ImageNet, ResNet-101",
}
"""What settings stand for, by name."""


def notes_of(found: Found, names: Sequence[str], *, shift: bool = False) -> list[str]:
    """A line for each of these settings: what stands for it, or that it is not run."""
    lines = []
    for name in names:
        if not found.has(name):
            lines.append(f"{STANDS_FOR[name]}: not run at this scale.")
            continue
        evaluated = found.settings[name]
        setting = evaluated.setting
        line = f"{setting.stands_for}: {setting.about}; {len(setting.seeds)} seeds"
        if shift:
            line += f"; under shift: {shift_of(next(iter(evaluated.runs.values())))}"
            if setting.shift_images is not None:
                line += f", of {setting.shift_images:,} test images"
        lines.append(line + ".")
    return lines


def one_alpha(found: Found, names: Sequence[str]) -> list[str]:
    """What is to be said of the alpha of AR-AdaLS where it is chosen in one of these settings."""
    if not any(found.has(name) and len(found.settings[name].setting.alphas) > 1 for name in names):
        return []
    return [
        "The α of AR-AdaLS is chosen on validation for the attack order, pre-computed; on the fly "
        "and the other orders have the same."
    ]


def shift_of(runs: MethodRuns) -> str:
    """Which types of corruption runs were evaluated under, and at which intensities, in words."""
    types = over_types(runs, "ece")
    if not types:
        return "nothing"
    at = {
        type: tuple(i for i in INTENSITIES if not v[0, i - 1].isnan()) for type, v in types.items()
    }
    words = _types(list(types))
    if set(at.values()) == {INTENSITIES}:
        return f"{words}, all five intensities"
    if len(set(at.values())) == 1:
        return f"{words}, intensities {_joined(next(iter(at.values())))}"
    each = "; ".join(f"{type} {_joined(found)}" for type, found in at.items())
    return f"{len(types)} of {len(CORRUPTIONS)} types with intensities ({each})"


def _types(types: list[str]) -> str:
    missing = [type for type in CORRUPTIONS if type not in types]
    if not missing:
        return f"all {len(CORRUPTIONS)} types"
    which = f"all but {', '.join(missing)}" if len(missing) < len(types) else ", ".join(types)
    return f"{len(types)} of {len(CORRUPTIONS)} types ({which})"


def _joined(intensities: tuple[int, ...]) -> str:
    return ", ".join(map(str, intensities))
