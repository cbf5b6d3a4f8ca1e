import math
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from arcal.data import InMemory
from arcal.data.resized import Resized
from arcal.evaluation import (
    MethodRuns,
    Predictions,
    ensemble_of,
    figures,
    out_of_distribution,
    shared_levels,
    stability,
)
from arcal.evaluation.tidy import where
from arcal.methods import complete_settings
from arcal.robustness import Robustness
from arcal.showcase import Showcase
from arcal.store import RunFolder
from arcal.transforms.corruptions import CORRUPTIONS

RECIPE = {
    "name": "demo",
    "epochs": 12,
    "batch_size": 128,
    "optimizer": "adam",
    "learning_rate": 2e-3,
    "steps": [[6, 0.1]],
    "weight_decay": 0.0,
    "augmentation": "none",
    "precision": "32-true",
}


@dataclass
class Made:
    """Made-up runs: over-confident where they are not robust, milder with a method's `gap`."""

    root: Path
    N: int = 400
    Z: int = 4
    shape: tuple[int, int, int] = (1, 8, 8)

    def runs(
        self, method="vanilla", settings=None, seeds=(0, 1, 2), gap=0.25, sets=("test",), ood=()
    ):
        settings = complete_settings(method, settings or {})
        given = {name: value for name, value in settings.items() if value is not None}
        text = ", ".join(f"{name} {value}" for name, value in given.items())
        runs = MethodRuns(
            label=method + (f" ({text})" if text else ""),
            folders=[self._folder(method, settings, seed) for seed in seeds],
            seeds=[(seed,) for seed in seeds],
            predictions=[],
            robustness=[self._robustness(seed) for seed in seeds],
            figures={},
        )
        each = list(zip(seeds, runs.robustness, strict=True))
        for name in sets:
            self._add(runs, name, [self._predictions(*one, gap, self._harm(name)) for one in each])
        for name in ood:
            outside = [self._predictions(*one, gap - 0.2, 0.9) for one in each]
            runs.ood.append(out_of_distribution(self._other(name), runs.predictions, outside))
        return runs

    def _add(self, runs, name, found):
        """As `collect` does, without the bootstrap: no report shows its interval."""
        if name == "test":
            runs.predictions.extend(found)
        runs.figures[name] = [figures(predictions) for predictions in found]
        if len(found) > 1:
            runs.ensemble[name] = figures(ensemble_of(found))
            found = stability(found, shared_levels(runs, 10), 10)
            runs.stability[name], runs.stability_by_level[name] = found

    def _harm(self, name):
        """What a corruption does: in [0, 0.3], more with the intensity, and it differs by type."""
        at = where(name)
        return 0.0 if at["type"] is None else at["intensity"] * (3 + _weight(at["type"])) / 100

    def _other(self, name):
        pixels = torch.zeros(self.N, 3, 10, 10, dtype=torch.uint8)
        ids = torch.arange(self.N)
        return Resized(InMemory(name, ids, 0 * ids, ("other",), pixels), self.shape)

    def _robustness(self, seed):
        shared = torch.rand(self.N, generator=torch.Generator().manual_seed(99))
        draw = torch.Generator().manual_seed(seed)
        own = shared + 0.15 * torch.randn(self.N, generator=draw).abs()
        ids = torch.arange(self.N) * 3
        labels = (ids * 7919 // 3) % self.Z
        wrong = torch.rand(self.N, generator=draw) > 0.5 + 0.5 * own.clamp(max=1)
        predicted = torch.where(wrong, (labels + 1 + seed) % self.Z, labels)
        return Robustness("gradient", ids, own, None, predicted, labels, torch.ones_like(ids))

    def _predictions(self, seed, robustness, gap, harm=0.0):
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

    def _folder(self, method, settings, seed):
        config = {
            "network": "small",
            "method": method,
            "settings": settings,
            "seeds": [seed],
            "recipe": RECIPE,
            "split_seed": 0,
            "threads": 1,
            "source": "somewhere/private/fashion",
            "data": {"classes": list("abcdefghijkl"[: self.Z]), "shape": list(self.shape)},
        }
        folder = RunFolder.create(self.root, f"{method}-s{seed}", config)
        R = {"adals": 1, "ar-adals": settings.get("R")}.get(method)
        if R:
            folder.log_epochs([self._epoch(t, R, seed) for t in range(1, RECIPE["epochs"] + 1)])
        return folder

    def _epoch(self, t, R, seed):
        end = [0.6 * (1 - r / R) ** 2 + 0.02 * seed for r in range(R)]
        return {"epoch": t, "gap": [0.0] * R, "epsilon": [e * (1 - math.exp(-t / 4)) for e in end]}

    def showcase(self, of: MethodRuns, n=64, failed=2):
        scores = of.robustness[0]
        ranking = scores.robustness.argsort()
        at = ranking[torch.linspace(0, self.N - 1, n).round().long()]
        draw = torch.Generator().manual_seed(5)
        x = torch.rand(n, *self.shape, generator=draw) ** 3
        estimate = scores.robustness[at]
        noise = torch.randn(n, *self.shape, generator=draw)
        distance = estimate * (0.8 + 0.4 * torch.rand(n, generator=draw))
        norm = noise.flatten(1).norm(dim=1)
        adversarial = x + noise * (distance / norm).reshape(-1, 1, 1, 1)
        if failed:
            distance[-failed:], adversarial[-failed:] = math.inf, math.nan
        predicted = scores.predicted[at]
        becomes = torch.where(distance.isinf(), predicted, (predicted + 1) % self.Z)
        labels = scores.labels[at]
        return Showcase(
            scores.ids[at], labels, predicted, becomes, x, adversarial, distance, estimate
        )


def _weight(type):
    return CORRUPTIONS.index(type) % 4


@pytest.fixture
def made(tmp_path):
    return Made(tmp_path / "runs")
