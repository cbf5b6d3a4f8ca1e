"""The demo: vanilla, label smoothing and AR-AdaLS on the embedded images, three seeds each."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from arcal.attacks import attack_named
from arcal.auditing import EvaluationSet, Subject
from arcal.compute import Compute
from arcal.console import bar
from arcal.data import Data, load
from arcal.evaluation import evaluate, showcase_of_run
from arcal.report import write_report
from arcal.training._sweep import Sweep, sweep, tries
from arcal.training.many import train_all
from arcal.training.recipes import RECIPES
from arcal.training.run import Run

SEEDS = (0, 1, 2)
ATTACK = "boundary-projection-quick"
SHIFT = EvaluationSet(corruption="gaussian_noise", intensity=3)
EPSILONS = (0.02, 0.04, 0.06)
ALPHAS = (0.1, 0.2, 0.4)
R = 10
TWO_WORKERS = Compute(workers=2, threads=1)


def demo(
    out: Path, *, seeds: tuple[int, ...] = SEEDS, compute: Compute = TWO_WORKERS
) -> tuple[list[Subject], Path]:
    """Train, evaluate and report under `out`; returns the evaluated runs and the report's page.

    Label smoothing's epsilon and AR-AdaLS's alpha are chosen by validation ECE on the first seed,
    from three tries each (epsilon goes on upward while its best is the last). The test set is read
    only once all is trained. What is there already is not done again.
    """
    data = load("fashion")
    vanilla = Run(data="fashion", recipe=RECIPES["demo"], seeds=seeds[:1])
    smoothing = replace(vanilla, method="label-smoothing", settings={"epsilon": EPSILONS[0]})
    adaptive = replace(vanilla, method="ar-adals", settings={"R": R, "attack": ATTACK})
    root = out / "runs"

    with bar("vanilla, and sweeps", "epochs") as progress:
        first = tries(smoothing, "epsilon", EPSILONS) + tries(adaptive, "alpha", ALPHAS)
        train_all(_each(vanilla, seeds) + first, root, compute=compute, progress=progress)
    with bar("choosing on validation", "epochs") as progress:
        options = {"compute": compute, "progress": progress}
        epsilon = sweep(smoothing, root, "epsilon", EPSILONS, extend=True, **options)
        alpha = sweep(adaptive, root, "alpha", ALPHAS, **options)
    chosen = [
        vanilla,
        *tries(smoothing, "epsilon", [epsilon.best]),
        *tries(adaptive, "alpha", [alpha.best]),
    ]
    with bar("the chosen, all seeds", "epochs") as progress:
        runs = [run for method in chosen for run in _each(method, seeds)]
        folders = train_all(runs, root, compute=compute, progress=progress)

    with compute.limited(), bar("evaluating", "sets") as progress:
        ranked = partial(evaluate, order="attack", attack=attack_named(ATTACK))
        evaluated = ranked(folders, data, [SHIFT], compute=compute, progress=progress)
    with bar("attacking", "images") as progress:
        scores = evaluated[0].robustness[0]
        shown = showcase_of_run(folders[0], data.test, scores, progress=progress)
    page = write_report(
        out / "report",
        evaluated,
        title="Where is a plain network over-confident, and does AR-AdaLS mend it?",
        classes=data.classes,
        notes=_notes(data, seeds[0], epsilon, alpha),
        showcase=shown,
        R=R,
    )
    return evaluated, page


def _each(run: Run, seeds: tuple[int, ...]) -> list[Run]:
    return [replace(run, seeds=(seed,)) for seed in seeds]


def _notes(data: Data, seed: int, epsilon: Sweep, alpha: Sweep) -> list[str]:
    def tried(sweep: Sweep) -> str:
        return ", ".join(f"{value:g}: {100 * ece:.2f}" for value, ece in sweep.ece.items())

    return [
        f"{len(data.train)} training, {len(data.validation)} validation and {len(data.test)} test "
        f"images of Fashion-MNIST, the validation images drawn at random from the training set "
        f"(split seed 0, the same for all runs).",
        f"Chosen on validation, seed {seed} (ECE x 100 by value tried): epsilon of label "
        f"smoothing {epsilon.best:g} ({tried(epsilon)}); alpha of AR-AdaLS {alpha.best:g} "
        f"({tried(alpha)}). Nothing was chosen on a test set; every figure is of the final epoch.",
        "Levels are cut by the distance that a fast attack finds within some 16 passes an image, "
        "boundary projection at its quick budget. On the images shown, it has three times that.",
        "The shifted set is the test set under Gaussian noise of intensity 3 (CIFAR-10-C's "
        "constants).",
    ]
