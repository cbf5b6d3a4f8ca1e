"""The runs that tables and figures need, each once; the time that is left; their evaluation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from arcal.attacks import attack_named
from arcal.auditing import CLEAN, EvaluationSet, Subject, shift_sets
from arcal.compute import Compute
from arcal.data import Data, Part, load_test
from arcal.data.corrupted import CorruptedImages
from arcal.data.fewer import drawn, only_classes
from arcal.evaluation import evaluate, evaluated_part, predict
from arcal.paper.item import Item
from arcal.paper.rows import SAMPLE, SHIFT, SURE, TEST, Row, read_rows, write_rows
from arcal.paper.scales import Chosen, Setting
from arcal.paper.variants import Variant
from arcal.store import RunFolder
from arcal.training import Sweep, tries
from arcal.training.many import with_bases
from arcal.training.run import Run
from arcal.training.saved_run import is_done


@dataclass(frozen=True)
class Grid:
    """A setting of a method that is chosen on validation with the first seed."""

    run: Run
    setting: str
    values: tuple[Any, ...]

    @property
    def runs(self) -> list[Run]:
        """The runs that are tried; none if there is nothing to choose."""
        return tries(self.run, self.setting, self.values) if len(self.values) > 1 else []

    @property
    def first(self) -> Any:
        """The first value, None if there is none."""
        return next(iter(self.values), None)

    def best(self, folders: Sequence[RunFolder]) -> Any:
        """The value with the lowest validation ECE after the final epoch; None if there is none."""
        if len(self.values) < 2:
            return self.first
        ece = [folder.epochs()[-1]["ece"] for folder in folders]
        return Sweep(self.setting, dict(zip(self.values, ece, strict=True))).best


@dataclass(frozen=True)
class Planned:
    """What one setting has to train, in two stages, and to evaluate.

    The test images are scored by the runs of `scored`.
    """

    setting: Setting
    variants: tuple[Variant, ...]
    shift: bool
    ood: bool
    scored: tuple[Variant, ...] = ()
    sure: bool = False

    @property
    def trained(self) -> list[Variant]:
        """What is trained; a calibrated variant shares its training with the plain one."""
        return list(dict.fromkeys(variant.trained for variant in self.variants))

    @property
    def posthoc(self) -> dict[str, list[Variant]]:
        """The calibrations after training that are needed, and for which variants."""
        by_name: dict[str, list[Variant]] = {}
        for variant in self.variants:
            if variant.posthoc is not None:
                by_name.setdefault(variant.posthoc, []).append(variant.trained)
        return by_name

    def calibrated(self, variant: Variant) -> list[Variant]:
        """What is calibrated after the training of a variant."""
        return [one for one in self.variants if one.posthoc and one.trained == variant]

    def grids(self) -> dict[str, Grid]:
        """The grids of what is chosen on validation, by name in `Chosen`; empty if not needed."""
        first = replace(self.setting.run, seeds=self.setting.seeds[:1])
        by_attack = {"order": "attack", "attack": self.setting.attack}
        grids = {
            "epsilon": Grid(
                replace(first, method="label-smoothing"), "epsilon", self.setting.epsilons
            ),
            "alpha": Grid(
                replace(first, method="ar-adals", settings=by_attack), "alpha", self.setting.alphas
            ),
            "adals_alpha": Grid(replace(first, method="adals"), "alpha", self.setting.adals_alphas),
        }
        some = Chosen(0.25, 0.25, 0.25)
        needed = {
            name: self.runs(replace(some, **{name: 0.5})) != self.runs(some) for name in grids
        }
        return {
            name: grid if needed[name] else replace(grid, values=()) for name, grid in grids.items()
        }

    def runs(self, chosen: Chosen) -> dict[Variant, list[Run]]:
        """The runs of everything that is trained."""
        return {variant: self.setting.runs(variant, chosen) for variant in self.trained}


def plan_runs(items: Sequence[Item], settings: Mapping[str, Setting]) -> list[Planned]:
    """What the items need together, by setting in the order of the scale."""
    planned = []
    for name, setting in settings.items():
        here = [item for item in items if name in item.settings]
        if here:
            variants = dict.fromkeys(v for item in here for v in item.variants_on(setting))
            ranked = (item for item in here if item.scored)
            scored = dict.fromkeys(v.trained for item in ranked for v in item.variants_on(setting))
            shift, ood = any(item.shift for item in here), any(item.ood for item in here)
            sure = any(item.sure for item in here)
            planned.append(Planned(setting, tuple(variants), shift, ood, tuple(scored), sure))
    return planned


@dataclass(frozen=True)
class Progress:
    """A run of the plan: its folder, and how many of its epochs are done.

    One that is `kept` need not be trained again.
    """

    run: Run
    folder: RunFolder
    done: int
    kept: bool = False

    @property
    def finished(self) -> bool:
        return self.kept or is_done(self.folder)


def progress_of(runs: Sequence[Run], root: Path, data: Data) -> list[Progress]:
    """How far each run is, including the vanilla runs that it ranks by. No folder is created."""
    folders = [(run, RunFolder(run.path(root, data))) for run in with_bases(runs)]
    return [Progress(run, folder, folder.epochs_done()) for run, folder in folders]


def seconds_left(progress: Sequence[Progress]) -> float | None:
    """An estimate from the epochs that are done: None while none is, 0 if nothing is left.

    A run takes the epochs it has left, times its members, times the mean seconds of its method for
    an epoch and member, or the mean over methods if its own has not run.
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


