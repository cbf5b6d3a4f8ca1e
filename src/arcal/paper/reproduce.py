"""From the names of tables and figures to their results on disk, and a page over them all."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from itertools import chain, product
from pathlib import Path

from arcal.compute import Compute
from arcal.errors import ArcalError
from arcal.files import locked, write_text
from arcal.paper import ITEMS
from arcal.paper.figures import rows_of
from arcal.paper.item import CHOSEN, Evaluated, Item, setting_words
from arcal.paper.plan import Planned, Progress, Runs, Work, plan_runs, progress_of, seconds_left
from arcal.paper.result import Result, as_markdown
from arcal.paper.rows import Row, joined, merged, read_rows, write_rows
from arcal.paper.scales import Chosen, Setting, check_there
from arcal.paper.variants import VANILLA, Variant
from arcal.report.plots import as_svg
from arcal.store import RunFolder
from arcal.training.run import Run

Train = Callable[[list[Run]], list[RunFolder]]
"""Trains runs, each once, and returns their folders in the same order."""

Bar = Callable[[str, str], AbstractContextManager[Callable[[int, int], object]]]
"""Opens a progress bar: what is done, in which unit."""


FIGURES = "figures.csv"
"""The file of a scale's figures, from which its tables and pictures are made."""


@dataclass(frozen=True)
class Reproduction:
    """Items at a scale: `root` is the folder of the runs, `out` that of the results.

    With a folder `kept`, every evaluated run leaves its figures there, seed after seed, and a run
    that has done so is neither trained nor evaluated again. `compute` is what the evaluation runs
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
    kept: Path | None = None
    compute: Compute = field(default_factory=Compute)

    def run(self) -> list[Result]:
        """Train what is missing, evaluate, and write every item as soon as it can be made."""
        planned = self._planned()
        for one in planned:
            check_there(one.setting.run.data)
            if one.ood and one.setting.ood:
                check_there(one.setting.ood)
        self._check_out()
        results: dict[str, Result] = {}
        for one in planned:
            rows = self._rows(one)
            with locked(self.out / ".lock"):  # another command may add to the same files
                path = self.out / FIGURES
                old = read_rows(path) if path.exists() else []
                write_rows(path, merged(old, rows))
                results = remade(self.out, self.scale, self.settings, self.items)
        return [results[item.name] for item in self.items]

    def keep(self, names: Sequence[str]) -> list[RunFolder]:
        """Train, evaluate and keep only the runs whose names begin with these; write no item.

        So several machines can share a plan: each keeps some of its runs, and once all figures are
        in one folder, `run` makes the tables from them. Returns the runs' folders in the plan's
        order.
        """
        folder = self.kept
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
            self._keep(work, runs, folder)
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
            if self.kept is not None:
                left = list(chain(*work.not_kept(runs, self.kept).values()))
            progress = progress_of([*work.tried, *left], self.root, work.data)
            listed = [one.run for one in progress]
            progress += [
                replace(one, done=one.run.recipe.epochs, kept=True)
                for one in progress_of(every, self.root, work.data)
                if one.run in every and one.run not in listed
            ]
            status.append((planned, progress, seconds_left(progress)))
        return status

    def _planned(self) -> list[Planned]:
        """The plan; one that cannot be carried out is refused before anything is trained."""
        more = [item.name for item in self.items if not item.from_kept]
        if self.kept is not None and more:
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

    def _rows(self, planned: Planned) -> list[Row]:
        """The figures of a setting, whose runs are trained and evaluated first."""
        work, setting = self._work(planned), planned.setting
        self.train(work.tried)
        chosen = work.chosen()
        runs = planned.runs(chosen)
        if self.kept is None:
            self.train(list(chain(*runs.values())))
            rows = self._evaluated(work, runs)
        else:
            self._keep(work, runs, self.kept)
            rows = joined(work.kept_rows(runs, self.kept))
        rows += [
            {"run": CHOSEN, "part": name, "value": value}
            for name, value in vars(chosen).items()
            if isinstance(value, float) and len(setting.grids[name]) > 1
        ]
        return [{"setting": setting.name} | row for row in rows]

    def _evaluated(self, work: Work, runs: Runs) -> list[Row]:
        with self.bar(f"evaluating {work.planned.setting.name}", "sets") as progress:
            subjects = work.evaluate(runs, compute=self.compute, progress=progress)
        sure = {VANILLA: work.sure(runs.get(VANILLA, ()))} if work.planned.sure else {}
        return [
            row
            for variant, subject in work.by_variant(subjects, runs).items()
            for row in rows_of(variant, subject, sure.get(variant, ()))
        ]

    def _keep(self, work: Work, runs: Runs, folder: Path) -> None:
        """Train and evaluate the runs that are not kept, and keep them, one seed after another.

        Without workers they go one by one, so that no trained run waits for others to be kept.
        """
        alone = self.compute.workers == 1 and self.compute.ray is None
        together = [[variant] for variant in runs] if alone else [list(runs)]
        every = dict.fromkeys(run.seeds for run in chain(*runs.values()))
        for seeds, variants in product(every, together):
            missing = {  # asked each time: another process may have kept some
                variant: [run for run in some if run.seeds == seeds and variant in variants]
                for variant, some in work.not_kept(runs, folder).items()
            }
            missing = {variant: some for variant, some in missing.items() if some}
            if missing:
                self.train(list(chain(*missing.values())))
                rows = self._evaluated(work, missing)
                for variant, (run,) in missing.items():
                    mine = {variant.title, *(v.title for v in work.planned.calibrated(variant))}
                    work.keep(run, [row for row in rows if row["method"] in mine], folder)


def remade(
    out: Path, scale: str, settings: Mapping[str, Setting], more: Sequence[Item] = ()
) -> dict[str, Result]:
    """Every table and picture that can be made of the figures in a folder, and a page over them.

    Nothing is trained or evaluated. `more` are further items than `ITEMS`. A folder without a file
    of figures raises `ArcalError`.
    """
    rows = read_rows(out / FIGURES)
    there = {row["setting"] for row in rows}
    evaluated = {
        name: Evaluated.from_rows(one, rows) for name, one in settings.items() if name in there
    }
    results, used = {}, {}
    for item in {**ITEMS, **{item.name: item for item in more}}.values():
        if item.can_be_made(evaluated):
            results[item.name] = item.make(evaluated)
            used |= dict.fromkeys(name for name in item.settings if name in evaluated)
    for result in results.values():
        if result.picture is not None:
            write_text(out / f"{result.name}.svg", as_svg(result.name, result.picture))
        write_text(out / f"{result.name}.md", as_markdown(result, scale))
    lines = [setting_line(evaluated[name]) for name in used]
    write_text(out / "README.md", overview_page([*results.values()], lines, scale))
    return results


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


MADE = (
    "Everything here is made from figures.csv, a row for each run, method and test set, without "
    "training: `arcal reproduce all --remake`. Rows whose run is `all runs` (variances, churn, "
    "ensembles) are of the predictions of all runs together, and stand there as computed."
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


def overview_page(results: Sequence[Result], settings: Sequence[str], scale: str) -> str:
    """The page over all results, the paper's tables and figures in their order."""
    lines = [f"{TITLE}`{scale}`", "", *(f"- {line}" for line in settings), "", READ, "", MADE, ""]
    lines += ["| | claim | here | figures |", "|---|---|---|---|"]
    for result in sorted(results, key=lambda result: _place(result.name)):
        link = f"[{result.name}]({result.name}.md)"
        for claim in result.claims:
            lines.append(f"| {link} | {claim.text} | **{claim.verdict}** | {claim.because} |")
    return "\n".join(lines) + "\n"


def _place(name: str) -> tuple[int, str]:
    """Tables, then figures, then what the paper does not have."""
    kinds = ("table", "figure")
    return next((i for i, kind in enumerate(kinds) if name.startswith(kind)), len(kinds)), name
