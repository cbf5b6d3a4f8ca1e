"""Figure 1: accuracy and confidence, ECE and variance of Vanilla by level of robustness."""

from collections.abc import Mapping
from functools import partial

from scipy import stats
from torch import Tensor

from arcal.auditing import LevelFigures
from arcal.paper.comparisons import p_text
from arcal.paper.item import Evaluated, Item, setting_notes
from arcal.paper.result import Claim, Result
from arcal.paper.spreads import RANKED, level_table, ten_levels
from arcal.paper.variants import VANILLA
from arcal.report.pictures import by_level

SETTINGS = ("cifar10-resnet29", "cifar100-wrn", "imagenet-resnet101")
CORRELATED = (
    "A quantity rises or falls with the level if Spearman's rank correlation of its mean over runs "
    "with the level has that sign, with p < 0.05, two-sided."
)


def make(evaluated: Mapping[str, Evaluated]) -> Result:
    shown = {
        evaluated[name].title: ten_levels(evaluated[name].figures(VANILLA))
        for name in SETTINGS
        if name in evaluated
    }
    return Result(
        "figure1",
        "Figure 1: calibration and stability of Vanilla by adversarial robustness",
        [*setting_notes(evaluated, SETTINGS), RANKED, CORRELATED],
        [level_table(title, levels) for title, levels in shown.items()],
        [claim for title, levels in shown.items() for claim in _claims(title, levels)],
        partial(by_level, shown) if shown else None,
    )


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
            f"in {above} of {len(gap)} levels; least in level {narrowest}, "
            f"{100 * gap[narrowest]:+.2f} points",
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
