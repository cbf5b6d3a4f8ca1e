"""From the names of tables and figures to their results on disk, and a page over them all."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from itertools import chain, product
from pathlib import Path
from typing import Any

from arcal.auditing import Subject
from arcal.compute import Compute
from arcal.errors import ArcalError
from arcal.evaluation import write_table
from arcal.evaluation.summaries import write_summaries
from arcal.files import locked, parse_json, write_json, write_text
from arcal.paper.item import Evaluated, Item, setting_words
from arcal.paper.plan import Planned, Progress, Runs, Work, plan_runs, progress_of, seconds_left
from arcal.paper.result import Claim, Result, as_json, as_markdown
from arcal.paper.scales import Chosen, Setting, check_there
from arcal.paper.variants import Variant
from arcal.report.plots import render
from arcal.store import RunFolder
from arcal.training.run import Run

Train = Callable[[list[Run]], list[RunFolder]]
"""Trains runs, each once, and returns their folders in the same order."""

Bar = Callable[[str, str], AbstractContextManager[Callable[[int, int], object]]]
"""Opens a progress bar: what is done, in which unit."""


@dataclass(frozen=True)
class Reproduction:
    """Items at a scale: `root` is the folder of the runs, `out` that of the results.

    With a folder `summaries`, every evaluated run leaves a small file there, seed after seed, and a
    run that has one is neither trained nor evaluated again. `compute` is what the evaluation runs
    on; training is up to `train`.
    """

    items: Sequence[Item]
    scale: str
    settings: Mapping[str, Setting]
    root: Path
    out: Path
    train: Train
    bar: Bar
    cache: Path | None = None
    summaries: Path | None = None
    compute: Compute = field(default_factory=Compute)

    def run(self) -> list[Result]:
        """Train what is missing, evaluate, and write every item as soon as it can be made."""
        planned = self._planned()
        for one in planned:
            check_there(one.setting.run.data)
            if one.ood and one.setting.ood:
                check_there(one.setting.ood)
        self._check_out()
        evaluated: dict[str, Evaluated] = {}
        results: dict[str, Result] = {}
        for i, one in enumerate(planned, start=1):
            evaluated[one.setting.name] = self._evaluated(one)
            later = {other.setting.name for other in planned[i:]}
            for item in self.items:
                if item.name in results or later & {*item.settings}:
                    continue
                results[item.name] = item.make(evaluated)
                used = (one for name, one in evaluated.items() if name in item.settings)
                lines = [setting_line(one) for one in used]
                self.write(results[item.name], {"scale": self.scale, "settings": lines})
            with self._alone():
                page = overview_page(self.out, self.scale)
                write_text(self.out / "README.md", page)
        return [results[item.name] for item in self.items]

    def keep(self, names: Sequence[str]) -> list[RunFolder]:
        """Train, evaluate and summarise only the runs whose names begin with these; write no item.

        So several machines can share a plan: each keeps some of its runs, and once all summaries
        are in one folder, `run` makes the tables from them. Returns the runs' folders in the plan's
        order.
        """
        folder = self.summaries
        if folder is None:
            raise ArcalError("--only keeps runs and writes no table: name a folder with --keep")
        picked: list[tuple[Work, dict[Variant, list[Run]]]] = []
        every: list[str] = []
        for planned in self._planned():
            check_there(planned.setting.run.data)
            work = self._work(planned)
            self.train(work.tried)
            runs = planned.runs(work.chosen())
            named = {v: dict(zip(work.names(some), some, strict=True)) for v, some in runs.items()}
            every += chain(*named.values())
            some = {
                variant: [run for name, run in by_name.items() if name.startswith(tuple(names))]
                for variant, by_name in named.items()
            }
            picked.append((work, some))
        for name in names:
            if not any(one.startswith(name) for one in every):
                raise ArcalError(
                    f"no run of this plan is called {name!r} or begins with it: --plan lists them"
                )
        for work, runs in picked:
            self._write_summaries(work, runs, folder)
        return [one for work, runs in picked for one in work.folders([*chain(*runs.values())])]

    def _check_out(self) -> None:
        """Refuse, before any work, to replace a page that arcal did not write."""
        page = self.out / "README.md"
        if page.exists() and not page.read_bytes().startswith(TITLE.encode()):
            raise ArcalError(
                f"{page} exists, and arcal did not write it: name another folder with --out"
            )
        self.out.mkdir(parents=True, exist_ok=True)
        if not os.access(self.out, os.W_OK):
            raise ArcalError(f"{self.out} cannot be written: name another folder with --out")

    def _alone(self) -> AbstractContextManager[object]:
        """While it is open no other command adds to the same table or page."""
        return locked(self.out / ".lock")

    def status(self) -> list[tuple[Planned, list[Progress], float | None]]:
        """Every setting's runs, how far they are, and the seconds that they still need.

        What is not chosen yet has the first value of its grid in the plan.
        """
        status = []
        for planned in self._planned():
            work = self._work(planned)
            if all(one.finished for one in progress_of(work.tried, self.root, work.data)):
                chosen = work.chosen()
            else:
                chosen = Chosen(**{name: grid.first for name, grid in planned.grids().items()})
            runs = planned.runs(chosen)
            every = list(chain(*runs.values()))
            left = every
            if self.summaries is not None:
                left = list(chain(*work.without_summary(runs, self.summaries).values()))
            progress = progress_of([*work.tried, *left], self.root, work.data)
            listed = [one.run for one in progress]
            progress += [
                replace(one, done=one.run.recipe.epochs, has_summary=True)
                for one in progress_of(every, self.root, work.data)
                if one.run in every and one.run not in listed
            ]
            status.append((planned, progress, seconds_left(progress)))
        return status

    def write(self, result: Result, about: dict[str, Any]) -> None:
        """Write the result as Markdown, JSON and its picture."""
        if result.picture is not None:
            render(result.name, result.picture, self.out)
        write_json(self.out / f"{result.name}.json", as_json(result) | about)
        page = as_markdown(result, self.scale)
        write_text(self.out / f"{result.name}.md", page)

    def _planned(self) -> list[Planned]:
        """The plan; one that cannot be carried out is refused before anything is trained."""
        more = [item.name for item in self.items if not item.from_summaries]
        if self.summaries is not None and more:
            raise ArcalError(
                f"{', '.join(more)} cannot be made from what --keep keeps: leave --keep out"
            )
        planned = plan_runs(self.items, self.settings)
        if not planned:
            names = ", ".join(item.name for item in self.items)
            raise ArcalError(
                f"the scale {self.scale} has none of the data sets that {names} needs: "
                "choose another with --scale"
            )
        return planned

    def _work(self, planned: Planned) -> Work:
        return Work(planned, planned.setting.run.load(), self.root, self.cache)

    def _evaluated(self, planned: Planned) -> Evaluated:
        work, setting = self._work(planned), planned.setting
        self.train(work.tried)
        chosen = work.chosen()
        runs = planned.runs(chosen)
        if self.summaries is None:
            self.train(list(chain(*runs.values())))
            subjects = self._subjects(work, runs)
        else:
            self._write_summaries(work, runs, self.summaries)
            subjects = work.read_summaries(runs, self.summaries)
        about = {"scale": self.scale, "setting": setting.name, "about": setting.about}
        with self._alone():
            write_table(self.out / f"{setting.name}.parquet", subjects, keep_others=True, **about)
        folders = {one.name: one for one in work.folders(list(chain(*runs.values())))}
        return Evaluated(setting, work.data, chosen, work.by_variant(subjects, runs), folders)

    def _write_summaries(self, work: Work, runs: Runs, folder: Path) -> None:
        """Train, evaluate and summarise the runs that have no summary, one seed after another.

        Without workers they go one by one, so that no trained run waits for others to be kept.
        """
        alone = self.compute.workers == 1 and self.compute.ray is None
        together = [[variant] for variant in runs] if alone else [list(runs)]
        every = dict.fromkeys(run.seeds for run in chain(*runs.values()))
        for seeds, variants in product(every, together):
            missing = {  # asked each time: another process may have written some
                variant: [run for run in some if run.seeds == seeds and variant in variants]
                for variant, some in work.without_summary(runs, folder).items()
            }
            if any(missing.values()):
                self.train(list(chain(*missing.values())))
                write_summaries(self._subjects(work, missing), folder, work.sets)

    def _subjects(self, work: Work, runs: Runs) -> list[Subject]:
        with self.bar(f"evaluating {work.planned.setting.name}", "sets") as progress:
            return work.evaluate(runs, compute=self.compute, progress=progress)


TITLE = "# The paper at the scale "
READ = (
    '"Holds" means that the claim is true of the means over the seeds and, if it names a test, '
    "that the test agrees. The p-value beside a claim, from a paired t-test over the seeds, says "
    "whether chance could explain the difference: if it is large, the claim may hold or fail by "
    'chance alone. "Undecided" means that these runs cannot decide. p-values are corrected '
    "for the number of tests: for a figure over all of its tests, for a table over those on one "
    "data set, for Table 3 separately over the paper's comparisons and over those not in the "
    "paper, and for a headline or a tournament over each of the families that its page names. The "
    "p-value of a ρ, Spearman's rank correlation of the ten levels with their means, is not "
    "corrected. ECEs, gaps, variances and AUROCs are ×10⁻², accuracies and other shares in %. A "
    "ratio, such as a variance of 0.56 times Vanilla's, is a plain number."
)


def setting_line(evaluated: Evaluated) -> str:
    """A setting in a line: what it is, how many seeds, what was chosen."""
    setting, chosen = evaluated.setting, evaluated.chosen
    values = (
        ("epsilon", setting.epsilons, chosen.epsilon),
        ("alpha of AR-AdaLS", setting.alphas, chosen.alpha),
        ("alpha of AdaLS", setting.adals_alphas, chosen.adals_alpha),
    )
    line = setting_words(evaluated)
    chosen_on = f"chosen on validation, seed {setting.seeds[0]}"
    for words, several in ((chosen_on, True), ("given", False)):
        listed = [
            f"{name} {value}"
            for name, grid, value in values
            if value is not None and (len(grid) > 1) == several
        ]
        line += f"; {words}: {', '.join(listed)}" if listed else ""
    return line


def overview_page(folder: Path, scale: str) -> str:
    """The page over all results in a folder, the paper's tables and figures in their order."""
    results = sorted(_results(folder), key=lambda result: _place(result["name"]))
    lines = [f"{TITLE}`{scale}`", ""]
    lines += dict.fromkeys(f"- {line}" for result in results for line in result.get("settings", []))
    lines += ["", READ, "", "| | claim | here | figures |", "|---|---|---|---|"]
    for result in results:
        link = f"[{result['name']}]({result['name']}.md)"
        for claim in (Claim(**one) for one in result["claims"]):
            lines.append(f"| {link} | {claim.text} | **{claim.verdict}** | {claim.because} |")
    return "\n".join(lines) + "\n"


def _results(folder: Path) -> Iterator[dict[str, Any]]:
    """The results in a folder, which may hold other files."""
    for file in folder.glob("*.json"):
        try:
            one = parse_json(file.read_bytes())
        except ValueError:
            continue
        if isinstance(one, dict) and {"name", "claims"} <= one.keys():
            yield one


def _place(name: str) -> tuple[int, str]:
    """Tables, then figures, then what the paper does not have."""
    kinds = ("table", "figure")
    return next((i for i, kind in enumerate(kinds) if name.startswith(kind)), len(kinds)), name
