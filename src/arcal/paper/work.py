"""One setting's share of a reproduction: its runs, what they are evaluated on, what they become."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path

from arcal.attacks import attack_named
from arcal.auditing import CLEAN, EvaluationSet, Subject, shift_sets
from arcal.compute import Compute
from arcal.data import Data, Part, load_test
from arcal.data.corrupted import CorruptedImages
from arcal.data.fewer import drawn, only_classes
from arcal.evaluation import (
    evaluate,
    evaluated_part,
    has_summary,
    method_of_run,
    read_summaries,
)
from arcal.paper.plan import Planned
from arcal.paper.scales import Chosen
from arcal.paper.variants import Variant
from arcal.store import RunFolder
from arcal.training.run import Run

Runs = Mapping[Variant, Sequence[Run]]
"""The runs of everything that is trained."""


@dataclass(frozen=True)
class Work:
    """What is planned on one setting, with its data; `root` is the folder of the runs.

    In the folder `cache`, if there is one, corrupted images are kept.
    """

    planned: Planned
    data: Data
    root: Path
    cache: Path | None = None

    def folders(self, runs: Sequence[Run]) -> list[RunFolder]:
        """Where these runs are, or will be."""
        return [RunFolder(run.path(self.root, self.data)) for run in runs]

    @property
    def tried(self) -> list[Run]:
        """The runs that something is chosen by."""
        return [run for grid in self.planned.grids().values() for run in grid.runs]

    def chosen(self) -> Chosen:
        """The best of each grid, whose runs are trained."""
        grids = self.planned.grids().items()
        return Chosen(**{name: grid.best(self.folders(grid.runs)) for name, grid in grids})

    @cached_property
    def sets(self) -> dict[EvaluationSet, Part]:
        """What is evaluated on: the clean test set, and under shift."""
        shifted = replace(self.data, test=self._shifted)
        parts = {where: evaluated_part(where, shifted, self._images) for where in self._shift_sets}
        return {CLEAN: self.data.test} | parts

    def evaluate(
        self, runs: Runs, *, compute: Compute, progress: Callable[[int, int], object]
    ) -> list[Subject]:
        """The trained runs as subjects, each once."""
        setting, folders = self.planned.setting, {v: self.folders(some) for v, some in runs.items()}
        return evaluate(
            list(chain(*folders.values())),
            self.data,
            self._shift_sets,
            setting.order,
            attack=None if setting.attack is None else attack_named(setting.attack),
            ood=self._other_data,
            corrupted=self._images,
            posthoc={
                name: list(chain(*(folders[variant] for variant in variants)))
                for name, variants in self.planned.posthoc.items()
            },
            shifted=self._shifted,
            scored=list(chain(*(folders[variant] for variant in self.planned.scored))),
            compute=compute,
            progress=progress,
        )

    def without_summary(self, runs: Runs, folder: Path) -> dict[Variant, list[Run]]:
        """The runs that have no summary in the folder with all sets and calibrated twins."""
        twins = self.planned.posthoc
        missing = {}
        for variant, some in runs.items():
            posthoc = [name for name, variants in twins.items() if variant in variants]
            missing[variant] = [
                run
                for run, place in zip(some, self.folders(some), strict=True)
                if not has_summary(folder, place.name, self.sets, posthoc)
            ]
        return missing

    def read_summaries(self, runs: Runs, folder: Path) -> list[Subject]:
        """The runs as subjects, each once, from their summaries in the folder."""
        names = {tuple(one.name for one in self.folders(some)): some[0] for some in runs.values()}
        return [
            subject
            for some, first in names.items()
            for subject in read_summaries(folder, method_of_run(first), some, self.sets)
        ]

    def by_variant(self, subjects: Sequence[Subject], runs: Runs) -> dict[Variant, Subject]:
        """The subject of each variant; variants that come to the same runs share one."""
        known = {
            (frozenset(run.name for run in one.provenance), one.method and one.method.posthoc): one
            for one in subjects
        }
        return {
            variant: known[
                frozenset(one.name for one in self.folders(runs[variant.trained])), variant.posthoc
            ]
            for variant in self.planned.variants
        }

    @property
    def _shift_sets(self) -> list[EvaluationSet]:
        return shift_sets(self.planned.setting.shift) if self.planned.shift else []

    @property
    def _images(self) -> CorruptedImages:
        return CorruptedImages(cache=self.cache)

    @property
    def _shifted(self) -> Part:
        """The test images that are corrupted."""
        setting = self.planned.setting
        return drawn(self.data.test, setting.shift_images, split_seed=setting.run.split_seed)

    @property
    def _other_data(self) -> list[Part]:
        setting = self.planned.setting
        if not self.planned.ood or setting.ood is None:
            return []
        return [only_classes(load_test(setting.ood), setting.ood_classes)]
