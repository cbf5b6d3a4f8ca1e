"""arcal train"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from arcal.cli.output import say
from arcal.errors import ArcalError

if TYPE_CHECKING:
    from arcal.training._sweep import Sweep
    from arcal.training.run import Run


@dataclass(frozen=True)
class Train:
    """Train a classifier, or several seeds of it, each into a run folder of its own.

    The folder's name ends in the hash of everything that the run depends on. A run that is done is
    not trained again; one that was killed continues, and on a CPU ends in the same bits as if
    it had not been. A method that cuts levels first trains the vanilla model that it ranks by.
    """

    data: str = "fashion"
    """`fashion` (embedded), or a path: Parquet in the Hugging Face layout (a folder, or a prefix
    such as data/cifar10), a folder with the official python batches of CIFAR-10 or CIFAR-100, or a
    folder of images train/CLASS/* with test/ or val/, each cut to 224 x 224."""
    method: str = "vanilla"
    """vanilla, label-smoothing, adals, ar-adals or ccat."""
    network: str = "small"
    """small, medium, fast, resnet29, wrn-28-10 or resnet101."""
    recipe: str = "small"
    """demo, small, medium, fast, resnet29, wrn-28-10 or imagenet: optimizer, learning rates,
    epochs, augmentation, precision."""
    epochs: int | None = None
    """Another number of epochs than the recipe's; its steps move in proportion."""
    seeds: tuple[int, ...] = (0,)
    """One run a seed."""
    epsilon: float | None = None
    """Of label smoothing: the smoothing, in [0, 1); 0.05 unless given."""
    sweep: bool = False
    """Of label smoothing: choose epsilon on validation with the first seed, from 0 to 0.1 by 0.01
    and further while the best is the last tried."""
    alpha: float | Literal["auto"] | dict[int, float] | None = None
    """Of adals and ar-adals: learning rate of the soft labels. auto, the default, goes by the
    epochs that are left; the paper's for AR-AdaLS on CIFAR is 0.005, for 200. A schedule is first
    epochs and values in turn, such as 0 0.001 60 0.05, the paper's for ImageNet."""
    update: Literal["own", "joint"] | None = None
    """Of ar-adals: own, the default and the paper's, moves each level's soft label by its own gap;
    joint moves all of them together."""
    levels: int | None = None
    """Of ar-adals: R, the number of robustness levels; 10, the paper's, unless given."""
    order: str | None = None
    """Of ar-adals, what levels are cut by: attack (the paper's, unless given), gradient, margin,
    confidence or random."""
    attack: str | None = None
    """Of the order attack: boundary-projection-quick (the default here), boundary-projection,
    carlini-wagner, or carlini-wagner-gradient, the same from a better c."""
    rescore: tuple[float, ...] = ()
    """Of ar-adals, "on the fly": the epochs after which the levels are cut anew by the model as it
    is then, such as 65 130, or shares of all epochs, such as 0.3 0.6."""
    mixup: float | None = None
    """With vanilla or any smoothing: train on mixtures of images and of their labels, in shares
    drawn from Beta(MIXUP, MIXUP); 0.2 in the paper."""
    radius: float | None = None
    """Of ccat: the L-infinity bound of its attack, for pixels in [0, 1]; 0.01, the paper's, unless
    given."""
    rho: float | None = None
    """Of ccat: how fast targets become uniform as a perturbation grows; 10 unless given."""
    step: float | None = None
    """Of ccat: the first step of its attack; 0.025, the paper's, unless given."""
    iterations: int | None = None
    """Of ccat: iterations of its attack; 10, the paper's, unless given."""
    ensemble: bool = False
    """Train the seeds in lockstep as one ensemble that shares its soft labels (AR-AdaLS of
    Ensemble) instead of one run each."""
    split_seed: int = 0
    """Draws the validation images; not changed by the seeds."""
    validation: int | None = None
    """Number of validation images, drawn from the training part: 5000, or 3000 of the embedded set,
    unless given; half of val/ where there is no test/."""
    images: int | None = None
    """Train on this many images only, drawn by the split seed."""
    classes: tuple[int, ...] | None = None
    """Keep only the classes of these numbers."""
    runs: Path = Path("runs")
    """Folder of the run folders."""
    workers: int = 1
    """Runs trained at the same time, each in a process."""
    ray: str | None = None
    """Address of a Ray cluster that shares the folder of the runs, or `local`; needs the
    package ray."""
    loaders: int = 0
    """Processes that read images ahead for each run; worth it for a folder of images."""
    threads: int = 1
    """Threads of each run; part of its configuration, since sums depend on it."""
    accelerator: str = "cpu"
    """cpu, gpu or auto, as Lightning Fabric names them."""
    json: bool = False
    """Print the last epoch of each run as JSON on standard output, with --sweep also the validation
    ECE of each epsilon."""

    def __call__(self) -> None:
        from dataclasses import replace

        from arcal.console import bar
        from arcal.training.many import train_all

        run, tried = self._run(), {}
        if self.sweep:
            found = self._swept(run)
            run = replace(run, settings=run.settings | {"epsilon": found.best})
            tried = {"tried": {f"{epsilon:g}": ece for epsilon, ece in found.ece.items()}}
        runs = [run] if self.ensemble else [replace(run, seeds=(seed,)) for seed in self.seeds]
        with bar(f"training {self.method}", "epochs") as progress:
            folders = train_all(
                runs,
                self.runs,
                workers=self.workers,
                accelerator=self.accelerator,
                loaders=self.loaders,
                ray=self.ray,
                progress=progress,
            )
        records = [folder.epochs() for folder in folders]
        last = [
            {"run": str(folder.path), "settings": folder.config_checked()["settings"]} | of_run[-1]
            for folder, of_run in zip(folders, records, strict=True)
        ]
        if self.json:
            print(json.dumps([record | tried for record in last], indent=2))
        for line, of_run in zip(last, records, strict=True):
            say(
                f"{line['run']}: validation accuracy {100 * line['accuracy']:.2f} %, "
                f"ECE {100 * line['ece']:.2f} x 10^-2"
            )
            if scoring := sum(record.get("rescoring_seconds", 0.0) for record in of_run):
                whole = scoring + sum(record["seconds"] for record in of_run)
                say(f"  re-scoring on the fly took {100 * scoring / whole:.0f} % of the time")

    def _run(self) -> "Run":
        from arcal.methods import METHODS, complete_settings
        from arcal.training.recipes import recipe_named
        from arcal.training.run import Run

        given = vars(self) | {"R": self.levels, "rescore": self.rescore or None}
        names = {"mixup"}.union(*(complete_settings(method, {}) for method in METHODS))
        recipe = recipe_named(self.recipe)
        return Run(
            data=self.data,
            network=self.network,
            method=self.method,
            settings={name: given[name] for name in sorted(names) if given.get(name) is not None},
            seeds=self.seeds,
            recipe=recipe if self.epochs is None else recipe.shortened(self.epochs),
            split_seed=self.split_seed,
            validation=self.validation,
            images=self.images,
            classes=self.classes,
            threads=self.threads,
        )

    def _swept(self, run: "Run") -> "Sweep":
        from dataclasses import replace

        from arcal.console import bar
        from arcal.methods.label_smoothing import PAPER_GRID
        from arcal.training._sweep import sweep

        if self.method != "label-smoothing" or self.epsilon is not None:
            raise ArcalError(
                "--sweep chooses epsilon: give --method label-smoothing and no --epsilon"
            )
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
                ray=self.ray,
                progress=progress,
            )
        for value, ece in found.ece.items():
            say(f"epsilon {value:g}: validation ECE {100 * ece:.2f} x 10^-2")
        say(f"chosen: epsilon {found.best:g}")
        return found
