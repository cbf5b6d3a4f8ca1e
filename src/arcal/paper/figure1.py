"""Figure 1: accuracy and confidence, ECE and variance of Vanilla by level of robustness."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from scipy import stats
from torch import Tensor

from arcal.paper.by_level import (
    RANKED,
    accuracy_and_confidence,
    by_level,
    finish,
    lines_by_level,
    means,
    rows_of,
    table_of,
)
from arcal.paper.item import Found, Item, Need
from arcal.paper.looks import Look
from arcal.paper.notes import notes_of
from arcal.paper.result import Claim, Result
from arcal.paper.scales import Setting
from arcal.paper.summaries import p_text
from arcal.report.drawing import INK, WIDTH
from arcal.report.levels import LevelFigures

SETTINGS = ("cifar10-resnet29", "cifar100-wrn", "imagenet-resnet101")
ECE, VARIANCE = Look("ECE", INK, "o"), Look("variance over the runs", "#009E73", "s")
CORRELATED = (
    "A quantity rises or falls with the level if Spearman's rank correlation of its mean over runs "
    "with the level has that sign, with p < 0.05, two-sided."
)


def needs(settings: Mapping[str, Setting]) -> list[Need]:
    return [Need(setting, ("vanilla",), levels=True) for setting in SETTINGS]


def make(found: Found) -> Result:
    shown = {
        found.settings[name].setting.stands_for: by_level(found.of(name, "vanilla"))
        for name in SETTINGS
        if found.has(name)
    }
    return Result(
        "figure1",
        "Figure 1: calibration and stability of Vanilla by adversarial robustness",
        [*notes_of(found, SETTINGS), RANKED, CORRELATED],
        [table_of(title, rows_of(levels)) for title, levels in shown.items()],
        [claim for title, levels in shown.items() for claim in _claims(title, levels)],
        {"figure1": lambda: draw(shown)} if shown else {},
    )


def draw(shown: dict[str, LevelFigures]) -> Figure:
    """A column a setting: accuracy and confidence above ECE and variance."""
    figure = Figure(figsize=(min(1.0, 0.36 * len(shown)) * WIDTH, 5.6), layout="constrained")
    panels = figure.subplots(2, len(shown), sharex=True, sharey="row", squeeze=False)
    for (top, bottom), (title, levels) in zip(panels.T, shown.items(), strict=True):
        accuracy_and_confidence(top, levels)
        lines_by_level(bottom, levels.ece, ECE)
        if levels.variance is not None:
            lines_by_level(bottom, levels.variance[None], VARIANCE, "--")
        top.set_title(title)
        for axes in (top, bottom):
            finish(axes)
        top.set_xlabel("")
    for row, label, place in zip(
        panels,
        ("accuracy, confidence", "ECE, variance"),
        ("lower right", "best"),
        strict=True,
    ):
        row[0].set_ylabel(label)
        row[0].legend(loc=place)
    return figure


def _claims(title: str, levels: LevelFigures) -> list[Claim]:
    where = f" ({title})"
    accuracy, confidence = means(levels.accuracy), means(levels.confidence)
    gap = confidence - accuracy
    above, narrowest = int((gap > 0).sum()), int(gap.argmin())
    always = Claim(
        f"confidence is above accuracy in each level{where}",
        above == len(gap),
        f"in {above} of {len(gap)} levels, by {100 * gap[narrowest]:+.2f} points or more "
        f"(level {narrowest + 1})",
    )
    claims = [
        _trend(f"accuracy rises with robustness{where}", levels.accuracy, 1),
        _trend(f"confidence rises with robustness{where}", levels.confidence, 1),
        always,
        _trend(f"ECE falls with robustness{where}", levels.ece, -1),
    ]
    falls = f"variance falls with robustness{where}"
    if levels.variance is None:
        return [*claims, Claim(falls, None, "one run has no variance over runs")]
    return [*claims, _trend(falls, levels.variance[None], -1)]


def _trend(text: str, values: Tensor, sign: int) -> Claim:
    """Whether the mean over runs of `(n, R)` goes up (`sign` 1) or down (-1) with the level."""
    mean = means(values)
    ends = f"{100 * mean[0]:.2f} in the least robust level, {100 * mean[-1]:.2f} in the most"
    if (mean == mean[0]).all():
        return Claim(text, False, f"{ends}; it is constant")
    rho, p = map(float, stats.spearmanr(range(len(mean)), mean))
    return Claim(text, sign * rho > 0 and p < 0.05, f"{ends}; ρ = {rho:.2f}, {p_text(p)}")


ITEM = Item("figure1", "Vanilla by adversarial robustness", needs, make)
