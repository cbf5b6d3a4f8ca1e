"""What is computed for every run: scores of its test images, and predictions on every set."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from arcal.auditing import CLEAN, EvaluationSet
from arcal.compute import Compute
from arcal.data import Data, Part
from arcal.data.corrupted import CorruptedImages
from arcal.data.part import Resized
from arcal.evaluation.predictor import Predictor
from arcal.robustness import Attack, Robustness
from arcal.store import RunFolder
from arcal.training.scoring import score_file, score_run


def evaluated_part(where: EvaluationSet, data: Data, images: CorruptedImages) -> Part:
    """The images of a set; corrupted images are made or read when they are used."""
    part = data.part(where.part)
    if where.corruption is None:
        return part
    return images.part(part, where.corruption, where.intensity)


@dataclass(frozen=True)
class Workload:
    """The order that ranks images, and the sets and parts of other data to evaluate runs on.

    `shifted`, if given, are the test images that the corrupted sets are made of.
    """

    data: Data
    sets: Sequence[EvaluationSet]
    order: str
    attack: Attack | None
    ood: Sequence[Part]
    corrupted: CorruptedImages
    shifted: Part | None
    compute: Compute

    def predictor(self, folder: RunFolder) -> Predictor:
        """The predictor that makes and keeps a run's predictions."""
        return Predictor(folder, self.compute)

    def score(self, folder: RunFolder) -> Robustness:
        """A run's scores of the test images, kept in its folder."""
        how: dict[str, Any] = {"attack": self.attack, "loaders": self.compute.loaders}
        how["fabric"] = self.compute.fabric_if_needed()
        return score_run(folder, self.data.test, CLEAN.part, self.order, **how)

    def score_file(self, folder: RunFolder) -> Path:
        """The file in which a run's scores of the test images are kept."""
        return score_file(folder, CLEAN.part, self.order, self.attack)

    def parts(self) -> Iterator[tuple[EvaluationSet, Part, str]]:
        """The clean test set and each other set, and the name of its predictions in run folders.

        Corrupted images are made when they are first read.
        """
        under_shift, fewer = self.data, ""
        if self.shifted is not None and len(self.shifted) < len(self.data.test):
            under_shift, fewer = replace(self.data, test=self.shifted), f"-of-{len(self.shifted)}"
        for where in dict.fromkeys((CLEAN, *self.sets)):
            part = evaluated_part(
                where, under_shift if where.is_shifted else self.data, self.corrupted
            )
            official = self.corrupted.official is not None and where.corruption is not None
            name = where.name + ("-official" if official else "")
            yield where, part, name + (fewer if where.is_shifted else "")

    def others(self) -> Iterator[tuple[Resized, str]]:
        """The parts of other data, resized to the images, and the names of their predictions."""
        for other in self.ood:
            part = Resized(other, self.data.shape)  # its content is in the name, to be unique
            yield part, f"ood-{other.name.replace('/', '-')}-{part.fingerprint()[:8]}"

    def check(self) -> None:
        """Open every set once before anything runs; one that fails to open raises `ArcalError`."""
        deque(chain(self.parts(), self.others()), maxlen=0)

    def sent(self) -> "Workload":
        """The same for other processes, without the training images, which they do not need."""
        train = self.data.train
        return replace(self, data=replace(self.data, train=train.subset(train.ids[:0])))

    def done(self, folder: RunFolder) -> Callable[[], int]:
        """A function that counts the sets on which a run has predictions by now."""
        names = [name for *_, name in (*self.parts(), *self.others())]
        return lambda: sum(folder.predictions(name).exists() for name in names)
