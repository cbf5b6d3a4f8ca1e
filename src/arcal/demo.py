"""The demo: three methods on the embedded images, three seeds each, and an audit of two models."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from arcal.attacks import BoundaryProjection
from arcal.auditing import EvaluationSet, Subject
from arcal.audits import Audit, Examples, Job, Settings, panel_for, run_jobs
from arcal.compute import Compute
from arcal.console import bar
from arcal.data import Data
from arcal.evaluation import evaluate
from arcal.report import write_report
from arcal.store import RunFolder
from arcal.training import Sweep, sweep, tries
from arcal.training.many import train_all
from arcal.training.opened_run import open_model
from arcal.training.recipes import RECIPES
from arcal.training.run import Run

SEEDS = (0, 1, 2)
VANILLA = Run(
    data="fashion",
    images=1500,
    validation=2000,
    test_images=3000,
    recipe=replace(RECIPES["demo"], batch_size=64),
)
EPSILONS = (0.02, 0.04, 0.06)
R = 10
ADAPTIVE: dict[str, Any] = {
    "R": R,
    "attack": "boundary-projection-quick",
    "alpha": "auto",
    "update": "joint",
}
RANKING = BoundaryProjection(budget=8, reach=1.3)
"""Ranks the test images. Training levels come from an attack with twice as many passes."""

SHIFT = EvaluationSet(corruption="gaussian_noise", intensity=3)
AUDITED = 2000
"""Test images that the audit looks at, drawn at random."""
AUDIT = BoundaryProjection(budget=16)

THREE_WORKERS = Compute(workers=3, threads=1)
"""One more than two cores, so that neither idles while the last of an odd number of runs ends."""


def demo(
    out: Path,
    *,
    seeds: tuple[int, ...] = SEEDS,
    vanilla: Run = VANILLA,
    compute: Compute = THREE_WORKERS,
) -> tuple[list[Subject], Path, Path]:
    """Train, evaluate, report and audit under `out`.

    Returns the evaluated runs, the report page and the audit page. The audit compares vanilla and
    AR-AdaLS of the first seed.

    `vanilla` defines the images and the length of training for all three methods; its seeds are
    replaced by `seeds`. Label smoothing's epsilon is chosen by validation ECE on the first seed,
    from three tries (and larger ones as long as the last is the best). AR-AdaLS has nothing to
    choose: its alpha follows from the number of epochs. The test set is read only after all
    training. Whatever is already in `out` is not done again.
    """
    data, root = vanilla.load(), out / "runs"
    vanilla = replace(vanilla, seeds=seeds[:1])
    smoothing = replace(vanilla, method="label-smoothing", settings={"epsilon": EPSILONS[0]})
    adaptive = replace(vanilla, method="ar-adals", settings=ADAPTIVE)

    with bar("training, three epsilons", "epochs") as progress:
        first = _each(vanilla, seeds) + tries(smoothing, "epsilon", EPSILONS)
        train_all([*first, *_each(adaptive, seeds)], root, compute=compute, progress=progress)
    with bar("choosing epsilon", "epochs") as progress:
        options = {"compute": compute, "progress": progress}
        epsilon = sweep(smoothing, root, "epsilon", EPSILONS, extend=True, **options)
    chosen = [vanilla, *tries(smoothing, "epsilon", [epsilon.best]), adaptive]
    with bar("the chosen, all seeds", "epochs") as progress:
        runs = [run for method in chosen for run in _each(method, seeds)]
        folders = train_all(runs, root, compute=compute, progress=progress)

    with compute.limited(), bar("evaluating", "sets") as progress:
        options = {"attack": RANKING, "compute": compute, "progress": progress}
        evaluated = evaluate(folders, data, [SHIFT], "attack", **options)
    page = write_report(
        out / "report",
        evaluated,
        title="Where is a plain network over-confident, and does AR-AdaLS correct it?",
        classes=data.classes,
        notes=_notes(data, seeds[0], epsilon),
        part=data.test,
        R=R,
    )
    first = [folders[0], folders[-len(seeds)]]
    audit = _audit(first, data, out / "audit" / ".work")
    return evaluated, page, audit.report(out / "audit")


def _audit(folders: list[RunFolder], data: Data, work: Path) -> Audit:
    """The result of `arcal audit RUN RUN DATA` for these runs."""
    examples = Examples.from_part(data.test).first(AUDITED)
    settings = Settings(attack=AUDIT, panel=panel_for(None, examples))
    jobs = []
    for folder, name in zip(folders, ("vanilla", "AR-AdaLS"), strict=True):
        opened = open_model(str(folder.path))
        jobs.append(
            Job(
                name=name,
                model=opened.model,
                examples=examples,
                classes=opened.class_names,
                validation=Examples.from_part(data.validation),
                settings=settings,
                fingerprint=opened.fingerprint(),
                facts=dict(opened.facts),
            )
        )
    with bar("auditing", "inputs") as progress:
        return Audit.from_jobs(jobs, run_jobs(jobs, work=work, progress=progress))


def _each(run: Run, seeds: tuple[int, ...]) -> list[Run]:
    return [replace(run, seeds=(seed,)) for seed in seeds]


def _notes(data: Data, seed: int, epsilon: Sweep) -> list[str]:
    tried = ", ".join(f"{value:g}: {100 * ece:.2f}" for value, ece in epsilon.ece.items())
    return [
        f"{len(data.train):,} training, {len(data.validation):,} validation and "
        f"{len(data.test):,} test images of Fashion-MNIST, the validation images drawn at random "
        "from the training set (split seed 0, the same for all runs).",
        f"Chosen on validation, seed {seed} (ECE × 100 by value tried): epsilon of label "
        f"smoothing {epsilon.best:g} ({tried}). AR-AdaLS has nothing to choose: its alpha follows "
        "from the number of epochs. Nothing was chosen on a test set; every figure is of the final "
        "epoch.",
        "Levels are cut by the distance that a fast attack, boundary projection, finds: within "
        "some 16 passes an image for those that AR-AdaLS trains with, some "
        f"{RANKING.budget} for those of the test set.",
        "The shifted set is the test set under Gaussian noise of intensity 3 (CIFAR-10-C's "
        "constants).",
    ]
