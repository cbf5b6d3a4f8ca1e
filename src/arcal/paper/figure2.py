"""Figure 2: label smoothing and AR-AdaLS by level of robustness, CIFAR-10 with ResNet-29."""

from collections.abc import Mapping
from functools import partial

from matplotlib.figure import Figure
from torch import Tensor

from arcal.auditing import WEAKEST, LevelFigures, Spread
from arcal.paper.comparisons import Comparison, settled
from arcal.paper.item import Evaluated, Item, setting_notes
from arcal.paper.result import Claim, Result
from arcal.paper.spreads import RANKED, level_table, ten_levels
from arcal.paper.variants import AR_ADALS, LS, MARKS, VANILLA, Variant
from arcal.report.pictures import each_by_level

SETTING = "cifar10-resnet29"
VARIANTS = (VANILLA, LS, AR_ADALS)


def make(evaluated: Mapping[str, Evaluated]) -> Result:
    shown = {}
    if SETTING in evaluated:
        shown = {v: ten_levels(evaluated[SETTING].figures(v)) for v in VARIANTS}
    notes = setting_notes(evaluated, (SETTING,))
    return Result(
        "figure2",
        "Figure 2: label smoothing (LS) and AR-AdaLS by adversarial robustness",
        [*notes, RANKED, f"Low levels are the {WEAKEST} least robust."],
        [level_table(MARKS[variant].name, levels) for variant, levels in shown.items()],
        settled(_claims(shown)) if shown else [],
        partial(draw, shown) if shown else None,
    )


def draw(shown: Mapping[Variant, LevelFigures]) -> Figure:
    """(a) LS and (b) AR-AdaLS: accuracy and confidence; all three: (c) ECE, (d) variance."""
    apart = [(MARKS[variant].name, shown[variant]) for variant in (LS, AR_ADALS)]
    return each_by_level(apart, [(MARKS[variant], levels) for variant, levels in shown.items()])


def _claims(shown: Mapping[Variant, LevelFigures]) -> list[Claim | Comparison]:
    vanilla, ls, ours = (shown[variant] for variant in VARIANTS)
    text = "AR-AdaLS has a lower ECE than"
    claims: list[Claim | Comparison] = [
        (f"{text} LS at low levels", _low(ours.ece), _low(ls.ece)),
        (f"{text} LS over all levels", _all(ours.ece), _all(ls.ece)),
        (f"{text} Vanilla over all levels", _all(ours.ece), _all(vanilla.ece)),
        _gain("AR-AdaLS gains most ECE over LS at low levels", ours.ece, ls.ece),
    ]
    if vanilla.variance is None or ls.variance is None or ours.variance is None:
        return [*claims, Claim("AR-AdaLS has the lowest variance", None, "one run has none")]
    first, second, third = (one[None] for one in (vanilla.variance, ls.variance, ours.variance))
    return [
        *claims,
        ("AR-AdaLS has a lower variance than LS", _all(third), _all(second)),
        ("AR-AdaLS has a lower variance than Vanilla", _all(third), _all(first)),
        _gain("AR-AdaLS gains most variance over LS at low levels", third, second),
    ]


def _all(values: Tensor) -> Spread:
    """The mean over the levels of `(n, R)`, one value per run."""
    return Spread.from_tensor(values.mean(dim=1))


def _low(values: Tensor) -> Spread:
    return _all(values[:, :WEAKEST])


def _gain(text: str, ours: Tensor, other: Tensor) -> Claim:
    """Whether the gain, as a mean over the runs, is larger at low levels than at the others."""
    gain = 100 * (other.mean(dim=0) - ours.mean(dim=0))
    low, high = gain[:WEAKEST].mean().item(), gain[WEAKEST:].mean().item()
    holds = low > high and low > 0
    return Claim(text, holds, f"{low:+.2f} at low levels, {high:+.2f} at the others")


ITEM = Item("figure2", (SETTING,), VARIANTS, make, scored=True)
