"""The paper, table by table and figure by figure. One file each:

table1 .. table5, figure1 .. figure8   which runs an item needs, and what it makes of them
scales       what stands in for the paper's data sets and networks
methods, headline, tournament   all methods side by side, a few on all training images, and
             training for shift: not in the paper
variants     what is compared: methods as they are trained, and perhaps calibrated afterwards
plan         the runs that all items need together, and one setting's share of them
reproduce    training, evaluating, writing; the page over all results
rows, figures  the figures that everything is made of, as rows of a CSV file and by method
item, result, spreads, comparisons   what the items are made of
members      single models beside their ensemble
"""

from arcal.errors import ArcalError
from arcal.paper import (
    figure1,
    figure2,
    figure3,
    figure4,
    figure5,
    figure6,
    figure7,
    figure8,
    headline,
    methods,
    table1,
    table2,
    table3,
    table4,
    table5,
    tournament,
)
from arcal.paper.item import Item

_TABLES = (table1, table2, table3, table4, table5)
_FIGURES = (figure1, figure2, figure3, figure4, figure5, figure6, figure7, figure8)
_EVERY = (
    *(module.ITEM for module in (*_TABLES, *_FIGURES, methods, headline)),
    headline.FAST,
    tournament.ITEM,
    tournament.BESIDE_HEADLINE,
    tournament.BESIDE_FAST,
)
ITEMS: dict[str, Item] = {item.name: item for item in _EVERY}
BY_NAME = (
    "headline",
    "headline-fast",
    "tournament",
    "headline-augmix",
    "headline-fast-augmix",
)
"""Items that `all` leaves out: each would take longer than all the rest."""


def items_named(names: tuple[str, ...]) -> list[Item]:
    """The items of these names; "all" means all but those of `BY_NAME`."""
    unknown = [name for name in names if name not in ITEMS and name != "all"]
    if unknown or not names:
        what = f"{unknown[0]!r} is not a table or figure" if unknown else "nothing is named"
        raise ArcalError(f"{what}: choose from all, {', '.join(ITEMS)}")
    wanted = {*names, *(name for name in ITEMS if "all" in names and name not in BY_NAME)}
    return [item for name, item in ITEMS.items() if name in wanted]
