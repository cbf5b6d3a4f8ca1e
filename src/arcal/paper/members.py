"""Single models beside their ensemble, on the clean test set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.figure import Figure

from arcal.auditing import Spread
from arcal.errors import ArcalError
from arcal.paper.comparisons import Comparison, settled
from arcal.paper.figures import Figures
from arcal.paper.item import Evaluated, setting_notes
from arcal.paper.result import Cell, Claim, Result, Table
from arcal.paper.rows import TEST
from arcal.paper.variants import ADALS, AR_ADALS, LS, MARKS, OF_ENSEMBLE, VANILLA, Variant

SETTINGS = ("cifar10-resnet29", "imagenet-resnet101")
VARIANTS = (VANILLA, LS, ADALS, AR_ADALS, OF_ENSEMBLE)
READ = (
    "Single models are the runs that an ensemble averages. Those of AR-AdaLS of Ensemble are its "
    "members, none of which is meant to be used alone."
)


@dataclass(frozen=True)
class Members:
    """M single models and the ensemble of them all."""

    figures: Figures

    def alone(self, measure: str) -> Spread:
        """A measure of each single model."""
        return self.figures.members(measure)

    def ensemble(self, measure: str) -> Spread:
        """The same for the ensemble."""
        spread = self.figures.together(TEST, measure)
        if spread is None:
            raise ArcalError(f"there is no {measure} of the ensemble: evaluate the runs again")
        return spread


def with_several_seeds(
    evaluated: Mapping[str, Evaluated], names: Sequence[str]
) -> tuple[list[Evaluated], list[str]]:
    """The settings of two or more seeds, as ensembles and variance need; a note on each other one.

    Settings that the scale does not have are in neither.
    """
    here = [evaluated[name] for name in names if name in evaluated]
    notes = [
        f"{one.title}: not shown, one seed has neither ensemble nor variance."
        for one in here
        if len(one.setting.seeds) < 2
    ]
    return [one for one in here if len(one.setting.seeds) > 1], notes


def member_result(
    evaluated: Mapping[str, Evaluated],
    name: str,
    title: str,
    note: str,
    measures: Mapping[str, str],
    claims: Callable[[str, dict[Variant, Members]], list[Claim | Comparison]],
    draw: Callable[[dict[str, dict[Variant, Members]]], Figure],
) -> Result:
    """What an item shows of single models and their ensembles: a table and claims per setting."""
    settings, alone = with_several_seeds(evaluated, SETTINGS)
    shown = {one.title: {v: Members(one.figures(v)) for v in VARIANTS} for one in settings}
    return Result(
        name,
        title,
        [*setting_notes(evaluated, SETTINGS), *alone, READ, note],
        [member_table(title, members, measures) for title, members in shown.items()],
        settled([claim for title, members in shown.items() for claim in claims(title, members)]),
        partial(draw, shown) if shown else None,
    )


def member_table(
    title: str, by_variant: Mapping[Variant, Members], measures: Mapping[str, str]
) -> Table:
    """A row per variant: each of the measures, by its name in the table, alone and together."""
    columns = [words for name in measures.values() for words in (f"{name}, single", "ensemble")]
    rows = []
    for variant, members in by_variant.items():
        spreads = [spread(m) for m in measures for spread in (members.alone, members.ensemble)]
        rows.append((MARKS[variant].name, [Cell(None, spread) for spread in spreads]))
    return Table(f"{title}, ×10⁻²", columns, rows)
