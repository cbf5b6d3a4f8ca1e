"""Figure 2: label smoothing and AR-AdaLS by level of robustness, CIFAR-10 with ResNet-29."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from torch import Tensor

from arcal.paper.by_level import (
    RANKED,
    accuracy_and_confidence,
    by_level,
    finish,
    lines_by_level,
    rows_of,
    table_of,
)
from arcal.paper.item import Found, Item, Need
from arcal.paper.looks import LOOKS
from arcal.paper.notes import notes_of
from arcal.paper.result import Claim, Result
from arcal.paper.scales import Setting
from arcal.paper.summaries import Comparison, settled
from arcal.report.drawing import WIDTH
from arcal.report.levels import WEAKEST, LevelFigures
from arcal.report.tables import Spread

SETTING = "cifar10-resnet29"
METHODS = ("vanilla", "ls", "ar-adals")


def needs(settings: Mapping[str, Setting]) -> list[Need]:
    return [Need(SETTING, METHODS, levels=True)]


def make(found: Found) -> Result:
    shown = {}
    if found.has(SETTING):
        shown = {key: by_level(found.of(SETTING, key)) for key in METHODS}
    return Result(
        "figure2",
        "Figure 2: label smoothing (LS) and AR-AdaLS by adversarial robustness",
        [*notes_of(found, (SETTING,)), RANKED, f"Low levels are the {WEAKEST} least robust."],
        [table_of(LOOKS[key].name, rows_of(levels)) for key, levels in shown.items()],
        settled(_claims(shown)) if shown else [],
        {"figure2": lambda: draw(shown)} if shown else {},
    )


def draw(shown: dict[str, LevelFigures]) -> Figure:
    """(a) LS and (b) AR-AdaLS: accuracy and confidence; all methods: (c) ECE, (d) variance."""
    figure = Figure(figsize=(WIDTH * 1.2, 3.3), layout="constrained")
    of_ls, of_ours, of_ece, of_variance = figure.subplots(1, 4)
    for axes, key in ((of_ls, "ls"), (of_ours, "ar-adals")):
        accuracy_and_confidence(axes, shown[key])
    for key, levels in shown.items():
        lines_by_level(of_ece, levels.ece, LOOKS[key])
        if levels.variance is not None:
            lines_by_level(of_variance, levels.variance[None], LOOKS[key])
    titles = ("(a) LS", "(b) AR-AdaLS", "(c) ECE", "(d) Variance over the runs")
    for axes, title in zip(figure.axes, titles, strict=True):
        axes.set_title(title)
        finish(axes)
    of_ls.legend(loc="lower right")
    of_ece.legend(loc="best")
    return figure


def _claims(shown: dict[str, LevelFigures]) -> list[Claim | Comparison]:
    vanilla, ls, ours = (shown[key] for key in METHODS)
    claims: list[Claim | Comparison] = [
        ("AR-AdaLS has a lower ECE than LS at low levels", _weak(ours.ece), _weak(ls.ece)),
        ("AR-AdaLS has a lower ECE than LS over all levels", _all(ours.ece), _all(ls.ece)),
        (
            "AR-AdaLS has a lower ECE than Vanilla over all levels",
            _all(ours.ece),
            _all(vanilla.ece),
        ),
        _gain("AR-AdaLS gains most ECE over LS at low levels", ours.ece, ls.ece),
    ]
    variances = [found.variance[None] for found in shown.values() if found.variance is not None]
    if len(variances) < len(shown):
        return [*claims, Claim("AR-AdaLS has the lowest variance", None, "one run has none")]
    of_vanilla, of_ls, of_ours = variances
    return [
        *claims,
        ("AR-AdaLS has a lower variance than LS", _all(of_ours), _all(of_ls)),
        ("AR-AdaLS has a lower variance than Vanilla", _all(of_ours), _all(of_vanilla)),
        _gain("AR-AdaLS gains most variance over LS at low levels", of_ours, of_ls),
    ]


def _all(values: Tensor) -> Spread:
    """The mean over the levels of `(n, R)`, a value a run."""
    return Spread(tuple(values.mean(dim=1).tolist()))


def _weak(values: Tensor) -> Spread:
    return _all(values[:, :WEAKEST])


def _gain(text: str, ours: Tensor, other: Tensor) -> Claim:
    """Whether what is gained is more at low levels than at the others, means over the runs."""
    gain = 100 * (other.mean(dim=0) - ours.mean(dim=0))
    low, high = gain[:WEAKEST].mean().item(), gain[WEAKEST:].mean().item()
    holds = low > high and low > 0
    return Claim(text, holds, f"{low:+.2f} at low levels, {high:+.2f} at the others")


ITEM = Item("figure2", "LS and AR-AdaLS by adversarial robustness", needs, make)
