"""Which runs the tables and figures need: shared, each trained once, with the time that is left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from arcal.data import Data
from arcal.paper.item import Item, Need
from arcal.paper.scales import Chosen, Setting
from arcal.store import RunFolder
from arcal.training._sweep import Sweep, tries
from arcal.training.many import with_bases
from arcal.training.run import Run, is_done


@dataclass(frozen=True)
class Grid:
    """A setting of a method that is chosen on validation with the first seed."""

    run: Run
    setting: str
    values: tuple[Any, ...]

    @property
    def runs(self) -> list[Run]:
        """The runs that are tried; none if there is nothing to choose."""
        if len(self.values) < 2:
            return []
        return tries(self.run, self.setting, self.values)

    @property
    def first(self) -> Any:
        """The first value, None if there is none."""
        return next(iter(self.values), None)

    def best(self, folders: Sequence[RunFolder]) -> Any:
        """The value with the lowest validation ECE after the final epoch; None if there is none."""
        if len(self.values) < 2:
            return self.first
        return Sweep(self.setting, dict(zip(self.values, _ece(folders), strict=True))).best


def _ece(folders: Sequence[RunFolder]) -> list[float]:
    return [folder.epochs()[-1]["ece"] for folder in folders]


@dataclass(frozen=True)
class Planned:
    """What one setting has to train, in two stages, and to evaluate."""

    setting: Setting
    keys: tuple[str, ...]
    shift: bool
    ood: bool
    by_level: tuple[str, ...] = ()
    """The keys whose runs score the test images."""

    def grids(self) -> dict[str, Grid]:
        """What is chosen on validation, by its name in `Chosen`; no value if nobody needs it."""
        first = replace(self.setting.run, seeds=self.setting.seeds[:1])
        by_attack = {"order": "attack", "attack": self.setting.attack}
        attacked = replace(first, method="ar-adals", settings=by_attack)
        smoothed = replace(first, method="label-smoothing", settings={})
        adaptive = replace(first, method="adals", settings={})
        bases = set(self.bases())
        ranked = bases - {"vanilla", "ls", "adals", "mixup", "ccat", "joint"}

        def grid(run: Run, setting: str, values: tuple[Any, ...], needed: bool) -> Grid:
            return Grid(run, setting, values if needed else ())

        return {
            "epsilon": grid(smoothed, "epsilon", self.setting.epsilons, "ls" in bases),
            "alpha": grid(attacked, "alpha", self.setting.alphas, bool(ranked)),
            "adals_alpha": grid(adaptive, "alpha", self.setting.adals_alphas, "adals" in bases),
        }

    def bases(self) -> list[str]:
        """The keys of what is trained; post-hoc methods train nothing."""
        return list(dict.fromkeys(key.partition(" + ")[0] for key in self.keys))

    def posthoc(self) -> dict[str, list[str]]:
        """The post-hoc methods that are asked for, and after which keys."""
        found: dict[str, list[str]] = {}
        for key in self.keys:
            base, _, name = key.partition(" + ")
            if name:
                found.setdefault(name, []).append(base)
        return found

    def runs(self, chosen: Chosen) -> dict[str, list[Run]]:
        """The runs of every key that is trained."""
        return {key: self.setting.runs(key, chosen) for key in self.bases()}


def plan(items: Sequence[Item], settings: Mapping[str, Setting]) -> list[Planned]:
    """What the items need together, by setting in the order of the scale."""
    needs = [need for item in items for need in item.needs(settings) if need.setting in settings]
    planned = []
    for name, setting in settings.items():
        of_setting: list[Need] = [need for need in needs if need.setting == name]
        if of_setting:
            keys = dict.fromkeys(key for need in of_setting for key in need.keys)
            shift, ood = any(n.shift for n in of_setting), any(n.ood for n in of_setting)
            levels = (key for need in of_setting if need.levels for key in need.keys)
            by_level = tuple(dict.fromkeys(key.partition(" + ")[0] for key in levels))
            planned.append(Planned(setting, tuple(keys), shift, ood, by_level))
    return planned


@dataclass(frozen=True)
class Progress:
    """A run of the plan: its folder, and how many of its epochs are done."""

    run: Run
    folder: RunFolder
    done: int
    kept: bool = False
    """Whether its figures are kept, so that it need not be trained again."""

    @property
    def finished(self) -> bool:
        return self.kept or is_done(self.folder)


def progress_of(runs: Sequence[Run], root: Path, data: Data) -> list[Progress]:
    """How far each run is. Folders that are not there yet are not made."""
    found = []
    for run in with_bases(runs):
        folder = RunFolder(run.path(root, data))
        found.append(Progress(run, folder, folder.epochs_done()))
    return found


def seconds_left(progress: Sequence[Progress]) -> float | None:
    """An estimate from the epochs that are done: None while none is, 0 if nothing is left.

    A run takes its epochs times its members times the seconds of an epoch and member of its own
    method, or, where that has not run, the mean over those that have.
    """
    left = [one for one in progress if not one.finished]
    if not left:
        return 0.0
    spent: dict[str, list[float]] = {}
    for one in progress:
        for record in one.folder.epochs():
            whole = record["seconds"] + record.get("rescoring_seconds", 0.0)
            spent.setdefault(one.run.method, []).append(whole / len(one.run.seeds))
    if not spent:
        return None
    means = {method: sum(times) / len(times) for method, times in spent.items()}
    usual = sum(means.values()) / len(means)
    return sum(
        (one.run.recipe.epochs - one.done) * len(one.run.seeds) * means.get(one.run.method, usual)
        for one in left
    )
