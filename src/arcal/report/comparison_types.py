"""What the page draws of several subjects over their runs; `page/src/payload.ts` has the same."""

from typing import Literal, NotRequired, TypedDict


class ComparedMethod(TypedDict):
    """A subject: its name with what tells it from others, its `kind` and all its `settings`.

    `colour` and `marker` are its marks in the pictures, `about` the kind in a line, empty where
    nothing is known; `seeds` has a word a run.
    """

    name: str
    kind: str
    settings: str
    about: str
    colour: str
    marker: str
    seeds: list[str]


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


class TableColumn(TypedDict):
    """`words` has unit and direction, `method` the subject whose column it is.

    A `tinted` column shows the sign and size of its gaps as colour.
    """

    title: str
    words: str
    method: int | None
    tinted: bool


class TableRow(TypedDict):
    """A row; `method` is the number of the subject it is of."""

    name: str
    words: str
    method: int | None
    cells: list[MeanCell]


class TablePart(TypedDict):
    """Rows under a heading, which is empty if there is one part; `folded` shows them on demand."""

    title: str
    folded: bool
    rows: list[TableRow]


class ComparisonTable(TypedDict):
    """A table; `head` is the title of its rows' names.

    `folded` is what to choose to see the table, and `folded_parts` the same for its folded parts;
    both are None where there is nothing to choose.
    """

    title: str
    head: str
    columns: list[TableColumn]
    parts: list[TablePart]
    note: str
    folded: str | None
    folded_parts: str | None


class ComparisonPicture(TypedDict):
    """A picture as a `data:` address: its `alt`, what it is in short (`lead`), and its caption.

    The caption goes on from the lead, with the space or comma between them.
    """

    name: str
    title: str
    alt: str
    lead: str
    caption: str
    width: Literal["wide", "narrow", "half"]
    image: str


class ComparisonSection(TypedDict):
    """Pictures, and below them tables."""

    id: str
    title: str
    pictures: list[ComparisonPicture]
    tables: list[ComparisonTable]
    note: str


class Term(TypedDict):
    """A word, and what it means."""

    name: str
    words: str


class File(TypedDict):
    """A file beside the page."""

    href: str
    words: str


class SeveralSubjects(TypedDict):
    """All that is said of several subjects over their runs.

    `remarks` say how sure each lead is, `about` how the figures are to be read, and `made` what the
    runs were made with.
    """

    remarks: list[str]
    about: str
    terms: list[Term]
    methods: list[ComparedMethod]
    sections: list[ComparisonSection]
    made: dict[str, str]
    files: list[File]
