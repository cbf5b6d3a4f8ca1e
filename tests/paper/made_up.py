"""Made-up subjects of known calibration: `gap` is the over-confidence of the least robust image.

Accuracy rises from 0.55 to 1 with robustness, and confidence is above it by `gap` at the one end
and 0 at the other. Runs differ in which images they get wrong, by a little.
"""

from dataclasses import dataclass, replace
from functools import partial

import pytest
import torch

from arcal.auditing import (
    CLEAN,
    EvaluationSet,
    Predictions,
    Provenance,
    Subject,
    ensemble,
    measure,
    out_of_distribution,
)
from arcal.auditing._subject import shared_levels
from arcal.data import InMemory
from arcal.paper.figures import Figures, rows_of
from arcal.paper.item import Evaluated
from arcal.paper.scales import Chosen, Sources, settings_of
from arcal.robustness import Robustness
from arcal.transforms.corruptions import CORRUPTIONS

approx = partial(pytest.approx, rel=1e-5, abs=1e-6)  # figures have six significant digits
N, Z, R = 400, 4, 10
IDS = torch.arange(N)
LABELS = IDS * 7 % Z
EASY = (IDS + 0.5) / N
SHARED = IDS * 0.6180339887 % 1  # spread evenly, in any stretch of images
SEEDS = (0, 1, 2)
RESNET, WIDE, HUNDRED = "cifar10-resnet29", "cifar10-wrn", "cifar100-wrn"


def shifts(*names):
    """Corrupted sets, of types with an intensity: `fog 3`."""
    pairs = (name.split() for name in names)
    return tuple(EvaluationSet("test", type, int(intensity)) for type, intensity in pairs)


def subject(gap=0.0, *, seeds=SEEDS, sets=(CLEAN,), name="made up", ood=False):
    """Runs of a seed each."""
    predicted = {where: [predictions(s, gap, harm(where)) for s in seeds] for where in sets}
    others = []
    if ood:
        outside = [strange(seed, gap) for seed in seeds]
        others.append(out_of_distribution("other", predicted[CLEAN], outside))
    return _subject(name, predicted, [(seed,) for seed in seeds], seeds, others)


def lockstep(gap=0.0, *, sets=(CLEAN,)):
    """The one run of an ensemble whose members learned together."""
    predicted = {
        where: [ensemble([predictions(seed, gap, harm(where)) for seed in SEEDS])] for where in sets
    }
    return _subject("joint", predicted, [SEEDS], SEEDS[:1])


def _subject(name, predicted, members, seeds, ood=()):
    """As `evaluate` gives it, but for the ECE's intervals over inputs, which no item shows."""
    scored = [robustness(seed) for seed in seeds]
    levels = shared_levels(scored, R)
    return Subject(
        name,
        {CLEAN: predicted[CLEAN]},
        {where: measure(runs, levels, R) for where, runs in predicted.items()},
        members,
        scored,
        ood,
        provenance=[Provenance(f"{name}-s{seed}") for seed in seeds],
    )


def robustness(seed):
    own = EASY + 0.01 * torch.randn(N, generator=torch.Generator().manual_seed(seed))
    return Robustness("attack", IDS, own, IDS >= 0, LABELS, LABELS, IDS * 0 + 1)


def predictions(seed, gap, harm=0.0):
    """Harm takes its share of the accuracy away, and leaves confidence as it is.

    Seeds differ by a twentieth of the gap, so that a difference of two gaps is none of rounding.
    """
    draw = torch.Generator().manual_seed(1000 + seed)
    accuracy = 0.55 + 0.45 * EASY
    own = SHARED + 0.1 * (1 - EASY) * torch.randn(N, generator=draw)
    right = own % 1 < accuracy * (1 - harm)
    predicted = torch.where(right, LABELS, (LABELS + 1) % Z)
    return _sure(predicted, accuracy + (0.95 + 0.05 * seed) * gap * (1 - EASY))


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


def harm(where):
    """In [0, 0.4]: more with the intensity, and it differs by type."""
    weight = 0 if where.corruption is None else 1 + CORRUPTIONS.index(where.corruption) % 3
    return 0.025 * weight * where.intensity


def changed(subject, change, sets=None):
    """The subject with what `change` makes of its measures, on these sets or on all."""
    measures = {
        where: change(one) if sets is None or where in sets else one
        for where, one in subject.measures.items()
    }
    return replace(subject, measures=measures)


def every_run(**figures):
    """A change of these figures of every run."""
    return lambda one: replace(one, runs=tuple({**run, **figures} for run in one.runs))


def images(N=2):
    """A part of so many black images."""
    ids = torch.arange(N)
    pixels = torch.zeros(N, 1, 8, 8, dtype=torch.uint8)
    return InMemory("a", ids, ids % 2, ("a", "b"), pixels)


@dataclass(frozen=True, eq=False)
class MadeUp(Evaluated):
    """With the subjects that its figures are of."""

    subjects: dict

    def subject(self, variant):
        return self.subjects[variant]


def evaluated(by_setting, scale="cpu", **changes):
    """What items are made of: settings of a scale, by name, and their subjects by variant."""
    settings, chosen = settings_of(scale, Sources()), Chosen(0.1, 0.2, 0.2)
    return {
        name: MadeUp(replace(settings[name], **changes), chosen, methods(subjects), subjects)
        for name, subjects in by_setting.items()
    }


def methods(subjects):
    """The figures of subjects by variant, by the variants' titles."""
    return {v.title: Figures(rows_of(v, one, [0.4] * 9)) for v, one in subjects.items()}


def given(settings, name, subjects):
    """The same with other subjects of some variants on a setting."""
    one = settings[name]
    figures = {**one.methods, **methods(subjects)}
    return {
        **settings,
        name: replace(one, methods=figures, subjects={**one.subjects, **subjects}),
    }
