"""What a table or figure of the paper is: what it needs, and what it makes of that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from arcal.auditing import Subject
from arcal.data import Data
from arcal.errors import ArcalError
from arcal.paper.result import Result
from arcal.paper.scales import Chosen, Setting
from arcal.paper.variants import AR_ADALS, Variant
from arcal.store import RunFolder


@dataclass(frozen=True, eq=False)
class Evaluated:
    """A setting with its data, what was chosen on validation, and its evaluated subjects.

    `folders` are those of all runs, by their names; they are gone where summaries were read.
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

    It needs `variants` on each of the `settings` of these names that the scale has, under `shift`
    or on other data, `ood`, as well; if `scored` the robustness of the test images by all runs,
    too, and with `vary_levels` AR-AdaLS with each number of levels that a setting tries.
    `from_summaries` says that what `evaluation.read_summaries` has of a run is enough.
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
        """All that it needs on a setting."""
        levels = setting.levels if self.vary_levels else ()
        return (*self.variants, *map(AR_ADALS.with_levels, levels))
