"""A table or figure of the paper: what it needs, and the evaluated settings it is made from."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from arcal.auditing import INTENSITIES
from arcal.errors import ArcalError
from arcal.paper.figures import Figures, by_method
from arcal.paper.result import Result
from arcal.paper.rows import SHIFT, Row, seeds_of
from arcal.paper.scales import PAPER, TITLES, Chosen, Setting
from arcal.paper.variants import AR_ADALS, Variant
from arcal.transforms.corruptions import CORRUPTIONS

CHOSEN = "chosen"
"""The `run` of rows that say what was chosen on validation images."""


@dataclass(frozen=True, eq=False)
class Evaluated:
    """A setting with what was chosen on validation, and the figures of its methods by title."""

    setting: Setting
    chosen: Chosen
    methods: Mapping[str, Figures]

    @classmethod
    def from_rows(cls, setting: Setting, rows: Iterable[Row]) -> "Evaluated":
        """A setting as it was evaluated, which may be with other seeds than those of the scale."""
        mine = [row for row in rows if row["setting"] == setting.name]
        picked = {row["part"]: row["value"] for row in mine if row["run"] == CHOSEN}
        chosen = {
            name: picked.get(name, values[0] if len(values) == 1 else None)
            for name, values in setting.grids.items()
        }
        methods = by_method(row for row in mine if row["run"] != CHOSEN)
        return cls(replace(setting, seeds=seeds_of(mine)), Chosen(**chosen), methods)

    @property
    def title(self) -> str:
        """The data set and the network that it is of."""
        return self.setting.title

    def figures(self, variant: Variant) -> Figures:
        """The figures of a variant; one that no item needs raises `ArcalError`."""
        if variant.title not in self.methods:
            raise ArcalError(
                f"{variant.title} was not evaluated on {self.setting.name}: add it to what the "
                "item needs"
            )
        return self.methods[variant.title]


@dataclass(frozen=True)
class Item:
    """One table or figure: what it needs, and what it makes of its evaluated settings, by name.

    It needs `variants` on each of its `settings` that the scale has; with `shift` under shift as
    well, with `ood` on other data as well, if `scored` the robustness of the test images by all
    runs, with `sure` how many training images Vanilla is sure of, and with `vary_levels` AR-AdaLS
    with each number of levels that a setting tries. `from_kept` says that it can be made of runs
    that were evaluated one by one.
    """

    name: str
    settings: tuple[str, ...]
    variants: tuple[Variant, ...]
    make: Callable[[Mapping[str, Evaluated]], Result]
    shift: bool = False
    ood: bool = False
    scored: bool = False
    vary_levels: bool = False
    sure: bool = False
    from_kept: bool = False

    def variants_on(self, setting: Setting) -> tuple[Variant, ...]:
        """All the variants that it needs on a setting."""
        levels = setting.levels if self.vary_levels else ()
        return tuple(dict.fromkeys((*self.variants, *map(AR_ADALS.with_levels, levels))))

    def can_be_made(self, evaluated: Mapping[str, Evaluated]) -> bool:
        """Whether all that it needs is there, on at least one of its settings."""
        here = [evaluated[name] for name in self.settings if name in evaluated]
        return bool(here) and all(
            self._is_known(one.methods.get(variant.title))
            for one in here
            for variant in self.variants_on(one.setting)
        )

    def _is_known(self, figures: Figures | None) -> bool:
        if figures is None or (self.shift and figures.runs(SHIFT, "ece") is None):
            return False
        return not self.scored or figures.levels is not None


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
            line += f"; under shift: {shift_words(next(iter(one.methods.values())))}"
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


def shift_words(figures: Figures) -> str:
    """Which types of corruption a method was evaluated under, and at which intensities."""
    intensities = figures.types
    if not intensities:
        return "nothing"
    words, different = _type_words(list(intensities)), set(intensities.values())
    if different == {INTENSITIES}:
        return f"{words}, all five intensities"
    if len(different) == 1:
        return f"{words}, intensities {_joined(different.pop())}"
    each = "; ".join(f"{type} {_joined(some)}" for type, some in intensities.items())
    return f"{len(intensities)} of {len(CORRUPTIONS)} types with intensities ({each})"


def _type_words(types: list[str]) -> str:
    missing = [type for type in CORRUPTIONS if type not in types]
    if not missing:
        return f"all {len(CORRUPTIONS)} types"
    which = f"all but {', '.join(missing)}" if len(missing) < len(types) else ", ".join(types)
    return f"{len(types)} of {len(CORRUPTIONS)} types ({which})"


def _joined(intensities: tuple[int, ...]) -> str:
    return ", ".join(map(str, intensities))
