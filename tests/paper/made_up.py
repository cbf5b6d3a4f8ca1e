"""Made-up runs whose calibration is known: `gap` is the over-confidence of the least robust image.

Accuracy rises from 0.55 to 1 with robustness, and confidence is above it by `gap` at the one end
and 0 at the other. Runs differ in which images they get wrong, by a little.
"""

from pathlib import Path

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
from arcal.robustness import Robustness
from arcal.store import RunFolder
from arcal.transforms.corruptions import CORRUPTIONS

N, Z = 400, 4
IDS = torch.arange(N)
LABELS = IDS * 7 % Z
EASY = (IDS + 0.5) / N
SHARED = IDS * 0.6180339887 % 1  # spread evenly, in any stretch of images
OTHER = InMemory("other/test", IDS, 0 * IDS, ("x",), torch.zeros(N, 1, 8, 8).byte())


def runs(label="vanilla", gap=0.0, seeds=(0, 1, 2), sets=("test",), ood=False):
    """What `collect` returns for runs of one seed each, by the same functions."""
    scores = [robustness(seed) for seed in seeds]
    made = MethodRuns(label, _folders(label, seeds), [(s,) for s in seeds], [], scores, {})
    for name in sets:
        found = [predictions(seed, gap, harm_of(name)) for seed in seeds]
        if name == "test":
            made.predictions.extend(found)
        made.figures[name] = [figures(one) for one in found]
        if len(seeds) == 1:
            continue
        made.ensemble[name] = figures(ensemble_of(found))
        cut = shared_levels(made, 10)
        made.stability[name], made.stability_by_level[name] = stability(found, cut, 10)
    if ood:
        outside = [strange(seed, gap) for seed in seeds]
        part = Resized(OTHER, (1, 8, 8))
        made.ood.append(out_of_distribution(part, made.predictions, outside))
    return made


def lockstep(gap=0.0, seeds=(0, 1, 2), sets=("test",)):
    """The one run of an ensemble whose members learned together."""
    found = {
        name: ensemble_of([predictions(s, gap, harm_of(name)) for s in seeds]) for name in sets
    }
    return MethodRuns(
        "ar-adals (3 members)",
        _folders("joint", seeds[:1]),
        [seeds],
        [found["test"]],
        [robustness(seeds[0])],
        {name: [figures(one)] for name, one in found.items()},
    )


def robustness(seed):
    own = EASY + 0.01 * torch.randn(N, generator=torch.Generator().manual_seed(seed))
    return Robustness("attack", IDS, own, IDS >= 0, LABELS, LABELS, IDS * 0 + 1)


def predictions(seed, gap, harm=0.0):
    """Harm takes its share of the accuracy away, and leaves confidence as it is."""
    draw = torch.Generator().manual_seed(1000 + seed)
    accuracy = 0.55 + 0.45 * EASY
    own = SHARED + 0.1 * (1 - EASY) * torch.randn(N, generator=draw)
    right = own % 1 < accuracy * (1 - harm)
    predicted = torch.where(right, LABELS, (LABELS + 1) % Z)
    return _sure(predicted, accuracy + gap * (1 - EASY))


def strange(seed, gap):
    """On other data: the more over-confident a method, the surer."""
    draw = torch.Generator().manual_seed(2000 + seed)
    return _sure(LABELS, 0.4 + 3 * gap * torch.rand(N, generator=draw))


def _sure(predicted, confidence):
    """Predictions of these classes with these probabilities; the others share the rest."""
    confidence = confidence.clamp(0.3, 0.995)
    logits = torch.zeros(N, Z)
    logits[IDS, predicted] = (confidence / (1 - confidence) * (Z - 1)).log()
    return Predictions(IDS, LABELS, logits[None])


def harm_of(name):
    """In [0, 0.4]: more with the intensity, and it differs by type."""
    at = where(name)
    weight = 0 if at["type"] is None else 1 + CORRUPTIONS.index(at["type"]) % 3
    return 0.025 * weight * (at["intensity"] or 0)


def _folders(label, seeds):
    return [RunFolder(Path(f"{label}-s{seed}")) for seed in seeds]