Runs = Mapping[Variant, Sequence[Run]]
"""The runs of everything that is trained."""


@dataclass(frozen=True)
class Work:
    """What is planned on one setting, with its data; `root` is the folder of the runs.

    Corrupted images are kept in the folder `cache`, if there is one.
    """

    planned: Planned
    data: Data
    root: Path
    cache: Path | None = None

    def folders(self, runs: Sequence[Run]) -> list[RunFolder]:
        """Where these runs are, or will be."""
        return [RunFolder(run.path(self.root, self.data)) for run in runs]

    def names(self, runs: Sequence[Run]) -> list[str]:
        """The names of their folders."""
        return [folder.name for folder in self.folders(runs)]

    @property
    def tried(self) -> list[Run]:
        """The runs of all grids, by which something is chosen."""
        return [run for grid in self.planned.grids().values() for run in grid.runs]

    def chosen(self) -> Chosen:
        """The best value of each grid, once its runs are trained."""
        grids = self.planned.grids().items()
        return Chosen(**{name: grid.best(self.folders(grid.runs)) for name, grid in grids})

    @cached_property
    def sets(self) -> dict[EvaluationSet, Part]:
        """The sets to evaluate on: the clean test set, and those under shift."""
        shifted = replace(self.data, test=self._shifted)
        parts = {where: evaluated_part(where, shifted, self._images) for where in self._shift_sets}
        return {CLEAN: self.data.test} | parts

    def evaluate(
        self, runs: Runs, *, compute: Compute, progress: Callable[[int, int], object]
    ) -> list[Subject]:
        """Evaluate the trained runs; returns them as subjects, each once."""
        setting, folders = self.planned.setting, {v: self.folders(some) for v, some in runs.items()}
        return evaluate(
            list(chain(*folders.values())),
            self.data,
            self._shift_sets,
            setting.order,
            attack=None if setting.attack is None else attack_named(setting.attack),
            ood=self._other_data,
            corrupted=self._images,
            posthoc={
                name: list(chain(*(folders.get(variant, ()) for variant in variants)))
                for name, variants in self.planned.posthoc.items()
            },
            shifted=self._shifted,
            scored=list(chain(*(folders.get(variant, ()) for variant in self.planned.scored))),
            compute=compute,
            progress=progress,
        )

    def not_kept(self, runs: Runs, folder: Path) -> dict[Variant, list[Run]]:
        """The runs that have no file of figures in the folder with all sets and calibrations."""
        sets = {
            (str(one.corruption), str(one.intensity)) if one.is_shifted else (TEST, "")
            for one in self.sets
        }
        means = {(TEST, ""), *([(SHIFT, "")] if self._shift_sets else [])}
        missing = {}
        for variant, some in runs.items():
            needed = {(variant.title, *where) for where in sets}
            for one in self.planned.calibrated(variant):
                needed |= {(one.title, *where) for where in means}
            missing[variant] = [run for run in some if needed - self._kept_sets(run, folder)]
        return missing

    def _kept_sets(self, run: Run, folder: Path) -> set[tuple[str, str, str]]:
        """The method, set and intensity of each of its rows."""
        rows = self._kept(run, folder)
        return {(row["method"], row["set"], row.get("intensity", "")) for row in rows}

    def keep(self, run: Run, rows: Sequence[Row], folder: Path) -> None:
        """Write a run's figures."""
        (name,) = self.names([run])
        write_rows(folder / f"{name}.csv", rows)

    def kept_rows(self, runs: Runs, folder: Path) -> list[Row]:
        """The figures of these runs in the folder."""
        return [row for run in chain(*runs.values()) for row in self._kept(run, folder)]

    def _kept(self, run: Run, folder: Path) -> list[Row]:
        (name,) = self.names([run])
        path = folder / f"{name}.csv"
        return read_rows(path) if path.exists() else []

    def sure(self, runs: Sequence[Run]) -> list[float]:
        """The share of training images that each run is sure of, of about `SAMPLE` of them."""
        train = self.data.train
        part = train.subset(train.ids[:: max(1, len(train) // SAMPLE)])
        name = f"train-every-{len(train) // len(part)}"
        confidences = [predict(one, part, name).confidence for one in self.folders(runs)]
        return [(one > SURE).double().mean().item() for one in confidences]

    def by_variant(self, subjects: Sequence[Subject], runs: Runs) -> dict[Variant, Subject]:
        """The subject of each variant; variants with the same runs share one."""
        known = {
            (frozenset(run.name for run in one.provenance), one.method and one.method.posthoc): one
            for one in subjects
        }
        return {
            variant: known[frozenset(self.names(runs[variant.trained])), variant.posthoc]
            for variant in self.planned.variants
            if variant.trained in runs
        }

    @property
    def _shift_sets(self) -> list[EvaluationSet]:
        return shift_sets(self.planned.setting.shift) if self.planned.shift else []

    @property
    def _images(self) -> CorruptedImages:
        return CorruptedImages(cache=self.cache)

    @property
    def _shifted(self) -> Part:
        setting = self.planned.setting
        return drawn(self.data.test, setting.shift_images, split_seed=setting.run.split_seed)

    @property
    def _other_data(self) -> list[Part]:
        setting = self.planned.setting
        if not self.planned.ood or setting.ood is None:
            return []
        return [only_classes(load_test(setting.ood), setting.ood_classes)]
