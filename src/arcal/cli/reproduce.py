"""arcal reproduce"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from arcal.cli._paths import check_folder
from arcal.cli.model_and_data import flag
from arcal.cli.output import print_json, say
from arcal.errors import ArcalError

if TYPE_CHECKING:
    from arcal.paper.reproduce import Reproduction
    from arcal.store import RunFolder
    from arcal.training.run import Run


@dataclass(frozen=True)
class Reproduce:
    """Reproduce tables and figures of the paper, its numbers beside ours, and which claims hold.

    Runs are shared between items, trained only once, and kept; a killed reproduction continues.
    """

    items: Annotated[tyro.conf.Positional[tuple[str, ...]], flag("ITEM ...")]
    """table1 .. table5, figure1 .. figure8, methods (every method side by side), or `all` of these.
    By name alone: headline (few methods on all training images), headline-fast (the same with the
    fast network), headline-augmix and headline-fast-augmix (AugMix beside them), tournament
    (methods that train for shift, each with the same calibration after it)."""
    scale: Annotated[str, flag("NAME")] = "smoke"
    """smoke (minutes, embedded images), cpu (hours, real images) or paper (appendix A, needs
    GPUs)."""
    seeds: Annotated[tuple[int, ...], flag("N ...")] = ()
    """Seeds, instead of the scale's; settings are chosen on validation with the first."""
    remake: Annotated[bool, flag()] = False
    """Train and evaluate nothing: remake every table and picture of the scale from the figures.csv
    in the folder of its results."""
    plan: Annotated[bool, flag()] = False
    """Train nothing: print the runs, how far they are, and an estimate of the time left."""
    cifar10: Annotated[str, flag("PATH")] = "data/cifar10"
    """Where CIFAR-10 is, written as for `arcal train --data`."""
    cifar100: Annotated[str, flag("PATH")] = "data/cifar100"
    """Where CIFAR-100 is."""
    imagenet: Annotated[str, flag("PATH")] = "data/imagenet"
    """Where ImageNet is."""
    runs: Annotated[Path, flag("FOLDER")] = Path("runs")
    """Folder of the run folders."""
    out: Annotated[Path, flag("FOLDER")] = Path("results")
    """Folder of the results, in which the scale has its own."""
    cache: Annotated[Path | None, flag("FOLDER")] = None
    """Folder to keep corrupted images in."""
    keep: Annotated[Path | None, flag("FOLDER")] = None
    """Folder that keeps the figures of every evaluated run, as rows of a CSV file. A run that has
    one is not trained again, so you may delete run folders."""
    only: Annotated[tuple[str, ...], flag("RUN ...")] = ()
    """Train and keep only these runs, named as --plan prints them or by a prefix, and write no
    table, so that several machines can share the runs. Needs --keep."""
    workers: Annotated[int, flag("N")] = 1
    """Processes, each of which trains a run of its own; then they share the evaluation."""
    loaders: Annotated[int, flag("N")] = 0
    """Processes that read images ahead for each run; worth it for a folder of images."""
    ray: Annotated[str | None, flag("ADDRESS")] = None
    """Address of a Ray cluster that shares these folders, or `local`; needs the package
    ray."""
    threads: Annotated[int, flag("N")] = 1
    """Threads of the evaluation."""
    accelerator: Annotated[str, flag("DEVICE")] = "cpu"
    """cpu, gpu or auto."""
    json: Annotated[bool, flag()] = False
    """Print the results, or the plan, as JSON on standard output."""

    def __call__(self) -> None:
        from arcal.compute import Compute
        from arcal.console import bar
        from arcal.paper import items_named
        from arcal.paper.reproduce import Reproduction, remade
        from arcal.paper.result import as_json
        from arcal.paper.scales import Sources, settings_of
        from arcal.training.many import train_all

        sources = Sources(self.cifar10, self.cifar100, self.imagenet)
        settings = settings_of(self.scale, sources, self.seeds)
        out = self.out / self.scale
        if self.remake:
            remade(out, self.scale, settings)
            say(f"results: {out / 'README.md'}")
            return
        if not self.plan:
            for name in ("out", "runs", "cache", "keep"):
                check_folder(getattr(self, name), name=f"--{name}")
        compute = Compute(
            self.accelerator,
            workers=self.workers,
            loaders=self.loaders,
            threads=self.threads,
            ray=self.ray,
        )
        compute.begin("arcal.training", "arcal.evaluation", "arcal.compute.device")
        compute.log()
        loaded: dict[Any, Any] = {}

        def train(runs: "list[Run]") -> "list[RunFolder]":
            with bar("training", "epochs") as progress:
                return train_all(runs, self.runs, compute=compute, loaded=loaded, progress=progress)

        reproduction = Reproduction(
            items_named(self.items),
            self.scale,
            settings,
            self.runs,
            out,
            train,
            bar,
            cache=self.cache,
            kept=self.keep,
            compute=compute,
        )
        if self.plan:
            if self.only:
                raise ArcalError("--plan lists all runs of the items: leave --only out")
            plan = _plan(reproduction)
            print_json(plan) if self.json else _print(plan)
            return
        with compute.limited():
            if self.only:
                for run in reproduction.keep(self.only):
                    say(f"kept: {run.name}")
                return
            results = reproduction.run()
        if self.json:
            print_json([*map(as_json, results)])
        for result in results:
            for claim in result.claims:
                say(f"{result.name}: {claim.text}: {claim.verdict} ({claim.because})")
        say(f"results: {reproduction.out / 'README.md'}")


def _plan(reproduction: "Reproduction") -> list[dict[str, Any]]:
    return [
        {
            "setting": planned.setting.name,
            "about": f"{planned.setting.title} ({planned.setting.about})",
            "seconds_left": seconds,
            "runs": [
                {
                    "run": one.folder.name,
                    "done": one.done,
                    "epochs": one.run.recipe.epochs,
                    "finished": one.finished,
                    "kept": one.kept,
                }
                for one in progress
            ],
        }
        for planned, progress, seconds in reproduction.status()
    ]


def _print(plan: list[dict[str, Any]]) -> None:
    for setting in plan:
        runs = setting["runs"]
        print(f"{setting['about']}: {sum(one['finished'] for one in runs)} of {len(runs)} runs")
        for one in runs:
            done = "kept" if one["kept"] else f"{one['done']:>4} of {one['epochs']} epochs"
            print(f"  {done:>18}  {one['run']}")
    left = [setting["seconds_left"] for setting in plan]
    print(
        "time left: unknown until an epoch is done"
        if None in left
        else f"time left: {sum(left) / 3600:.2f} hours of one worker"
    )
