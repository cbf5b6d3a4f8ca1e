"""What the page draws of several subjects over their runs, named as in `page/src/payload.ts`."""

from dataclasses import dataclass, field
from typing import Literal, NotRequired, TypedDict


class MeanCell(TypedDict):
    """A cell as the tables show it.

    `mean` and `deviation` over the runs are those of the figure itself, None where there is none;
    `best` says whether it leads. `methods` are subjects by number, whose marks come before the
    text, and `small` is said after it.
    """

    text: str
    mean: float | None
    deviation: float | None
    best: bool
    methods: NotRequired[list[int]]
    small: NotRequired[str]


@dataclass(frozen=True)
class TableColumn:
    """`words` has unit and direction, `method` the subject whose column it is, by number.

    A `tinted` column shows the sign and size of its gaps as colour.
    """

    title: str
    words: str = ""
    method: int | None = None
    tinted: bool = False


@dataclass(frozen=True)
class TableRow:
    """A row; `method` is the number of the subject it is of."""

    name: str
    words: str = ""
    method: int | None = None
    cells: list[MeanCell] = field(kw_only=True)


@dataclass(frozen=True)
class TablePart:
    """Rows under a heading, which is empty if there is one part; `folded` shows them on demand."""

    title: str
    folded: bool = False
    rows: list[TableRow] = field(kw_only=True)


@dataclass(frozen=True, kw_only=True)
class ComparisonTable:
    """A table; `head` is the title of its rows' names.

    `folded` is what to choose to see the table, and `folded_parts` the same for its folded parts;
    both are None where there is nothing to choose.
    """

    title: str = ""
    head: str = "Method"
    columns: list[TableColumn]
    parts: list[TablePart]
    note: str = ""
    folded: str | None = None
    folded_parts: str | None = None


@dataclass(frozen=True, kw_only=True)
class ComparisonPicture:
    """A picture, its `alt`, what it is in short (`lead`), and its caption.

    The caption goes on from the lead, with the space or comma between them. `image` is its `data:`
    address, which `sections` gives it by its name.
    """

    name: str
    title: str = ""
    alt: str
    lead: str = ""
    caption: str = ""
    width: Literal["wide", "narrow", "half"] = "wide"
    image: str = ""


@dataclass(frozen=True)
class ComparisonSection:
    """Pictures, and below them tables. On the page the `id` begins with `over-seeds-`."""

    id: str
    title: str
    pictures: list[ComparisonPicture] = field(default_factory=list)
    tables: list[ComparisonTable] = field(default_factory=list)
    note: str = ""
