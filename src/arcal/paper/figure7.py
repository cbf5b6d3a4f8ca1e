"""Figure 7: accuracy and confidence of single models and their ensembles, clean test set."""

from collections.abc import Callable, Mapping

from matplotlib.figure import Figure

from arcal.auditing import Spread
from arcal.paper.comparisons import Comparison
from arcal.paper.item import Evaluated, Item
from arcal.paper.members import SETTINGS, VARIANTS, Members, member_result
from arcal.paper.result import Claim, Result
from arcal.paper.variants import MARKS, Variant
from arcal.report.reliability_pictures import alone_and_together
from arcal.report.tables import Rows

BOUND = (
    "The confidence of an ensemble cannot exceed the mean confidence of its members: the largest "
    "of averages is at most the average of the largest. Only how far it falls is a finding."
)


def make(evaluated: Mapping[str, Evaluated]) -> Result:
    title = "Figure 7: accuracy and confidence of single models and ensembles"
    measures = {"accuracy": "accuracy", "confidence": "confidence"}
    return member_result(evaluated, "figure7", title, BOUND, measures, _claims, draw)


def draw(shown: Mapping[str, Mapping[Variant, Members]]) -> Figure:
    """A panel per setting: for each variant the single models, and below them their ensemble."""

    def row(spread: Callable[[str], Spread]) -> Rows:
        return {name: spread(name) for name in ("accuracy", "confidence")}

    return alone_and_together(
        {
            title: [(MARKS[v].name, row(one.alone), row(one.ensemble)) for v, one in of.items()]
            for title, of in shown.items()
        }
    )


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
