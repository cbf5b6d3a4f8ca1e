"""arcal train"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from arcal.cli._paths import check_folder
from arcal.cli.model_and_data import flag, processes_for
from arcal.cli.output import print_json, say
from arcal.errors import ArcalError

if TYPE_CHECKING:
    from arcal.compute import Compute
    from arcal.data import Data
    from arcal.store import RunFolder
    from arcal.training import Sweep
    from arcal.training.recipes import Recipe
    from arcal.training.run import Run


@dataclass(frozen=True)
class Train:
    """Train a classifier, or several seeds of it, each into a run folder of its own.

    The folder's name ends in the hash of everything that the run depends on. A finished run is not
    trained again; one that was killed continues, and on a CPU ends in the same bits as if it had
    not been killed. A method with levels first trains the vanilla model that it ranks by. `arcal
    --config RUN/train.toml` trains a run again.
    """

    data: Annotated[str, flag("PATH")] = "fashion"
    """`fashion` (embedded), or a path: Parquet in the Hugging Face layout (a folder, or a prefix
    such as data/cifar10, here or behind a URL such as s3://bucket/cifar10), a folder with the
    official python batches of CIFAR-10 or CIFAR-100, or a folder of images train/CLASS/* with test/
    or val/, each brought to --size."""
    method: Annotated[str, flag("NAME")] = "vanilla"
    """How it is trained."""
    network: Annotated[str, flag("NAME")] = "small"
    """What is trained."""
    weights: Annotated[Path | None, flag("FILE")] = None
    """File of weights that a network of your own or of a library starts from, safetensors or from
    `torch.save`; a last layer for another number of classes is initialised anew."""
    recipe: Annotated[str, flag("NAME")] = "small"
    """Optimizer, learning rates, epochs, augmentation."""
    epochs: Annotated[int | None, flag("N")] = None
    """Number of epochs, instead of the recipe's; the recipe's steps move in proportion."""
    lr: Annotated[float | None, flag("NUMBER")] = None
    """Learning rate, instead of the recipe's."""
    batch_size: Annotated[int | None, flag("N")] = None
    """Number of images in a batch, instead of the recipe's."""
    optimizer: Annotated[str | None, flag("NAME")] = None
    """Optimizer, instead of the recipe's: adam or sgd."""
    precision: Annotated[str | None, flag("NAME")] = None
    """Precision, instead of the recipe's: 32-true, or bf16-mixed, in which convolutions are in
    bf16. Everything but training is in float32."""
    seeds: Annotated[tuple[int, ...], flag("N ...")] = (0,)
    """Seeds: one run for each."""
    sweep: Annotated[bool, flag()] = False
    """With label smoothing: choose epsilon on validation with the first seed, from 0 to 0.1
    in steps of 0.01, and on to at most 0.2 while the last tried is the best."""
    ensemble: Annotated[bool, flag()] = False
    """Train the seeds in lockstep as one ensemble that shares its soft labels (AR-AdaLS of
    Ensemble) instead of one run each."""
    split_seed: Annotated[int, flag("N")] = 0
    """Seed that draws the validation images; independent of --seeds."""
    validation: Annotated[int | None, flag("N")] = None
    """Number of validation images, drawn from the training part. By default the data's own
    validation part beside its test part; without one a tenth, at most 5000, or 3000 of the embedded
    set. Without a test part, the number drawn from the validation part, by default half."""
    images: Annotated[int | None, flag("N")] = None
    """Train on this many images only, drawn by the split seed."""
    classes: Annotated[tuple[int, ...] | None, flag("N ...")] = None
    """Keep only the classes with these numbers."""
    size: Annotated[int | None, flag("PIXELS")] = None
    """Height and width to which the images of a folder are brought, by default 224: the short side
    resized to 256/224 of it, the middle cropped."""
    runs: Annotated[Path, flag("FOLDER")] = Path("runs")
    """Folder of the run folders."""
    workers: Annotated[int, flag("N")] = 1
    """Runs trained at the same time, each in its own process."""
    ray: Annotated[str | None, flag("ADDRESS")] = None
    """Address of a Ray cluster that shares the folder of the runs, or `local`; needs the
    package ray."""
    loaders: Annotated[int, flag("N")] = 0
    """Extra processes that read images ahead for each run; worth it for a folder of images."""
    threads: Annotated[int, flag("N")] = 1
    """Threads of each run. Part of its configuration, because sums depend on it."""
    devices: Annotated[int, flag("N")] = 1
    """Devices that share each run, one process each: GPUs, or CPU processes with --accelerator cpu.
    They share its batches: part of its configuration, because batch norm sees only a share of each.
    With --ensemble, and no more devices than members, they share the members, and the result is
    that of one device."""
    nodes: Annotated[int, flag("N")] = 1
    """Machines that share each run, with --devices on each: `torchrun` or `srun` starts the same
    command on all of them, and all see the folder of the runs."""
    accelerator: Annotated[str, flag("DEVICE")] = "cpu"
    """cpu, gpu or auto, as Lightning Fabric names them."""
    json: Annotated[bool, flag()] = False
    """Print the last epoch of each run as JSON on standard output, with --sweep also the validation
    ECE of each epsilon."""
    settings: Annotated[dict[str, Any], tyro.conf.Suppress] = field(default_factory=dict)
    """The method's settings; one that it does not have is refused."""

    def __call__(self) -> None:
        from arcal.console import bar, console
        from arcal.data.doubts import doubts
        from arcal.training.many import check_all, train_all
        from arcal.training.recipe_files import write_command
        from arcal.training.teachable import doubts_of_run

        processes_for(self.devices, self.nodes)
        if self._processes > 1 and (self.workers > 1 or self.ray):
            raise ArcalError(
                f"{self._processes} devices for each of several runs at once: give --devices for "
                "one after another, or --workers or --ray for runs of one device each"
            )
        self._check_sweep()
        run, tried = self._run(), {}
        compute = self._compute()
        sharing = replace(compute, threads=self.threads, processes=self._processes)
        sharing.begin("arcal.training", "arcal.compute.device")
        sharing.log(run.recipe.precision)
        check_folder(self.runs, name="--runs")
        loaded: dict[tuple[Any, ...], Data] = {}
        check_all(self._each(run), compute, loaded)
        (data,) = loaded.values()
        if not console.quiet:
            say(f"{_words(run, data)}: {data.counts}")
        for doubt in (*doubts(data), *doubts_of_run(run, data)):
            say(f"arcal: {doubt}")
        if self.sweep:
            swept = self._swept(run, loaded)
            run = replace(run, settings=run.settings | {"epsilon": swept.best})
            tried = {"tried": {f"{epsilon:g}": ece for epsilon, ece in swept.ece.items()}}
        runs = self._each(run)
        with bar(f"training {self.method}", "epochs") as progress:
            folders = train_all(runs, self.runs, compute=compute, loaded=loaded, progress=progress)
        for one, folder in zip(runs, folders, strict=True):
            write_command(one, folder)
        self._say_results(folders, tried)

    def _say_results(self, folders: "list[RunFolder]", tried: dict[str, Any]) -> None:
        """Print the last epoch of each run, and what else its epochs show."""
        from arcal.training.saved_run import read_run

        records = [folder.epochs() for folder in folders]
        last = [
            {"run": str(folder.path), "settings": read_run(folder).run.settings} | epochs[-1]
            for folder, epochs in zip(folders, records, strict=True)
        ]
        if self.json:
            print_json([record | tried for record in last])
        for line, epochs in zip(last, records, strict=True):
            say(
                f"{line['run']}: validation accuracy {100 * line['accuracy']:.2f} %, "
                f"ECE {100 * line['ece']:.2f} points"
            )
            if scoring := sum(record.get("rescoring_seconds", 0.0) for record in epochs):
                whole = scoring + sum(record["seconds"] for record in epochs)
                say(f"  re-scoring on the fly took {100 * scoring / whole:.0f} % of the time")

    def _each(self, run: "Run") -> "list[Run]":
        """The runs to train: one for all seeds, or one for each."""
        return [run] if self.ensemble else [replace(run, seeds=(seed,)) for seed in self.seeds]

    @property
    def _processes(self) -> int:
        """The number of processes that share a run."""
        return self.devices * self.nodes

    @property
    def _apart(self) -> bool:
        """Whether each process trains whole members of an ensemble."""
        return self.ensemble and self._processes <= len(self.seeds)

    def _compute(self) -> "Compute":
        from arcal.compute import Compute

        return Compute(
            self.accelerator,
            processes=self._processes if self._apart else 1,
            workers=self.workers,
            loaders=self.loaders,
            ray=self.ray,
        )

    def _run(self) -> "Run":
        from arcal.training.run import Run

        return Run(
            data=self.data,
            network=self.network,
            weights=None if self.weights is None else str(self.weights),
            method=self.method,
            settings=self.settings,
            seeds=self.seeds,
            recipe=self._recipe(),
            split_seed=self.split_seed,
            validation=self.validation,
            images=self.images,
            classes=self.classes,
            size=self.size,
            threads=self.threads,
            devices=1 if self._apart else self._processes,
        )

    def _recipe(self) -> "Recipe":
        from arcal.training.recipe_files import open_recipe

        recipe = open_recipe(self.recipe)
        given = {
            "learning_rate": self.lr,
            "batch_size": self.batch_size,
            "optimizer": self.optimizer,
            "precision": self.precision,
        }
        recipe = replace(recipe, **{key: one for key, one in given.items() if one is not None})
        return recipe if self.epochs is None else recipe.shortened(self.epochs)

    def _check_sweep(self) -> None:
        if self.sweep and (self.method != "label-smoothing" or "epsilon" in self.settings):
            raise ArcalError(
                "--sweep chooses epsilon: give --method label-smoothing and no --epsilon"
            )

    def _swept(self, run: "Run", loaded: dict[tuple[Any, ...], "Data"]) -> "Sweep":
        from arcal.console import bar
        from arcal.methods.label_smoothing import PAPER_GRID
        from arcal.training import sweep

        with bar("choosing epsilon on validation", "epochs") as progress:
            first = replace(run, seeds=self.seeds[:1])
            swept = sweep(
                first,
                self.runs,
                "epsilon",
                PAPER_GRID,
                extend=True,
                compute=self._compute(),
                loaded=loaded,
                progress=progress,
            )
        for value, ece in swept.ece.items():
            say(f"epsilon {value:g}: validation ECE {100 * ece:.2f} points")
        say(f"chosen: epsilon {swept.best:g}")
        if swept.best == max(swept.ece):
            say("it is the largest tried: a larger one, given with --epsilon, may be better")
        return swept


def _words(run: "Run", data: "Data") -> str:
    """A phrase on what is trained, and on what data."""
    on = "the embedded images of Fashion-MNIST" if run.data == "fashion" else run.data
    network = run.network_name
    if run.source is not None and run.source.weights is not None:
        network += f" from the weights {Path(run.source.weights).name}"
        anew = run.source.layer_drawn_anew(classes=len(data.classes), shape=data.shape)
        if anew is not None:
            network += f", its layer {anew} initialised anew for {len(data.classes):,} classes"
    epochs = f"{run.recipe.epochs} epoch{'s' * (run.recipe.epochs > 1)}"
    return f"training {run.method} (network {network}, recipe {run.recipe.name}, {epochs}) on {on}"
