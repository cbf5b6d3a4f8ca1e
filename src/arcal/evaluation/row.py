"""The runs of one method with their models, which become subjects, set by set."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import torch

from arcal.auditing import (
    CLEAN,
    EvaluationSet,
    Measures,
    OutOfDistribution,
    Predictions,
    Subject,
    calibrated,
    fit_posthoc,
    measure_set,
    out_of_distribution,
)
from arcal.calibration.posthoc import Calibrator, TemperatureByBatch
from arcal.data import Part
from arcal.errors import ArcalError
from arcal.evaluation.figures import Basis, basis_of, read_figures, write_figures
from arcal.evaluation.grouping import Group
from arcal.evaluation.predictor import Predictor
from arcal.robustness import Robustness
from arcal.store import digest_of

VALIDATION = "validation"
"""The name under which predictions on validation images are kept."""


@dataclass
class Evaluated:
    """The results on one subject so far: its calibrators, if any, and its figures."""

    posthoc: str | None = None
    calibrators: list[Calibrator] = field(default_factory=list)
    clean: list[Predictions] = field(default_factory=list)
    measures: dict[EvaluationSet, Measures] = field(default_factory=dict)
    ood: list[OutOfDistribution] = field(default_factory=list)

    def predictions(self, runs: list[Predictions]) -> list[Predictions]:
        """The subject's predictions, from those of the runs as they were trained."""
        if self.posthoc is None:
            return runs
        return [calibrated(*pair) for pair in zip(self.calibrators, runs, strict=True)]

    def on_both(
        self, clean: list[Predictions], others: list[Predictions]
    ) -> tuple[list[Predictions], list[Predictions]]:
        """The subject's predictions on the test set and on other data, to tell the two apart.

        A calibrator that depends on the batch gets batches with both: a batch of other data alone
        would give all of these away at once.
        """
        if not any(isinstance(one, TemperatureByBatch) for one in self.calibrators):
            return self.clean, self.predictions(others)
        n = len(clean[0].ids)
        joined = [
            Predictions(
                torch.arange(n + len(other.ids), device="cpu"),
                torch.cat([one.labels, other.labels]),
                torch.cat([one.logits, other.logits], dim=1),
            )
            for one, other in zip(clean, others, strict=True)
        ]
        both, rows = self.predictions(joined), torch.arange(len(joined[0].ids), device="cpu")
        return [one.rows(rows[:n]) for one in both], [one.rows(rows[n:]) for one in both]


@dataclass
class Row:
    """The runs of a method with their models, which become subjects.

    `fitted_on` are the digests of the validation predictions that calibrators were fitted on.
    """

    group: Group
    predictors: list[Predictor]
    robustness: list[Robustness] = field(default_factory=list)
    evaluated: list[Evaluated] = field(default_factory=lambda: [Evaluated()])
    fitted_on: list[str] = field(default_factory=list)

    def calibrate(
        self,
        names: Sequence[str],
        validation: Part,
        refused: Callable[[str], object] | None = None,
    ) -> None:
        """Fit the post-hoc methods of these names to each run, on the validation images.

        A method that cannot be fitted is left out, and `refused` is called with the reason; without
        `refused`, this raises `ArcalError`.
        """
        if not names:
            return
        runs = self._predict(validation, VALIDATION)
        self.fitted_on = [one.digest(validation, VALIDATION) for one in self.predictors]
        for name in names:
            try:
                calibrators = [
                    fit_posthoc(name, predictions, folder.path.name)
                    for predictions, folder in zip(runs, self.group.folders, strict=True)
                ]
            except ArcalError as error:
                if refused is None:
                    raise
                refused(str(error))
            else:
                self.evaluated.append(Evaluated(name, calibrators))

    def measure(self, where: EvaluationSet, part: Part, name: str) -> None:
        """Measure all subjects on one set, or read their kept figures.

        The runs' predictions on the set must exist. Only those on the clean set stay in memory.
        """
        runs = self._predict(part, name) if where == CLEAN else []
        for one, path, basis in self._figures(where, part, name):
            measures = read_figures(path, basis)
            if measures is None:
                runs = runs or self._predict(part, name)
                predictions, known = one.predictions(runs), self._known(where)
                measures = measure_set(where, predictions, self.robustness, known=known)
                write_figures(path, basis, measures)
            one.measures[where] = measures
            if where == CLEAN:
                one.clean = one.predictions(runs)

    def is_measured(self, where: EvaluationSet, part: Part, name: str) -> bool:
        """Whether all subjects' figures on one set are kept."""
        if not all(one.folder.predictions(name).exists() for one in self.predictors):
            return False
        figures = self._figures(where, part, name)
        return all(read_figures(path, basis) is not None for _, path, basis in figures)

    def compare(self, part: Part, name: str, how: str) -> None:
        """Compare all subjects' predictions on the test set with those on other data."""
        runs, clean = self._predict(part, name), self.evaluated[0].clean
        for one in self.evaluated:
            inside, outside = one.on_both(clean, runs)
            one.ood.append(out_of_distribution(part.name, inside, outside, how=how))

    def subjects(self) -> list[Subject]:
        """The method's runs as they were trained, then calibrated by each post-hoc method."""
        methods = [replace(self.group.method, posthoc=one.posthoc) for one in self.evaluated]
        return [
            Subject(
                name=method.label,
                predictions={CLEAN: one.clean},
                measures=one.measures,
                seeds=self.group.seeds,
                robustness=self.robustness,
                ood=one.ood,
                method=method,
                soft_labels=None if one.posthoc else self.group.soft_labels(),
                provenance=self.group.provenance,
            )
            for method, one in zip(methods, self.evaluated, strict=True)
        ]

    def _predict(self, part: Part, name: str) -> list[Predictions]:
        return [predictor(part, name) for predictor in self.predictors]

    def _known(self, where: EvaluationSet) -> list[dict[str, float]]:
        return [{"smoothing": s} for s in self.group.smoothing()] if where == CLEAN else []

    def _figures(
        self, where: EvaluationSet, part: Part, name: str
    ) -> Iterator[tuple[Evaluated, Path, Basis]]:
        """Each subject, the file with its figures on a set, and their basis."""
        predictions = [one.digest(part, name) for one in self.predictors]
        for one in self.evaluated:
            basis = basis_of(
                predictions, self._scores, self._known(where), one.posthoc, self.fitted_on
            )
            twin = f"+{one.posthoc}" if one.posthoc else ""
            yield one, self.group.folders[0].figures(name + twin), basis

    @cached_property
    def _scores(self) -> list[str]:
        return [digest_of({"ids": r.ids, "robustness": r.robustness}) for r in self.robustness]
