"""Subjects of made-up predictions, for what shows or sums up subjects."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from arcal.auditing import (
    CLEAN,
    EvaluationSet,
    Method,
    Predictions,
    Provenance,
    Subject,
    measure,
    out_of_distribution,
)
from arcal.auditing._subject import shared_levels
from arcal.robustness import Robustness
from arcal.smoothing import soft_label_of
from arcal.transforms.corruptions import CORRUPTIONS

EPOCHS = 12
FACTS = {"Data": "made-up", "Image": "1 × 8 × 8", "Network": "small"}


@dataclass(frozen=True)
class Maker:
    """Subjects of N test images and Z classes, cut into R levels where they are summed up by level.

    They are over-confident where they are not robust, less with a smaller `gap`, and less accurate
    under corruptions.
    """

    N: int = 400
    Z: int = 4
    R: int = 10
    order: str = "gradient"

    def subject(
        self,
        method: str = "vanilla",
        settings: dict | None = None,
        seeds: Sequence[int] = (0, 1, 2),
        gap: float = 0.25,
        sets: Sequence[EvaluationSet] = (),
        ood: Sequence[str] = (),
    ) -> Subject:
        """Runs of a method on the clean test set, on `sets`, and on other data of these names."""
        trained = Method(method, settings or {})
        robustness = [self.robustness(seed) for seed in seeds]
        pairs = list(zip(seeds, robustness, strict=True))
        by_set = {
            where: [self._predictions(*pair, gap, _harm(where)) for pair in pairs]
            for where in (CLEAN, *sets)
        }
        outside = [self._predictions(*pair, gap - 0.2, 0.9) for pair in pairs]
        levels = shared_levels(robustness, self.R) if len(seeds) > 1 else None
        return Subject(
            name=trained.label,
            predictions={CLEAN: by_set[CLEAN]},
            measures={where: measure(runs, levels, self.R) for where, runs in by_set.items()},
            seeds=[(seed,) for seed in seeds],
            robustness=robustness,
            ood=[
                out_of_distribution(name, by_set[CLEAN], outside, how="resized from 10 x 10")
                for name in ood
            ],
            method=trained,
            soft_labels=self._soft_labels(trained),
            provenance=[Provenance(f"{method}-s{seed}", FACTS) for seed in seeds],
        )

    def robustness(self, seed: int) -> Robustness:
        """Of the N test images, by a run's model: in part what all runs find, in part its own."""
        shared = torch.rand(self.N, generator=torch.Generator().manual_seed(99))
        draw = torch.Generator().manual_seed(seed)
        own = shared + 0.15 * torch.randn(self.N, generator=draw).abs()
        ids = torch.arange(self.N) * 3
        labels = (ids * 7919 // 3) % self.Z
        wrong = torch.rand(self.N, generator=draw) > 0.5 + 0.5 * own.clamp(max=1)
        predicted = torch.where(wrong, (labels + 1 + seed) % self.Z, labels)
        return Robustness(self.order, ids, own, None, predicted, labels, torch.ones_like(ids))

    def _predictions(
        self, seed: int, robustness: Robustness, gap: float, harm: float
    ) -> Predictions:
        draw = torch.Generator().manual_seed(1000 + seed)
        easy = robustness.robustness.clamp(max=1)
        confidence = 0.5 + 0.5 * easy + gap * (1 - easy) - 0.3 * harm
        confidence = confidence + 0.08 * torch.randn(self.N, generator=draw)
        confidence = confidence.clamp(1.2 / self.Z, 0.999)
        logits = 0.1 * torch.rand(self.N, self.Z, generator=draw)
        lead = (confidence / (1 - confidence) * (self.Z - 1)).log()
        moved = torch.rand(self.N, generator=draw) < harm
        predicted = torch.where(moved, (robustness.predicted + 1) % self.Z, robustness.predicted)
        logits[torch.arange(self.N), predicted] += lead
        return Predictions(robustness.ids, robustness.labels, logits[None])

    def _soft_labels(self, method: Method) -> torch.Tensor | None:
        """Of a method that adapts them `(EPOCHS + 1, R)`, lowest where images are least robust."""
        R = {"adals": 1, "ar-adals": method.settings.get("R", 10)}.get(method.name)
        if R is None:
            return None
        epochs = torch.arange(EPOCHS + 1, dtype=torch.float64)[:, None]
        end = 0.6 * (1 - torch.arange(R, dtype=torch.float64) / R) ** 2
        return soft_label_of(end * (1 - (-epochs / 4).exp()), self.Z)


def _harm(where: EvaluationSet) -> float:
    """What a corruption does: in [0, 0.3], more with the intensity, and it differs by type."""
    if where.corruption is None:
        return 0.0
    return where.intensity * (3 + CORRUPTIONS.index(where.corruption) % 4) / 100


def with_figures(
    subject: Subject, where: EvaluationSet = CLEAN, **values: Sequence[float]
) -> Subject:
    """The subject with other figures on one set: of each a value a run."""
    measures = subject.measures[where]
    runs = tuple(
        {**run, **dict(zip(values, others, strict=True))}
        for run, *others in zip(measures.runs, *values.values(), strict=True)
    )
    return replace(subject, measures={**subject.measures, where: replace(measures, runs=runs)})
