"""What the fixtures of this folder hand to the tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arcal.auditing import EvaluationSet, Subject
from arcal.data import Data
from arcal.store import RunFolder

NOISE = EvaluationSet(corruption="gaussian_noise", intensity=3)
SPATTER = EvaluationSet("validation", "spatter", 2)


@dataclass(frozen=True)
class Trained:
    """The folders of two runs of each method by its name, and of a `pair` trained in lockstep."""

    data: Data
    folders: Mapping[str, Sequence[RunFolder]]

    @property
    def all(self) -> list[RunFolder]:
        return [folder for folders in self.folders.values() for folder in folders]

    @property
    def vanilla(self) -> Sequence[RunFolder]:
        return self.folders["vanilla"]

    @property
    def pair(self) -> RunFolder:
        return self.folders["pair"][0]


@dataclass(frozen=True)
class Evaluated:
    """The subjects of all runs, and what was told of the progress."""

    subjects: Sequence[Subject]
    progress: Sequence[tuple[int, int]]

    def subject(self, method: str, members: int = 1, posthoc: str | None = None) -> Subject:
        """That of one method, as it was trained or calibrated after that."""
        wanted = (method, members, posthoc)
        (subject,) = (
            one
            for one in self.subjects
            if one.method and (one.method.name, one.method.members, one.method.posthoc) == wanted
        )
        return subject
