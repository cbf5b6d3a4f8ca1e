"""What every run is asked: its test images' scores, and predictions on every set."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from arcal.compute.device import fabric_on
from arcal.compute.processes import fan_out
from arcal.compute.watch import watched
from arcal.data import Data, Part
from arcal.data.resized import Resized
from arcal.evaluation.predictions import Predictor
from arcal.evaluation.sets import CLEAN, EvaluationSet, Source
from arcal.robustness import Attack, Robustness
from arcal.store import RunFolder
from arcal.training.scoring import score_run


@dataclass(frozen=True)
class Asked:
    """The order that ranks, the sets, and the parts of other data that runs are evaluated on.

    `shifted`, if given, are the test images that the corrupted sets are made of.
    """

    data: Data
    sets: Sequence[EvaluationSet]
    order: str
    attack: Attack | None
    ood: Sequence[Part]
    source: Source
    shifted: Part | None
    accelerator: str

    def score(self, folder: RunFolder) -> Robustness:
        """A run's scores of the test images, kept in its folder."""
        fabric = fabric_on(self.accelerator)
        test = self.data.test
        return score_run(folder, test, CLEAN, self.order, attack=self.attack, fabric=fabric)

    def of_sets(self) -> Iterator[tuple[EvaluationSet, Part, str]]:
        """The clean test set and each other one, and the name that predictions on it are kept by.

        Corrupted images are made when they are first read.
        """
        under_shift, fewer = self.data, ""
        if self.shifted is not None and len(self.shifted) < len(self.data.test):
            under_shift, fewer = replace(self.data, test=self.shifted), f"-of-{len(self.shifted)}"
        for at in dict.fromkeys((EvaluationSet(), *self.sets)):
            few = at.corruption is not None and at.part == CLEAN
            part = at.of(under_shift if few else self.data, self.source)
            yield at, part, at.name + self.source.mark(at) + (fewer if few else "")

    def of_others(self) -> Iterator[tuple[Resized, str]]:
        """The parts of other data, brought to the size of the images, and their names."""
        for other in self.ood:
            part = Resized(other, self.data.shape)  # by its content as well: names are shared
            yield part, f"ood-{other.name.replace('/', '-')}-{part.fingerprint()[:8]}"

    def answered(self, folder: RunFolder) -> Callable[[], int]:
        """Counts how many of the sets a run has predictions on by now."""
        names = [name for *_, name in (*self.of_sets(), *self.of_others())]
        return lambda: sum(folder.predictions(name).exists() for name in names)


def answer_ahead(
    asked: Asked,
    folders: Sequence[RunFolder],
    scored: Set[Path],
    calibrated: Set[Path],
    workers: int,
    progress: Callable[[int], object],
) -> None:
    """Have processes make and keep all that the runs are asked, each for a share of the runs.

    Of `scored`, paths, also the scores, and of `calibrated` predictions on validation images. Each
    process goes through the sets once, and begins at another one: what one has kept in a cache the
    others find there.
    """
    train = asked.data.train  # they need not be sent what they do not read
    sent = replace(asked, data=replace(asked.data, train=train.subset(train.ids[:0])))
    shares = [folders[i::workers] for i in range(min(workers, len(folders)))]
    threads = torch.get_num_threads()
    jobs = [
        partial(_answer, sent, share, scored, calibrated, threads, i / len(shares))
        for i, share in enumerate(shares)
    ]
    counts = [asked.answered(folder) for folder in folders]
    with watched(lambda: progress(sum(count() for count in counts))):
        fan_out([jobs], workers)


def _answer(
    asked: Asked,
    folders: Sequence[RunFolder],
    scored: Set[Path],
    calibrated: Set[Path],
    threads: int,
    begin: float,
) -> None:
    torch.set_num_threads(threads)
    predictors = [Predictor(folder, accelerator=asked.accelerator) for folder in folders]
    for folder, predictor in zip(folders, predictors, strict=True):
        if folder.path.resolve() in scored:
            asked.score(folder)
        if folder.path.resolve() in calibrated:
            predictor(asked.data.validation, "validation")
    left = deque([*((part, name) for _, part, name in asked.of_sets()), *asked.of_others()])
    left.rotate(-int(begin * len(left)))
    while left:
        part, name = left.popleft()  # its images go with it
        for predictor in predictors:
            predictor(part, name)
