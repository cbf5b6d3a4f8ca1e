"""What the order of AR-AdaLS is worth where nothing else differs: the amount of smoothing replayed.

    python -m benchmarks.equal_smoothing RUNS --data PATH

AR-AdaLS in random order ends with less smoothing than AR-AdaLS, so the two differ in more than the
order. Each AR-AdaLS run in the folder RUNS therefore gets a twin of the same seed, with random
levels and, epoch by epoch, the soft labels of the run: as many images are smoothed by as much, only
not the same ones. Both are evaluated clean and under shift, as trained and after temperature
scaling on clean validation images. Twins are kept in RUNS, and a killed run continues.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import tyro
from torch import Tensor

from arcal.auditing import Spread, Subject, shift_sets
from arcal.compute import Compute
from arcal.compute.processes import keep_memory
from arcal.console import bar
from arcal.data.corrupted import CorruptedImages
from arcal.errors import ArcalError
from arcal.evaluation import evaluate
from arcal.methods import METHODS, Method
from arcal.paper.comparisons import each_lower
from arcal.paper.spreads import clean, shifted
from arcal.smoothing import AdaptiveLabelSmoothing, soft_label_of
from arcal.store import RunFolder
from arcal.training.many import train_all
from arcal.training.run import Run
from arcal.training.saved_run import is_done, read_run
from benchmarks.settings import shared

Figures = dict[str, dict[str, Spread]]
MEASURES = {"accuracy": 100.0, "ece": 100.0, "gap": 100.0, "nll": 1.0}


class Replayed(Method):
    """AR-AdaLS whose soft labels are given: `epsilon`, for every epoch those of its R levels."""

    ranks = True

    def __init__(
        self,
        Z: int,
        *,
        epsilon: Sequence[Sequence[float]] = ((0.0,),),
        order: str = "random",
        attack: str | None = None,
    ):
        super().__init__()
        self.epsilon, self.R = torch.tensor(epsilon, dtype=torch.float64), len(epsilon[0])
        self.smoothing = AdaptiveLabelSmoothing(Z, self.R)

    def criterion(self, logits: Tensor, ids: Tensor, labels: Tensor) -> Tensor:
        return self.smoothing(logits, labels, ids)

    def learn(self, ids: Tensor, confidence: Tensor, correct: Tensor) -> dict[str, Any]:
        smoothing = self.smoothing
        epsilon = self.epsilon[int(smoothing.epoch)]
        smoothing.soft_label = soft_label_of(epsilon, smoothing.Z)
        smoothing.epoch += 1
        return {"epsilon": epsilon.tolist()}

    def assign(self, part: str, ids: Tensor, levels: Tensor) -> None:
        self.smoothing.assign(part, ids, levels)


if __name__ in ("__main__", "__mp_main__"):  # the processes that train are such as well
    METHODS["replayed"] = Replayed


def main(
    runs: tyro.conf.Positional[Path],
    data: str | None = None,
    cache: Path | None = None,
    shift: tuple[str, ...] = (),
    workers: int = 2,
) -> None:
    """Train the twins that are missing, evaluate both, and print two tables and paired tests.

    Without `data` it is CIFAR-10, in the folder that `ARCAL_SHARED` names.
    """
    keep_memory()
    torch.set_num_threads(1)
    data = data or str(shared() / "data" / "cifar10")
    compute = Compute(workers=workers)
    ours = [
        folder
        for folder in map(RunFolder, sorted(runs.glob("ar-adals-*")))
        if is_done(folder) and read_run(folder).run.settings["order"] == "attack"
    ]
    if not ours:
        raise ArcalError(f"{runs} holds no trained run of ar-adals --order attack: name its folder")
    twins = [twin_of(folder, data) for folder in ours]
    with bar("training", "epochs") as progress:
        trained = train_all(twins, runs, compute=compute, progress=progress)
    folders, images = [*ours, *trained], replace(read_run(ours[0]).run, data=data).load()
    with bar("evaluating", "sets") as progress:
        subjects = evaluate(
            folders,
            images,
            shift_sets(shift),
            "margin",
            corrupted=CorruptedImages(cache=cache),
            posthoc=["temperature"],
            scored=[],
            compute=compute,
            progress=progress,
        )
    compared = []
    for posthoc, title in ((None, "as trained"), ("temperature", "after temperature scaling")):
        first, second = (
            _joined([one for one in subjects if _is(one, name, posthoc)])
            for name in ("ar-adals", "replayed")
        )
        _show(title, {"AR-AdaLS": first, "the same smoothing, random order": second})
        for where in first:
            text = f"AR-AdaLS has the lower ECE, {where}, {title}"
            compared.append((text, first[where]["ece"], second[where]["ece"]))
    print()
    for claim in each_lower(compared):
        print(f"- {claim.text}: {claim.verdict} ({claim.because})")


def twin_of(folder: RunFolder, data: str) -> Run:
    """The run that smooths as much as this one, but images in random order."""
    return replace(
        read_run(folder).run,
        data=data,
        method="replayed",
        settings={"epsilon": [record["epsilon"] for record in folder.epochs()]},
    )


def _is(subject: Subject, name: str, posthoc: str | None) -> bool:
    method = subject.method
    return method is not None and (method.name, method.posthoc) == (name, posthoc)


def _joined(subjects: list[Subject]) -> Figures:
    """Clean and under shift, each measure of all runs in the order of their seeds."""
    ordered = sorted(subjects, key=lambda subject: tuple(subject.seeds))
    return {
        where: {
            name: Spread(tuple(value for one in ordered for value in spread(one, name).values))
            for name in MEASURES
        }
        for where, spread in (("clean", clean), ("under shift", shifted))
    }


def _show(title: str, methods: dict[str, Figures]) -> None:
    columns = [(where, name) for where in ("clean", "under shift") for name in MEASURES]
    print(f"\n| {title} | {' | '.join(f'{name}, {where}' for where, name in columns)} |")
    print("| --- " * (1 + len(columns)) + "|")
    for method, figures in methods.items():
        cells = [_cell(figures[where][name], MEASURES[name]) for where, name in columns]
        print(f"| {method} | {' | '.join(cells)} |")


def _cell(spread: Spread, scale: float) -> str:
    digits = 2 if scale > 1 else 3
    deviation = "" if spread.deviation is None else f" ± {scale * spread.deviation:.{digits}f}"
    return f"{scale * spread.mean:.{digits}f}{deviation}"


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except ArcalError as error:
        sys.exit(f"error: {error}")
