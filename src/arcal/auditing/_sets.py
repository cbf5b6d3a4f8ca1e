"""What a classifier is evaluated on: a part of the data, clean or under one corruption."""

from collections.abc import Sequence
from dataclasses import dataclass

from arcal.errors import ArcalError
from arcal.transforms.corruptions import CIFAR100_C_PAPER, CORRUPTIONS, EXTRA, IMAGENET_C

INTENSITIES = (1, 2, 3, 4, 5)
TYPES = {"all": CORRUPTIONS, "standard": IMAGENET_C, "extra": EXTRA, "cifar100": CIFAR100_C_PAPER}
"""Named sets of types: all 19; the 15 of ImageNet-C; the 4 left for choosing on validation; the 17
of the paper's CIFAR-100-C."""


@dataclass(frozen=True)
class EvaluationSet:
    """A part of the data (`test`, `validation` or `train`), clean or under one corruption.

    `corruption` is one of `CORRUPTIONS` with an `intensity` from 1 to 5, or None and 0.

    >>> EvaluationSet(corruption="fog", intensity=3).name
    'test-fog-3'
    """

    part: str = "test"
    corruption: str | None = None
    intensity: int = 0

    @property
    def name(self) -> str:
        """What it is called in files, such as `test` or `test-gaussian_noise-3`."""
        corruption = f"-{self.corruption}-{self.intensity}" if self.corruption else ""
        return self.part + corruption

    @property
    def is_shifted(self) -> bool:
        """Whether it is a corrupted test set: what a mean over shift is taken over."""
        return self.part == "test" and self.corruption is not None


CLEAN = EvaluationSet()
"""The test set as it is."""


@dataclass(frozen=True)
class OverShift:
    """The mean over all corrupted test sets: each set alike, and not the figure of their pool.

    >>> OVER_SHIFT == OverShift(), OVER_SHIFT.name
    (True, 'shifted')
    """

    name: str = "shifted"


OVER_SHIFT = OverShift()


def shift_sets(names: Sequence[str], part: str = "test") -> list[EvaluationSet]:
    """The corrupted sets that `names` stand for, each once; all 95 without a name.

    A name is a key of `TYPES` or a type of corruption, at all five intensities, or TYPE-INTENSITY;
    hyphens and underscores are the same. An unknown one raises `ArcalError`.

    >>> [one.name for one in shift_sets(["fog-3", "contrast-1"])]
    ['test-fog-3', 'test-contrast-1']
    """
    sets: dict[EvaluationSet, None] = {}
    for name in names or ("all",):
        spelled = name.replace("-", "_")
        type, _, intensity = spelled.rpartition("_")
        if type in CORRUPTIONS and intensity in map(str, INTENSITIES):
            sets[EvaluationSet(part, type, int(intensity))] = None
            continue
        if spelled not in TYPES and spelled not in CORRUPTIONS:
            raise ArcalError(
                f"shift {name!r} is unknown: write {', '.join(TYPES)}, a type ("
                f"{', '.join(CORRUPTIONS)}), or TYPE-INTENSITY with an intensity from 1 to 5"
            )
        for type in TYPES.get(spelled, (spelled,)):
            sets.update(dict.fromkeys(EvaluationSet(part, type, i) for i in INTENSITIES))
    return list(sets)


def without_extra(types: Sequence[str]) -> list[str]:
    """The types without the four that settings are chosen with, on validation images.

    >>> without_extra(["fog", "spatter", "contrast"])
    ['fog', 'contrast']
    """
    return [type for type in types if type not in EXTRA]
