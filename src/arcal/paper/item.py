"""What a table or figure of the paper is: the runs it needs, and what it makes of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from arcal.data import Data
from arcal.errors import ArcalError
from arcal.evaluation import MethodRuns
from arcal.paper.result import Result
from arcal.paper.scales import Chosen, Setting


@dataclass(frozen=True)
class Need:
    """Methods, by their keys, on the setting of a name; under shift, or on other data, as well.

    `levels` asks for the robustness of the test images by every run of these methods.

    A key is one of `scales.METHODS`, `R=4` for AR-AdaLS with 4 levels, or a post-hoc method on top
    such as `vanilla + temperature`. A setting that a scale does not have is left out.
    """

    setting: str
    keys: tuple[str, ...]
    shift: bool = False
    ood: bool = False
    levels: bool = False


@dataclass(frozen=True)
class Item:
    """One table or figure; `of_kept` if what `evaluation.kept` has of a run is enough for it."""

    name: str
    title: str
    needs: Callable[[Mapping[str, Setting]], list[Need]]
    make: Callable[["Found"], Result]
    of_kept: bool = False


@dataclass(frozen=True)
class Evaluated:
    """A setting with its data, what was chosen on validation, and its evaluated runs by key."""

    setting: Setting
    data: Data
    chosen: Chosen
    runs: Mapping[str, MethodRuns]


@dataclass(frozen=True)
class Found:
    """All evaluated settings of a scale, by name."""

    scale: str
    settings: Mapping[str, Evaluated]

    def has(self, setting: str) -> bool:
        """Whether the scale has this setting."""
        return setting in self.settings

    def of(self, setting: str, key: str) -> MethodRuns:
        """The evaluated runs of a method on a setting; what no item asked for raises."""
        runs = self.settings[setting].runs
        if key not in runs:
            raise ArcalError(f"{key} was not evaluated on {setting}: add it to what the item needs")
        return runs[key]
