"""A table or figure of the paper: what it needs, and the evaluated settings it is made from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from arcal.auditing import INTENSITIES, Subject, over_types
from arcal.data import Data
from arcal.errors import ArcalError
from arcal.paper.result import Result
from arcal.paper.scales import PAPER, TITLES, Chosen, Setting
from arcal.paper.variants import AR_ADALS, Variant
from arcal.store import RunFolder
from arcal.transforms.corruptions import CORRUPTIONS


@dataclass(frozen=True, eq=False)
class Evaluated:
    """A setting with its data, what was chosen on validation, and its evaluated subjects.

    `folders` are those of all runs, by name; they need not exist if summaries were read.
    """

    setting: Setting
    data: Data
    chosen: Chosen
    subjects: Mapping[Variant, Subject]
    folders: Mapping[str, RunFolder] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The data set and the network that it is of."""
        return self.setting.title

    def subject(self, variant: Variant) -> Subject:
        """The evaluated runs of a variant; one that no item needs raises `ArcalError`."""
        if variant not in self.subjects:
            raise ArcalError(
                f"{variant.title} was not evaluated on {self.setting.name}: add it to what the "
                "item needs"
            )
        return self.subjects[variant]


@dataclass(frozen=True)
class Item:
    """One table or figure: what it needs, and what it makes of its evaluated settings, by name.

    It needs `variants` on each of its `settings` that the scale has; with `shift` under shift as
    well, with `ood` on other data as well, if `scored` the robustness of the test images by all
    runs, and with `vary_levels` AR-AdaLS with each number of levels that a setting tries.
    `from_summaries` says that the summaries of runs (`evaluation.summaries`) are enough.
    """

    name: str
    settings: tuple[str, ...]
    variants: tuple[Variant, ...]
    make: Callable[[Mapping[str, Evaluated]], Result]
    shift: bool = False
    ood: bool = False
    scored: bool = False
    vary_levels: bool = False
    from_summaries: bool = False

    def variants_on(self, setting: Setting) -> tuple[Variant, ...]:
        """All the variants that it needs on a setting."""
        levels = setting.levels if self.vary_levels else ()
        return (*self.variants, *map(AR_ADALS.with_levels, levels))


def setting_notes(
    evaluated: Mapping[str, Evaluated], names: Sequence[str], *, shift: bool = False
) -> list[str]:
    """A line for each of these settings: what stands for it, or that it is not run."""
    lines = []
    for name in names:
        if name not in evaluated:
            lines.append(f"{TITLES[name]}: not run at this scale.")
            continue
        one = evaluated[name]
        line = setting_words(one)
        if shift:
            line += f"; under shift: {shift_words(next(iter(one.subjects.values())))}"
            if one.setting.shift_images is not None:
                line += f", of {one.setting.shift_images:,} test images"
        lines.append(line + ".")
    return lines


def setting_words(evaluated: Evaluated) -> str:
    """What a setting is, and how many seeds it has."""
    seeds = len(evaluated.setting.seeds)
    words = "1 seed" if seeds == 1 else f"{seeds} seeds"
    return f"{titled(evaluated)}: {evaluated.setting.about}; {words}"


def titled(evaluated: Evaluated) -> str:
    """A setting's title, with the data set and network of the paper that it stands for, if any."""
    printed = PAPER.get(evaluated.setting.name, evaluated.title)
    return (
        evaluated.title if printed == evaluated.title else f"{evaluated.title} (paper: {printed})"
    )


def alpha_notes(evaluated: Mapping[str, Evaluated], names: Sequence[str]) -> list[str]:
    """A note on the alpha of AR-AdaLS, if it is chosen in one of these settings."""
    if not any(len(evaluated[name].setting.alphas) > 1 for name in names if name in evaluated):
        return []
    return [
        "The α of AR-AdaLS is chosen on validation images, with pre-computed levels in the attack "
        "order; on the fly and with other orders it is the same."
    ]


def shift_words(subject: Subject) -> str:
    """Which types of corruption a subject was evaluated under, and at which intensities."""
    by_type = over_types(subject, "ece")
    if not by_type:
        return "nothing"
    intensities = {
        type: tuple(i for i in INTENSITIES if not values[0, i - 1].isnan())
        for type, values in by_type.items()
    }
    words, different = _type_words(list(by_type)), set(intensities.values())
    if different == {INTENSITIES}:
        return f"{words}, all five intensities"
    if len(different) == 1:
        return f"{words}, intensities {_joined(different.pop())}"
    each = "; ".join(f"{type} {_joined(some)}" for type, some in intensities.items())
    return f"{len(by_type)} of {len(CORRUPTIONS)} types with intensities ({each})"


def _type_words(types: list[str]) -> str:
    missing = [type for type in CORRUPTIONS if type not in types]
    if not missing:
        return f"all {len(CORRUPTIONS)} types"
    which = f"all but {', '.join(missing)}" if len(missing) < len(types) else ", ".join(types)
    return f"{len(types)} of {len(CORRUPTIONS)} types ({which})"


def _joined(intensities: tuple[int, ...]) -> str:
    return ", ".join(map(str, intensities))
