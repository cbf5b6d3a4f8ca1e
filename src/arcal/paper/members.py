"""What several runs make: single models beside their ensemble on the clean test set."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from arcal.calibration import Reliability
from arcal.evaluation import MethodRuns, Predictions, ensemble_of, figures
from arcal.paper.item import Found
from arcal.report.reliability import bins_of
from arcal.report.tables import Spread

SETTINGS = ("cifar10-resnet29", "imagenet-resnet101")
METHODS = ("vanilla", "ls", "adals", "ar-adals", "of-ensemble")
READ = (
    "Single models are the runs that an ensemble averages; of AR-AdaLS of Ensemble they are its "
    "members, none of which was meant to be used alone."
)


@dataclass(frozen=True)
class Members:
    """M single models and the ensemble of them all."""

    single: list[Predictions]
    together: Predictions

    @classmethod
    def of(cls, runs: MethodRuns) -> "Members":
        """All members of all runs, each alone; a run of several learned jointly."""
        single = [
            Predictions(found.ids, found.labels, member[None])
            for found in runs.predictions
            for member in found.logits
        ]
        return cls(single, ensemble_of(runs.predictions))

    def alone(self, measure: str) -> Spread:
        """A measure of `evaluation.figures` of each single model."""
        return Spread(tuple(found[measure] for found in self._figures[:-1]))

    def ensemble(self, measure: str) -> Spread:
        """The same of the ensemble."""
        return Spread((self._figures[-1][measure],))

    @cached_property
    def _figures(self) -> list[dict[str, float]]:
        return [figures(found) for found in (*self.single, self.together)]

    def bins(self) -> tuple[Reliability, Reliability]:
        """Confidence and accuracy by bin: of the single models, their sums added, and together."""
        single = Reliability()
        for found in self.single:
            single.merge(bins_of(found))
        return single, bins_of(self.together)


def of_several(found: Found, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The settings with two seeds or more, as ensembles and variance need; a note for each other.

    Settings that the scale does not have are in neither.
    """
    seeds = {name: found.settings[name].setting.seeds for name in names if found.has(name)}
    one = [found.settings[name].setting.stands_for for name in seeds if len(seeds[name]) < 2]
    notes = [f"{title}: not shown, one seed has neither ensemble nor variance." for title in one]
    return [name for name in seeds if len(seeds[name]) > 1], notes


def members_of(found: Found, names: Sequence[str]) -> dict[str, dict[str, Members]]:
    """Of each of these settings, by its title, the methods by key."""
    return {
        found.settings[name].setting.stands_for: {
            key: Members.of(found.of(name, key)) for key in METHODS
        }
        for name in names
    }
