"""Figure 1: accuracy and confidence, ECE and variance of Vanilla by level of robustness."""

from collections.abc import Mapping
from functools import partial

from matplotlib.figure import Figure
from scipy import stats
from torch import Tensor

from arcal.auditing import LevelFigures
from arcal.paper.by_level import RANKED, level_table, ten_levels
from arcal.paper.comparisons import p_text
from arcal.paper.item import Evaluated, Item
from arcal.paper.notes import setting_notes
from arcal.paper.result import Claim, Result
from arcal.paper.variants import VANILLA
from arcal.report.drawing import INK, WIDTH
from arcal.report.plots import (
    SPARE_MARKS,
    Mark,
    accuracy_and_confidence,
    level_axis,
    line_by_level,
)

SETTINGS = ("cifar10-resnet29", "cifar100-wrn", "imagenet-resnet101")
ECE, VARIANCE = Mark("ECE", INK, "o"), Mark("variance over the runs", SPARE_MARKS[0][0], "s")
CORRELATED = (
    "A quantity rises or falls with the level if Spearman's rank correlation of its mean over runs "
    "with the level has that sign, with p < 0.05, two-sided."
)


def make(evaluated: Mapping[str, Evaluated]) -> Result:
    shown = {
        evaluated[name].title: ten_levels(evaluated[name].subject(VANILLA))
        for name in SETTINGS
        if name in evaluated
    }
    return Result(
        "figure1",
        "Figure 1: calibration and stability of Vanilla by adversarial robustness",
        [*setting_notes(evaluated, SETTINGS), RANKED, CORRELATED],
        [level_table(title, levels) for title, levels in shown.items()],
        [claim for title, levels in shown.items() for claim in _claims(title, levels)],
        partial(draw, shown) if shown else None,
    )


def draw(shown: Mapping[str, LevelFigures]) -> Figure:
    """A column a setting: accuracy and confidence above ECE and variance."""
    figure = Figure(figsize=(min(1.0, 0.36 * len(shown)) * WIDTH, 5.6), layout="constrained")
    panels = figure.subplots(2, len(shown), sharex=True, sharey="row", squeeze=False)
    for (top, bottom), (title, levels) in zip(panels.T, shown.items(), strict=True):
        accuracy_and_confidence(top, levels)
        line_by_level(bottom, levels.ece, ECE)
        if levels.variance is not None:
            line_by_level(bottom, levels.variance[None], VARIANCE, "--")
        top.set_title(title)
        for axes in (top, bottom):
            level_axis(axes, levels.R, narrow=True)
        top.set_xlabel("")
    labels = ("accuracy, confidence", "ECE, variance")
    for row, label, place in zip(panels, labels, ("lower right", "best"), strict=True):
        row[0].set_ylabel(label)
        row[0].legend(loc=place)
    return figure


def _claims(title: str, levels: LevelFigures) -> list[Claim]:
    where = f" ({title})"
    gap = levels.confidence.mean(dim=0) - levels.accuracy.mean(dim=0)
    above, narrowest = int((gap > 0).sum()), int(gap.argmin())
    claims = [
        _trend(f"accuracy rises with robustness{where}", levels.accuracy, 1),
        _trend(f"confidence rises with robustness{where}", levels.confidence, 1),
        Claim(
            f"confidence is above accuracy in each level{where}",
            above == len(gap),
            f"in {above} of {len(gap)} levels, by {100 * gap[narrowest]:+.2f} points or more "
            f"(level {narrowest + 1})",
        ),
        _trend(f"ECE falls with robustness{where}", levels.ece, -1),
    ]
    falls = f"variance falls with robustness{where}"
    if levels.variance is None:
        return [*claims, Claim(falls, None, "one run has no variance over runs")]
    return [*claims, _trend(falls, levels.variance[None], -1)]


def _trend(text: str, values: Tensor, sign: int) -> Claim:
    """Whether the mean over runs of `(n, R)` goes up (`sign` 1) or down (-1) with the level."""
    mean = values.mean(dim=0)
    ends = f"{100 * mean[0]:.2f} in the least robust level, {100 * mean[-1]:.2f} in the most"
    if (mean == mean[0]).all():
        return Claim(text, False, f"{ends}; it is constant")
    rho, p = map(float, stats.spearmanr(range(len(mean)), mean.numpy()))
    return Claim(text, sign * rho > 0 and p < 0.05, f"{ends}; ρ = {rho:.2f}, {p_text(p)}")


ITEM = Item("figure1", SETTINGS, (VANILLA,), make, scored=True)
