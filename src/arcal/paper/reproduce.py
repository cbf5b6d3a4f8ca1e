"""From the names of tables and figures to their results on disk."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from arcal.attacks import attack_named
from arcal.data import Data, load_test
from arcal.data.fewer import drawn, only_classes
from arcal.errors import ArcalError
from arcal.evaluation import (
    MethodRuns,
    Source,
    collect,
    is_kept,
    keep,
    kept,
    shift_sets,
    write_tidy,
)
from arcal.paper.item import Evaluated, Found, Item
from arcal.paper.plan import Grid, Planned, Progress, plan, progress_of, seconds_left
from arcal.paper.result import Result, as_json, as_markdown
from arcal.paper.scales import Chosen, Setting
from arcal.report.drawing import render
from arcal.store import RunFolder, write_json, write_whole
from arcal.training.run import Run

READ = (
    '"Holds" is said of the means; the p-value beside it, of a paired test corrected for how many '
    "there are in the table, says whether chance explains the difference."
)

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

    def run(self) -> list[Result]:
        """Train what is missing, evaluate, and write every item as soon as it can be made."""
        found = Found(self.scale, {p.setting.name: self._evaluated(p) for p in self._planned()})
        results = []
        for item in self.items:
            result = item.make(found)
            self.write(result)
            results.append(result)
        write_whole(self.out / "README.md", lambda to: to.write_text(self._summary(results, found)))
        return results

    def status(self) -> list[tuple[Planned, list[Progress], float | None]]:
        """Every setting's runs, how far they are, and the seconds that they still need.

        What is not chosen yet stands in the plan with the first value of its grid.
        """
        found = []
        for planned in self._planned():
            data = planned.setting.run.load()
            grids = planned.grids()
            tried = [run for grid in grids.values() for run in grid.runs]
            first = progress_of(tried, self.root, data)
            if all(one.finished for one in first):
                chosen = self._chosen(grids, data)
            else:
                chosen = Chosen(**{name: grid.values[0] for name, grid in grids.items()})
            runs = [run for of_key in planned.runs(chosen).values() for run in of_key]
            progress = [
                replace(one, kept=self._is_kept(planned, one.folder.name))
                for one in progress_of(tried + runs, self.root, data)
            ]
            found.append((planned, progress, seconds_left(progress)))
        return found

    def _planned(self) -> list[Planned]:
        planned = plan(self.items, self.settings)
        if not planned:
            names = ", ".join(item.name for item in self.items)
            raise ArcalError(f"the scale {self.scale} has none of the data sets that {names} needs")
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
            different = {tuple(f.name for f in of_key): of_key for of_key in folders.values()}
            groups = [runs for of_key in different.values() for runs in kept(self.keep, of_key)]
        about = {"scale": self.scale, "setting": setting.name, "about": setting.about}
        write_tidy(self.out / f"{setting.name}.parquet", groups, **about)
        return Evaluated(setting, data, chosen, _by_key(groups, folders))

    def _keep(self, planned: Planned, data: Data, by_key: Mapping[str, Sequence[Run]]) -> None:
        """Train, evaluate and keep what is not kept yet, the runs of one seed after another."""
        assert self.keep is not None
        if planned.by_level or planned.ood:
            raise ArcalError(
                "what is kept of a run has no levels of its test images and no other data: "
                "reproduce tables and figures that show these without --keep"
            )
        missing: dict[tuple[int, ...], dict[str, list[Run]]] = {}
        for key, runs in by_key.items():
            for run in runs:
                if not self._is_kept(planned, run.path(self.root, data).name):
                    missing.setdefault(run.seeds, {}).setdefault(key, []).append(run)
        for of_seeds in missing.values():
            self.train([run for runs in of_seeds.values() for run in runs])
            folders = {key: self._folders(runs, data) for key, runs in of_seeds.items()}
            keep(self._collected(planned, data, folders), self.keep)

    def _is_kept(self, planned: Planned, run: str) -> bool:
        sets = shift_sets(planned.setting.shift) if planned.shift else []
        return self.keep is not None and is_kept(self.keep, run, [at.name for at in sets])

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
                posthoc=planned.posthoc(),
                shifted=drawn(data.test, setting.shift_images, split_seed=setting.run.split_seed),
                scored=[folder for key in planned.by_level for folder in folders.get(key, [])],
                accelerator=self.accelerator,
                progress=progress,
            )

    def write(self, result: Result) -> None:
        """The result as Markdown, JSON and pictures."""
        for name, draw in result.pictures.items():
            render(name, draw, self.out)
        write_json(self.out / f"{result.name}.json", as_json(result) | {"scale": self.scale})
        page = as_markdown(result, self.scale)
        write_whole(self.out / f"{result.name}.md", lambda to: to.write_text(page))

    def _summary(self, results: list[Result], found: Found) -> str:
        """What reproduces, at a glance."""
        lines = [f"# The paper at the scale `{self.scale}`", ""]
        for evaluated in found.settings.values():
            setting, chosen = evaluated.setting, evaluated.chosen
            lines.append(
                f"- {setting.stands_for}: {setting.about}; {len(setting.seeds)} seeds; chosen on "
                f"validation, seed {setting.seeds[0]}: epsilon {chosen.epsilon:g}, alpha of "
                f"AR-AdaLS {chosen.alpha}, of AdaLS {chosen.adals_alpha}"
            )
        lines += ["", READ, "", "| | claim | here | figures |", "|---|---|---|---|"]
        for result in results:
            for claim in result.claims:
                link = f"[{result.name}]({result.name}.md)"
                lines.append(f"| {link} | {claim.text} | **{claim.verdict}** | {claim.because} |")
        return "\n".join(lines) + "\n"


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
