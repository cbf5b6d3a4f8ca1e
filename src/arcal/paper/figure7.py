"""Figure 7: accuracy and confidence of single models and their ensembles, clean test set."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from arcal.paper.comparisons import Comparison
from arcal.paper.item import Evaluated, Item
from arcal.paper.members import SETTINGS, VARIANTS, Members, member_result
from arcal.paper.result import Claim, Result
from arcal.paper.variants import MARKS, Variant
from arcal.report.drawing import WIDTH
from arcal.report.plots import pair

BOUND = (
    "The confidence of an ensemble cannot exceed the mean confidence of its members: the largest "
    "of averages is at most the average of the largest. Only how far it falls is a finding."
)


def make(evaluated: Mapping[str, Evaluated]) -> Result:
    title = "Figure 7: accuracy and confidence of single models and ensembles"
    measures = {"accuracy": "accuracy", "confidence": "confidence"}
    return member_result(evaluated, "figure7", title, BOUND, measures, _claims, draw)


def draw(shown: Mapping[str, Mapping[Variant, Members]]) -> Figure:
    """A panel a setting: at the left of a pair the single models, at the right their ensemble."""
    figure = Figure(figsize=(WIDTH, 3.6 * len(shown) + 0.3), layout="constrained")
    panels = figure.subplots(len(shown), 1, squeeze=False)[:, 0]
    for axes, (title, by_variant) in zip(panels, shown.items(), strict=True):
        ticks: dict[float, str] = {}
        for i, (variant, members) in enumerate(by_variant.items()):
            for x, spread in ((i - 0.2, members.alone), (i + 0.2, members.ensemble)):
                accuracy, confidence = spread("accuracy"), spread("confidence")
                first = i == 0 and x < i
                pair(axes, x, accuracy, confidence, upright=True, labelled=first)
            ticks |= {i - 0.2: "single", i: f"\n{MARKS[variant].name}", i + 0.2: "ensemble"}
        axes.set_xticks(list(ticks), labels=list(ticks.values()))
        axes.tick_params(axis="x", length=0)
        axes.grid(visible=False, axis="x")
        axes.set_title(title)
        axes.margins(y=0.12)
        axes.set_ylabel("accuracy, confidence")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2)
    return figure


def _claims(title: str, by_variant: Mapping[Variant, Members]) -> list[Claim | Comparison]:
    claims: list[Claim | Comparison] = []
    for variant, members in by_variant.items():
        name, where = MARKS[variant].name, f" ({title})"
        accuracy = members.alone("accuracy"), members.ensemble("accuracy")
        confidence = members.ensemble("confidence"), members.alone("confidence")
        text = f"{name}: single models are less accurate than their ensemble{where}"
        claims.append((text, *accuracy))
        text = f"{name}: the ensemble is less confident than single models{where}"
        claims.append((text, *confidence))
    return claims


ITEM = Item("figure7", SETTINGS, VARIANTS, make)
