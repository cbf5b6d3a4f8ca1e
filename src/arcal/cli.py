"""The command line: arcal demo | train | score | evaluate | report | reproduce."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from arcal.errors import ArcalError
from arcal.training.memory import keep_memory

if TYPE_CHECKING:  # torch takes seconds to import; --help needs none of it
    from arcal.data import Data
    from arcal.evaluation import MethodRuns
    from arcal.paper.reproduce import Reproduction
    from arcal.store import RunFolder
    from arcal.training.run import Run

Folders = tyro.conf.Positional[tuple[Path, ...]]


@dataclass(frozen=True)
class Demo:
    """Train vanilla, label smoothing and AR-AdaLS on embedded images and report what it shows.

    Three seeds each on a subset of Fashion-MNIST that comes with the package; about three minutes
    on two cores. Nothing that is already there is done again.
    """

    out: Path = Path("arcal-demo")
    """Folder for the runs and the report."""
    workers: int = 2
    """Processes that train at the same time, one thread each."""
    json: bool = False
    """Print the figures as JSON on standard output."""

    def __call__(self) -> None:
        from arcal.demo import demo

        evaluated, page = demo(self.out, workers=self.workers)
        show(evaluated, self.json)
        say(f"report: {page}")


@dataclass(frozen=True)
class Train:
    """Train a classifier, or several seeds of it, each into a run folder of its own.

    The folder's name ends in the hash of everything that the run depends on. A run that is done is
    not trained again; one that was killed continues, and ends in the same bits as if it had not
    been. A method that cuts levels first trains the vanilla model that it ranks by.
    """

    data: str = "fashion"
    """`fashion` (embedded), or a path: Parquet in the Hugging Face layout (a folder, or a prefix
    such as data/cifar10), a folder with the official python batches of CIFAR-10 or CIFAR-100, or a
    folder of images train/CLASS/*, test/CLASS/*."""
    method: str = "vanilla"
    """vanilla, label-smoothing, adals, ar-adals or ccat."""
    network: str = "small"
    """small, resnet29 or wrn-28-10."""
    recipe: str = "small"
    """demo, small, resnet29 or wrn-28-10: optimizer, learning rates, epochs, augmentation."""
    epochs: int | None = None
    """Another number of epochs than the recipe's; its steps move in proportion."""
    seeds: tuple[int, ...] = (0,)
    """One run a seed."""
    epsilon: float | None = None
    """Of label smoothing: the smoothing, in [0, 1)."""
    sweep: bool = False
    """Of label smoothing: choose epsilon on validation with the first seed, from 0 to 0.1 by 0.01
    and further while the best is the last tried."""
    alpha: float | Literal["auto"] | None = None
    """Of adals and ar-adals: learning rate of the soft labels. auto, the default, goes by the
    epochs that are left; the paper's is 0.005, for 200 epochs."""
    update: Literal["own", "joint"] | None = None
    """Of ar-adals: own, the default and the paper's, moves each level's soft label by its own gap;
    joint moves all of them together."""
    levels: int | None = None
    """Of ar-adals: R, the number of robustness levels; 10 in the paper."""
    order: str | None = None
    """Of ar-adals, what levels are cut by: attack (the paper's), gradient, margin, confidence or
    random."""
    attack: str | None = None
    """Of the order attack: boundary-projection-quick (the default here), boundary-projection or
    carlini-wagner."""
    rescore: tuple[float, ...] = ()
    """Of ar-adals, "on the fly": the epochs after which the levels are cut anew by the model as it
    is then, such as 65 130, or shares of all epochs, such as 0.3 0.6."""
    mixup: float | None = None
    """With vanilla or any smoothing: train on mixtures of images and of their labels, in shares
    drawn from Beta(MIXUP, MIXUP); 0.2 in the paper."""
    radius: float | None = None
    """Of ccat: the L-infinity bound of its attack, for pixels in [0, 1]; 0.01 in the paper."""
    rho: float | None = None
    """Of ccat: how fast targets become uniform as a perturbation grows; 10 unless given."""
    step: float | None = None
    """Of ccat: the first step of its attack; 0.025 in the paper."""
    iterations: int | None = None
    """Of ccat: iterations of its attack; 10 in the paper."""
    ensemble: bool = False
    """Train the seeds in lockstep as one ensemble that shares its soft labels (AR-AdaLS of
    Ensemble) instead of one run each."""
    split_seed: int = 0
    """Draws the validation images; not changed by the seeds."""
    validation: int | None = None
    """Number of validation images: 5000, or 3000 of the embedded set, unless given."""
    images: int | None = None
    """Train on this many images only, drawn by the split seed."""
    classes: tuple[int, ...] | None = None
    """Keep only the classes of these numbers."""
    runs: Path = Path("runs")
    """Folder of the run folders."""
    workers: int = 1
    """Runs trained at the same time, each in a process."""
    loaders: int = 0
    """Processes that read images ahead for each run; worth it for a folder of images."""
    threads: int = 1
    """Threads of each run; part of its configuration, since sums depend on it."""
    accelerator: str = "cpu"
    """cpu, gpu or auto, as Lightning Fabric names them."""
    json: bool = False
    """Print the last epoch of each run as JSON on standard output."""

    def __call__(self) -> None:
        from dataclasses import replace

        from arcal.console import bar
        from arcal.training.many import train_all

        run = self._run()
        if self.sweep:
            run = replace(run, settings=run.settings | {"epsilon": self._swept(run)})
        runs = [run] if self.ensemble else [replace(run, seeds=(seed,)) for seed in self.seeds]
        with bar(f"training {self.method}", "epochs") as progress:
            folders = train_all(
                runs,
                self.runs,
                workers=self.workers,
                accelerator=self.accelerator,
                loaders=self.loaders,
                progress=progress,
            )
        last = [{"run": str(folder.path)} | folder.epochs()[-1] for folder in folders]
        if self.json:
            print(json.dumps(last, indent=2))
        for line in last:
            say(
                f"{line['run']}: validation accuracy {100 * line['accuracy']:.2f} %, "
                f"ECE {100 * line['ece']:.2f} x 10^-2"
            )

    def _run(self) -> "Run":
        from arcal.training.recipes import recipe_named
        from arcal.training.run import Run

        given = {"epsilon": self.epsilon, "alpha": self.alpha, "R": self.levels}
        given |= {"update": self.update}
        given |= {"order": self.order, "attack": self.attack, "rescore": self.rescore or None}
        given |= {"mixup": self.mixup, "radius": self.radius, "rho": self.rho}
        given |= {"step": self.step, "iterations": self.iterations}
        recipe = recipe_named(self.recipe)
        return Run(
            data=self.data,
            network=self.network,
            method=self.method,
            settings={name: value for name, value in given.items() if value is not None},
            seeds=self.seeds,
            recipe=recipe if self.epochs is None else recipe.shortened(self.epochs),
            split_seed=self.split_seed,
            validation=self.validation,
            images=self.images,
            classes=self.classes,
            threads=self.threads,
        )

    def _swept(self, run: "Run") -> float:
        from dataclasses import replace

        from arcal.console import bar
        from arcal.methods.label_smoothing import PAPER_GRID
        from arcal.training.sweep import sweep

        if self.method != "label-smoothing" or self.epsilon is not None:
            raise ArcalError("--sweep chooses label smoothing's epsilon: give it no other method")
        with bar("choosing epsilon on validation", "epochs") as progress:
            first = replace(run, seeds=self.seeds[:1])
            found = sweep(
                first,
                self.runs,
                "epsilon",
                PAPER_GRID,
                extend=True,
                workers=self.workers,
                accelerator=self.accelerator,
                loaders=self.loaders,
                progress=progress,
            )
        for value, ece in found.ece.items():
            say(f"epsilon {value:g}: validation ECE {100 * ece:.2f} x 10^-2")
        say(f"chosen: epsilon {found.best:g}")
        return found.best


@dataclass(frozen=True)
class Score:
    """Score every input of a run's data by its robustness; writes Parquet into the run's folder.

    With the order `attack` the robustness is the L2 norm of the smallest perturbation found that
    changes the model's prediction, and +inf where none was found. The others are rankings. A killed
    scoring continues with what is missing, and its file is the same as if it had not been.
    """

    run: tyro.conf.Positional[Path]
    """Run folder."""
    part: str = "test"
    """train, validation or test."""
    order: str = "attack"
    """attack, gradient, margin, confidence or random."""
    attack: str | None = None
    """Of the order attack: boundary-projection (the default), boundary-projection-quick, which
    ranks nearly as well with a third of the passes, or carlini-wagner, the paper's."""
    budget: int | None = None
    """Of boundary-projection: forward and backward passes spent on each image, 48 unless given (16
    of the quick one)."""
    processes: int = 1
    """Processes that share the work, one a core or one a GPU; the file is the same."""
    threads: int = 1
    """Threads of each process."""
    accelerator: str = "cpu"
    """cpu, gpu or auto."""
    json: bool = False
    """Print a summary as JSON on standard output."""

    def __call__(self) -> None:
        import torch

        from arcal.console import bar
        from arcal.store import RunFolder
        from arcal.training.device import fabric_on
        from arcal.training.run import data_of
        from arcal.training.scoring import score_file, score_run

        if (self.attack, self.budget) != (None, None) and self.order != "attack":
            raise ArcalError(
                f"--attack and --budget are of the order attack: leave them out with {self.order}"
            )
        if self.threads < 1:
            raise ArcalError(f"{self.threads} threads: at least 1 is needed")
        attack = None if self.order != "attack" else self._attack()
        fabric = fabric_on(self.accelerator, processes=self.processes)
        torch.set_num_threads(self.threads)
        folder = RunFolder.open(self.run)
        part = data_of(folder).part(self.part)
        with bar(f"scoring {self.part} by {self.order}", "images") as progress:
            scores = score_run(
                folder,
                part,
                self.part,
                self.order,
                attack=attack,
                fabric=fabric,
                progress=progress,
            )
        median = float(scores.robustness.median())
        summary: dict[str, Any] = {
            "file": str(score_file(folder, self.part, self.order, attack)),
            "order": self.order,
            "inputs": len(scores.ids),
            "success": None if scores.success is None else float(scores.success.double().mean()),
            "kind": "ranking" if scores.success is None else "distance",
            "median": median if median < float("inf") else None,
            "passes": float(scores.passes.double().mean()),
        }
        if self.json:
            print(json.dumps(summary, indent=2))
        say(", ".join(f"{name} {value}" for name, value in summary.items()))
        if scores.success is not None and not scores.success.all():
            failed = int((~scores.success).sum())
            say(f"the attack failed on {failed} of {len(scores.ids)} inputs: they have +inf")

    def _attack(self) -> Any:
        from dataclasses import replace

        from arcal.attacks import BoundaryProjection, attack_named

        attack = attack_named("boundary-projection" if self.attack is None else self.attack)
        if self.budget is None:
            return attack
        if not isinstance(attack, BoundaryProjection):
            raise ArcalError(f"--budget is of boundary-projection: leave it out with {self.attack}")
        return replace(attack, budget=self.budget)


@dataclass(frozen=True)
class Evaluate:
    """Evaluate runs on their test set, under shift and out of distribution.

    Runs that differ only in their seeds are one row of the table. Predictions are kept in the run
    folders, so that a killed evaluation goes on; every figure becomes a row of a Parquet file.
    """

    runs: Folders
    """Run folders, trained on the same data."""
    shift: tuple[str, ...] | None = None
    """Corrupted test sets: nothing or `all` for 19 types at 5 intensities, `standard` for the 15 of
    ImageNet-C, `extra` for the other 4, `cifar100` for the paper's 17, a type such as fog, or
    TYPE-INTENSITY such as fog-3."""
    official: Path | None = None
    """Folder of official corrupted images (CIFAR-10-C, CIFAR-100-C, ImageNet-C) to read instead of
    corrupting the test set."""
    cache: Path | None = None
    """Folder to keep corrupted images in, as uint8 (30 MB a set of 10,000 CIFAR images)."""
    ood: tuple[str, ...] = ()
    """Other data sets, written as for `arcal train --data`: their test sets are out of
    distribution. Images of another size are resized, which is said."""
    posthoc: tuple[str, ...] = ()
    """Post-hoc methods, each a row more for every method: temperature (temperature scaling), ets,
    irm or irova-ts (Mix-n-Match), fitted on each run's own validation images."""
    order: str = "gradient"
    """What the test set is ranked by for the figures by level."""
    table: Path | None = None
    """File for every figure, a row a run, set, type, intensity and measure: evaluation.parquet
    unless given, for a report in its folder."""
    accelerator: str = "cpu"
    """cpu, gpu or auto."""
    json: bool = False
    """Print every run's figures as JSON on standard output."""

    def __call__(self) -> None:
        table = self.table or Path("evaluation.parquet")
        show(evaluated(self, table)[1], self.json)
        say(f"figures: {table}")


@dataclass(frozen=True)
class Report(Evaluate):
    """Write one self-contained page about runs: tables, figures by level, reliability, labels.

    The same pictures lie beside it as SVG and PNG, the numbers as JSON. Runs are evaluated first
    where they have not been.
    """

    out: Path = Path("report")
    """Folder of the report."""

    def __call__(self) -> None:
        from arcal.report import write_report

        data, groups = evaluated(self, self.table or self.out / "evaluation.parquet")
        page = write_report(
            self.out,
            groups,
            title="Calibration by adversarial robustness",
            classes=data.classes,
            notes=[],
        )
        show(groups, self.json)
        say(f"report: {page}")


@dataclass(frozen=True)
class Reproduce:
    """Reproduce tables and figures of the paper: the paper's numbers beside ours, and what holds.

    Runs are shared between items, trained once, and kept; a killed reproduction goes on.
    """

    items: tyro.conf.Positional[tuple[str, ...]]
    """table1 .. table5, figure1 .. figure8, or all."""
    scale: str = "smoke"
    """smoke (minutes, embedded images), cpu (hours, real images) or paper (appendix A, needs
    GPUs)."""
    plan: bool = False
    """Train nothing: print the runs, how far they are, and an estimate of the time left."""
    cifar10: str = "data/cifar10"
    """Where CIFAR-10 lies, written as for `arcal train --data`."""
    cifar100: str = "data/cifar100"
    """Where CIFAR-100 lies."""
    imagenet: str = "data/imagenet"
    """Where ImageNet lies."""
    runs: Path = Path("runs")
    """Folder of the run folders."""
    out: Path = Path("results")
    """Folder of the results, in which the scale has its own."""
    cache: Path | None = None
    """Folder to keep corrupted images in."""
    workers: int = 1
    """Runs trained at the same time, each in a process."""
    accelerator: str = "cpu"
    """cpu, gpu or auto."""
    json: bool = False
    """Print the results as JSON on standard output."""

    def __call__(self) -> None:
        from arcal.console import bar
        from arcal.paper import items_named
        from arcal.paper.reproduce import Reproduction, results_as_json
        from arcal.paper.scales import Sources, settings_of
        from arcal.training.many import train_all

        def train(runs: "list[Run]") -> "list[RunFolder]":
            with bar("training", "epochs") as progress:
                return train_all(
                    runs,
                    self.runs,
                    workers=self.workers,
                    accelerator=self.accelerator,
                    progress=progress,
                )

        sources = Sources(self.cifar10, self.cifar100, self.imagenet)
        reproduction = Reproduction(
            items_named(self.items),
            self.scale,
            settings_of(self.scale, sources),
            self.runs,
            self.out / self.scale,
            train,
            bar,
            cache=self.cache,
            accelerator=self.accelerator,
        )
        if self.plan:
            self._print(reproduction)
            return
        results = reproduction.run()
        if self.json:
            print(json.dumps(results_as_json(results), indent=2))
        for result in results:
            for claim in result.claims:
                say(f"{result.name}: {claim.text}: {claim.verdict} ({claim.because})")
        say(f"results: {reproduction.out / 'README.md'}")

    def _print(self, reproduction: "Reproduction") -> None:
        left = 0.0
        for planned, progress, seconds in reproduction.status():
            done = sum(one.finished for one in progress)
            about = f"{planned.setting.stands_for} ({planned.setting.about})"
            print(f"{about}: {done} of {len(progress)} runs")
            for one in progress:
                print(f"  {one.done:>4} of {one.run.recipe.epochs} epochs  {one.folder.name}")
            left = float("nan") if seconds is None else left + seconds
        unknown = left != left
        print(
            "time left: unknown until an epoch is done"
            if unknown
            else f"time left: {left / 3600:.2f} hours of one worker"
        )


def evaluated(command: Evaluate, table: Path) -> "tuple[Data, list[MethodRuns]]":
    """The runs that a command names, evaluated on the sets that it names."""
    from arcal.calibration.posthoc import check_posthoc
    from arcal.console import bar
    from arcal.data import load_test
    from arcal.evaluation import Source, collect, shift_sets, write_tidy
    from arcal.robustness import check_order
    from arcal.store import RunFolder
    from arcal.training.run import data_of, same_data

    if not command.runs:
        raise ArcalError("no runs: name at least one run folder")
    check_order(command.order)
    for name in command.posthoc:
        check_posthoc(name)
    if command.shift is None and (command.official or command.cache):
        raise ArcalError("--official and --cache are of corrupted test sets: add --shift")
    sets = [] if command.shift is None else shift_sets(command.shift)
    folders: list[RunFolder] = [RunFolder.open(path) for path in command.runs]
    same_data(folders)
    data = data_of(folders[0])
    others = [load_test(name) for name in command.ood]
    with bar("evaluating", "sets") as progress:
        groups = collect(
            folders,
            data,
            sets,
            command.order,
            ood=others,
            source=Source(cache=command.cache, official=command.official),
            posthoc=command.posthoc,
            accelerator=command.accelerator,
            progress=progress,
        )
    about = {"data": data.name, "order": command.order, "official": command.official is not None}
    write_tidy(table, groups, **about)
    for other in groups[0].ood:
        say(f"{other.name}: {other.images} images{', ' * bool(other.how)}{other.how}")
    return data, groups


def show(groups: "list[MethodRuns]", as_json: bool) -> None:
    """Print the table of methods, or every run's figures as JSON on standard output."""
    from arcal.report.tables import as_records, print_table

    if as_json:
        print(json.dumps(as_records(groups), indent=2))
    else:
        print_table(groups)


def say(line: str) -> None:
    """Print a line for people, on standard error."""
    print(line, file=sys.stderr)


Command = (
    Annotated[Demo, tyro.conf.subcommand("demo")]
    | Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Score, tyro.conf.subcommand("score")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Report, tyro.conf.subcommand("report")]
    | Annotated[Reproduce, tyro.conf.subcommand("reproduce")]
)


def main() -> None:
    """Run the command line. Bad input prints one line and exits with 2."""
    try:
        command = tyro.cli(
            Command,  # pyright: ignore[reportArgumentType]
            prog="arcal",
            description="Score, audit and train classifiers that say how sure they should be.",
            config=(tyro.conf.OmitSubcommandPrefixes, tyro.conf.FlagCreatePairsOff),
        )
        keep_memory()
        command()
    except ArcalError as error:
        say(f"arcal: {error}")
        sys.exit(2)
    except OSError as error:  # a full disk, a folder that cannot be written
        say(f"arcal: {error}; what was finished is kept, the same command continues")
        sys.exit(2)
    except KeyboardInterrupt:
        say("arcal: stopped; what was finished is kept, the same command continues")
        sys.exit(130)
