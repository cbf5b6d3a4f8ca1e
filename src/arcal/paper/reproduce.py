"""From the names of tables and figures to their results on disk."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from arcal.attacks import attack_named
from arcal.data import Data, Part, load_test
from arcal.data.fewer import drawn, only_classes
from arcal.errors import ArcalError
from arcal.evaluation import (
    CLEAN,
    MethodRuns,
    Source,
    collect,
    is_kept,
    keep,
    kept,
    shift_sets,
    write_tidy,
)
from arcal.files import write_json, write_whole
from arcal.paper.item import Evaluated, Found, Item
from arcal.paper.overview import about_of, overview
from arcal.paper.plan import Grid, Planned, Progress, plan, progress_of, seconds_left
from arcal.paper.result import Result, as_json, as_markdown
from arcal.paper.scales import Chosen, Setting, check_there
from arcal.report.drawing import render
from arcal.store import RunFolder
from arcal.training.run import Run

Train = Callable[[list[Run]], list[RunFolder]]
"""Trains runs, each once, and returns their folders in the same order."""

Bar = Callable[[str, str], AbstractContextManager[Callable[[int, int], object]]]
"""Opens a progress bar: what is done, in which unit."""


@dataclass(frozen=True)
class Reproduction:
    """Items at a scale: `root` is the folder of the runs, `out` that of the results.

    With a folder `keep` a small file stays there of every run that is evaluated, seed after seed,
    and a run that has one is neither trained nor evaluated again.
    """

    items: Sequence[Item]
    scale: str
    settings: Mapping[str, Setting]
    root: Path
    out: Path
    train: Train
    bar: Bar
    cache: Path | None = None
    keep: Path | None = None
    accelerator: str = "cpu"
    workers: int = 1
    """Processes that share the evaluation."""

    def run(self) -> list[Result]:
        """Train what is missing, evaluate, and write every item as soon as it can be made."""
        self._check_kept()
        planned = self._planned()
        for one in planned:
            check_there(one.setting.run.data)
            if one.ood and one.setting.ood:
                check_there(one.setting.ood)
        evaluated: dict[str, Evaluated] = {}
        results: dict[str, Result] = {}
        for i, one in enumerate(planned, start=1):
            evaluated[one.setting.name] = self._evaluated(one)
            later = {other.setting.name for other in planned[i:]}
            for item in self.items:
                used = {need.setting for need in item.needs(self.settings)}
                if item.name in results or used & later:
                    continue
                found = Found(self.scale, evaluated)
                results[item.name] = item.make(found)
                about = [about_of(of) for name, of in evaluated.items() if name in used]
                self.write(results[item.name], {"scale": self.scale, "settings": about})
            page = overview(self.out, self.scale)
            write_whole(self.out / "README.md", lambda to, page=page: to.write_text(page))
        return [results[item.name] for item in self.items]

    def status(self) -> list[tuple[Planned, list[Progress], float | None]]:
        """Every setting's runs, how far they are, and the seconds that they still need.

        What is not chosen yet stands in the plan with the first value of its grid.
        """
        self._check_kept()
        found = []
        for planned in self._planned():
            data = planned.setting.run.load()
            grids = planned.grids()
            tried = [run for grid in grids.values() for run in grid.runs]
            first = progress_of(tried, self.root, data)
            if all(one.finished for one in first):
                chosen = self._chosen(grids, data)
            else:
                chosen = Chosen(**{name: grid.first for name, grid in grids.items()})
            by_key = planned.runs(chosen)
            runs, left = (
                [run for of_key in of.values() for run in of_key]
                for of in (by_key, self._not_kept(planned, data, by_key))
            )
            progress = progress_of(tried + left, self.root, data)
            others = {one.folder.path for one in progress}
            for one in progress_of(runs, self.root, data):
                if one.folder.path not in others and one.run in runs:
                    progress.append(replace(one, done=one.run.recipe.epochs, kept=True))
            found.append((planned, progress, seconds_left(progress)))
        return found

    def _planned(self) -> list[Planned]:
        planned = plan(self.items, self.settings)
        if not planned:
            names = ", ".join(item.name for item in self.items)
            raise ArcalError(
                f"the scale {self.scale} has none of the data sets that {names} needs: "
                "choose another by --scale"
            )
        return planned

    def _evaluated(self, planned: Planned) -> Evaluated:
        setting = planned.setting
        data = setting.run.load()
        grids = planned.grids()
        self.train([run for grid in grids.values() for run in grid.runs])
        chosen = self._chosen(grids, data)
        by_key = planned.runs(chosen)
        folders = {key: self._folders(runs, data) for key, runs in by_key.items()}
        if self.keep is None:
            self.train([run for runs in by_key.values() for run in runs])
            groups = self._collected(planned, data, folders)
        else:
            self._keep(planned, data, by_key)
            sets, different = self._sets(planned, data), {tuple(of): of for of in folders.values()}
            groups = [runs for of in different.values() for runs in kept(self.keep, of, sets)]
        about = {"scale": self.scale, "setting": setting.name, "about": setting.about}
        tidy = self.out / f"{setting.name}.parquet"
        write_tidy(tidy, groups, keep_others=True, **about)
        return Evaluated(setting, data, chosen, _by_key(groups, folders))

    def _keep(self, planned: Planned, data: Data, by_key: Mapping[str, Sequence[Run]]) -> None:
        """Train, evaluate and keep what is not kept yet, the runs of one seed after another."""
        assert self.keep is not None
        for seeds in dict.fromkeys(run.seeds for runs in by_key.values() for run in runs):
            missing = {  # asked each time: another process may have kept some
                key: [run for run in runs if run.seeds == seeds]
                for key, runs in self._not_kept(planned, data, by_key).items()
            }
            if not any(missing.values()):
                continue
            self.train([run for runs in missing.values() for run in runs])
            folders = {key: self._folders(runs, data) for key, runs in missing.items()}
            groups = self._collected(planned, data, folders)
            keep(groups, self.keep, self._sets(planned, data))

    def _not_kept(
        self, planned: Planned, data: Data, by_key: Mapping[str, Sequence[Run]]
    ) -> dict[str, list[Run]]:
        """The runs of every key without those that are kept with all sets and post-hoc methods."""
        if self.keep is None:
            return {key: list(runs) for key, runs in by_key.items()}
        sets, twins = self._sets(planned, data), planned.posthoc()
        return {
            key: [
                run
                for run, folder in zip(runs, self._folders(runs, data), strict=True)
                if not is_kept(
                    self.keep, folder.name, sets, [name for name, of in twins.items() if key in of]
                )
            ]
            for key, runs in by_key.items()
        }

    def _check_kept(self) -> None:
        """Refuse items that need more than is kept, before anything is trained."""
        needy = [item.name for item in self.items if not item.of_kept]
        if self.keep is not None and needy:
            raise ArcalError(
                f"{', '.join(needy)} cannot be made of what is kept of a run: leave --keep out"
            )

    def _sets(self, planned: Planned, data: Data) -> dict[str, Part]:
        """What is evaluated on, by name: the clean test set, and under shift."""
        shifted, source = replace(data, test=_shifted(planned, data)), Source(cache=self.cache)
        sets = shift_sets(planned.setting.shift) if planned.shift else []
        return {CLEAN: data.test} | {at.name: at.of(shifted, source) for at in sets}

    def _folders(self, runs: Sequence[Run], data: Data) -> list[RunFolder]:
        return [RunFolder(run.path(self.root, data)) for run in runs]

    def _chosen(self, grids: Mapping[str, Grid], data: Data) -> Chosen:
        """The best of each grid, whose runs are trained."""
        folders = {name: self._folders(grid.runs, data) for name, grid in grids.items()}
        return Chosen(**{name: grid.best(folders[name]) for name, grid in grids.items()})

    def _collected(
        self, planned: Planned, data: Data, folders: Mapping[str, list[RunFolder]]
    ) -> list[MethodRuns]:
        """Evaluated runs, each once."""
        setting = planned.setting
        ood = []
        if planned.ood and setting.ood:
            ood = [only_classes(load_test(setting.ood), setting.ood_classes)]
        with self.bar(f"evaluating {setting.name}", "sets") as progress:
            return collect(
                [folder for of_key in folders.values() for folder in of_key],
                data,
                shift_sets(setting.shift) if planned.shift else [],
                setting.order,
                attack=None if setting.attack is None else attack_named(setting.attack),
                ood=ood,
                source=Source(cache=self.cache),
                posthoc={
                    name: [folder for key in keys for folder in folders.get(key, [])]
                    for name, keys in planned.posthoc().items()
                },
                shifted=_shifted(planned, data),
                scored=[folder for key in planned.by_level for folder in folders.get(key, [])],
                accelerator=self.accelerator,
                workers=self.workers,
                progress=progress,
            )

    def write(self, result: Result, about: dict[str, Any]) -> None:
        """The result as Markdown, JSON and pictures."""
        for name, draw in result.pictures.items():
            render(name, draw, self.out)
        write_json(self.out / f"{result.name}.json", as_json(result) | about)
        page = as_markdown(result, self.scale)
        write_whole(self.out / f"{result.name}.md", lambda to: to.write_text(page))


def _shifted(planned: Planned, data: Data) -> Part:
    """The test images that are corrupted."""
    setting = planned.setting
    return drawn(data.test, setting.shift_images, split_seed=setting.run.split_seed)


def _by_key(
    groups: Sequence[MethodRuns], folders: Mapping[str, Sequence[RunFolder]]
) -> dict[str, MethodRuns]:
    """Evaluated runs by key; methods that come to the same runs share them."""
    by_key = {}
    for key, of_key in folders.items():
        paths = {folder.path for folder in of_key}
        for group in groups:
            if {folder.path for folder in group.folders} <= paths:
                plus = group.label.rpartition(" + ")
                by_key[key + (f" + {plus[2]}" if plus[1] else "")] = group
    return by_key


def results_as_json(results: list[Result]) -> list[dict[str, Any]]:
    """All results as JSON holds them."""
    return [as_json(result) for result in results]
