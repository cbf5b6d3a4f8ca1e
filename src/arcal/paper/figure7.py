"""Figure 7: accuracy and confidence of single models and their ensembles, clean test set."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from arcal.paper.item import Found, Item, Need
from arcal.paper.looks import LOOKS
from arcal.paper.members import METHODS, READ, SETTINGS, Members, members_of, of_several
from arcal.paper.notes import notes_of
from arcal.paper.result import Cell, Claim, Result, Table
from arcal.paper.scales import Setting
from arcal.paper.summaries import Comparison, settled
from arcal.report.drawing import WIDTH, pair

BOUND = (
    "The confidence of an ensemble cannot exceed the mean confidence of its members: the largest "
    "of averages is at most the average of the largest. Only how far it falls is a finding."
)


def needs(settings: Mapping[str, Setting]) -> list[Need]:
    return [Need(setting, METHODS) for setting in SETTINGS]


def make(found: Found) -> Result:
    settings, notes = of_several(found, SETTINGS)
    shown = members_of(found, settings)
    return Result(
        "figure7",
        "Figure 7: accuracy and confidence of single models and ensembles",
        [*notes_of(found, SETTINGS), *notes, READ, BOUND],
        [_table(title, methods) for title, methods in shown.items()],
        settled([claim for title, methods in shown.items() for claim in _claims(title, methods)]),
        {"figure7": lambda: draw(shown)} if shown else {},
    )


def draw(shown: Mapping[str, Mapping[str, Members]]) -> Figure:
    """A panel a setting: at the left of a pair the single models, at the right their ensemble."""
    figure = Figure(figsize=(WIDTH, 3.6 * len(shown) + 0.3), layout="constrained")
    panels = figure.subplots(len(shown), 1, squeeze=False)[:, 0]
    for axes, (title, methods) in zip(panels, shown.items(), strict=True):
        ticks: dict[float, str] = {}
        for i, (key, members) in enumerate(methods.items()):
            for x, of in ((i - 0.2, members.alone), (i + 0.2, members.ensemble)):
                first = i == 0 and x < i
                pair(axes, x, of("accuracy"), of("confidence"), upright=True, labelled=first)
            ticks |= {i - 0.2: "single", i: f"\n{LOOKS[key].name}", i + 0.2: "ensemble"}
        axes.set_xticks(list(ticks), labels=list(ticks.values()))
        axes.tick_params(axis="x", length=0)
        axes.grid(visible=False, axis="x")
        axes.set_title(title)
        axes.margins(y=0.12)
        axes.set_ylabel("accuracy, confidence")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2)
    return figure


def _table(title: str, methods: Mapping[str, Members]) -> Table:
    columns = ["accuracy, single", "ensemble", "confidence, single", "ensemble"]
    rows = []
    for key, members in methods.items():
        cells = []
        for measure in ("accuracy", "confidence"):
            cells += [Cell(None, members.alone(measure)), Cell(None, members.ensemble(measure))]
        rows.append((LOOKS[key].name, cells))
    return Table(f"{title}, ×10⁻²", columns, rows)


def _claims(title: str, methods: Mapping[str, Members]) -> list[Claim | Comparison]:
    claims: list[Claim | Comparison] = []
    for key, members in methods.items():
        name, where = LOOKS[key].name, f" ({title})"
        accuracy = members.alone("accuracy"), members.ensemble("accuracy")
        confidence = members.ensemble("confidence"), members.alone("confidence")
        text = f"{name}: single models are less accurate than their ensemble{where}"
        claims.append((text, *accuracy))
        text = f"{name}: the ensemble is less confident than single models{where}"
        claims.append((text, *confidence))
    return claims


ITEM = Item("figure7", "Accuracy and confidence of ensembles", needs, make)
