"""Texts with labels, alone or in pairs such as a question and an answer."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from arcal.data.columns import (
    LABELS,
    Columns,
    Names,
    called,
    label_column,
    pick,
    read_ids,
    read_labels,
)
from arcal.data.labels import is_text, refuse_missing
from arcal.data.listings import open_columns
from arcal.data.part import Labelled, check_rows
from arcal.data.sources import find_source
from arcal.errors import ArcalError

log: logging.Logger = logging.getLogger(__name__)

TEXTS = ("text", "sentence", "content")
PAIRS = (
    ("premise", "hypothesis"),
    ("sentence1", "sentence2"),
    ("sentence_1", "sentence_2"),
    ("question1", "question2"),
    ("text1", "text2"),
    ("text_1", "text_2"),
    ("text_a", "text_b"),
    ("text", "text_pair"),
)
"""Names of columns that are pairs of texts, the first one first."""
SECOND_TEXTS = ("question", *(second for _, second in PAIRS))
"""Beside one of TEXTS these may be the other half of a pair, or something else."""


@dataclass(frozen=True, eq=False, repr=False)
class Texts(Labelled):
    r"""One part of N texts, or N pairs of texts, with stable ids.

    `texts` are N strings, or N tuples of two; `columns` the names of their one or two columns,
    `ids` unique int64 `(N,)`, `labels` int64 `(N,)` in [0, Z), `classes` the Z names, `weights`
    float64 `(N,)`, at least 0, or None, and `names` as in a `Table`. Other values raise
    `ArcalError`.

    >>> import torch
    >>> ids, labels = torch.tensor([3, 5]), torch.tensor([0, 1])
    >>> part = Texts("toy/test", ids, labels, ("bad", "good"), ("Never again.", "Superb."))
    >>> part.subset(torch.tensor([5])).texts
    ('Superb.',)
    """

    BY_ROW: ClassVar[tuple[str, ...]] = (*Labelled.BY_ROW, "texts")

    texts: tuple[str, ...] | tuple[tuple[str, str], ...]
    weights: Tensor | None = None
    names: tuple[str, ...] | None = None
    columns: tuple[str, ...] = ("text",)

    def __post_init__(self) -> None:
        check_rows(self, self.texts, "texts")

    @property
    def shape(self) -> tuple[()]:
        """The shape of a text: it has none."""
        return ()

    def shown(self) -> tuple[str, ...]:
        r"""Each text, or each pair as two lines that begin with the names of its columns.

        >>> import torch
        >>> pair, names = ("Who?", "Nobody."), ("question", "answer")
        >>> one = torch.zeros(1, dtype=torch.int64)
        >>> Texts("toy/test", one, one, ("no", "yes"), (pair,), columns=names).shown()
        ('question: Who?\nanswer: Nobody.',)
        """
        return tuple(
            text
            if isinstance(text, str)
            else "\n".join(f"{name}: {one}" for name, one in zip(self.columns, text, strict=True))
            for text in self.texts
        )

    def _content(self) -> Iterator[bytes]:
        for text in self.texts:
            halves = (text,) if isinstance(text, str) else text
            encoded = [half.encode("utf-8", "surrogatepass") for half in halves]
            yield b"".join(b"%d " % len(half) + half for half in encoded)


def load_texts(
    source: str,
    *,
    part: str | None = None,
    text: str | Sequence[str] | None = None,
    label: str | None = None,
    weight: str | None = None,
    classes: Sequence[str] | None = None,
    labelled: bool = True,
) -> Texts:
    r"""One part of texts: CSV, Parquet, JSON lines, or a folder that `datasets` saved.

    The text is the column `text`, or the first of "text", "sentence" and "content"; the label is
    the column `label`, or the first of "label", "fine_label", "labels", "coarse_label", "target"
    and "class". Two columns as `text` are pairs, in the order in which the model reads them; so are
    two columns with the usual names of pairs, such as "premise" and "hypothesis" or "sentence1" and
    "sentence2". If a "question" or a "sentence2" is beside a "sentence", `text` has to say which to
    read. `part`, `weight`, `classes`, `labelled` and ids are as for `load_table`. A missing text,
    and anything else that cannot be read, raises `ArcalError`; an empty text is a text.

    >>> from pathlib import Path
    >>> _ = Path("reviews.csv").write_text("text,label\nNever again.,bad\nSuperb.,good\n")
    >>> part = load_texts("reviews.csv")
    >>> part.texts, part.classes
    (('Never again.', 'Superb.'), ('bad', 'good'))
    >>> _ = Path("pairs.csv").write_text("premise,hypothesis,label\nIt rains.,It is dry.,no\n")
    >>> load_texts("pairs.csv").texts
    (('It rains.', 'It is dry.'),)
    """
    there = find_source(source)
    _, name, paths = there.choose(part)
    columns = open_columns(there.format, paths)
    read = _text_columns(columns, (text,) if isinstance(text, str) else text)
    label = label_column(columns, LABELS, label, labelled)
    names = Names(None, label, weight, classes, labelled)
    labels, known, weights = read_labels(columns, label, names)
    ids, row_names = read_ids(columns)
    values = [_texts(columns, column) for column in read]
    texts = values[0] if len(values) == 1 else tuple(zip(*values, strict=True))
    what = f"pairs of {' and '.join(read)}" if len(values) > 1 else "texts"
    log.info(f"read {name} from {source}: {len(texts):,} {what}, {len(known)} classes")
    return Texts(name, ids, labels, known, texts, weights, row_names, read)


def text_pair(names: Sequence[str]) -> tuple[str, str] | None:
    """The first two of these column names that are the usual ones of pairs; None if there are none.

    >>> text_pair(["label", "Hypothesis", "premise"]), text_pair(["sentence", "label"])
    (('premise', 'Hypothesis'), None)
    """
    both = ((called(names, [one]), called(names, [other])) for one, other in PAIRS)
    return next(((one[0], other[0]) for one, other in both if one and other), None)


def _text_columns(columns: Columns, given: Sequence[str] | None) -> tuple[str, ...]:
    """The column of the texts, or the two of pairs."""
    if given is not None:
        if len(given) not in (1, 2) or len({*given}) < len(given):
            raise ArcalError(
                f"--text {' '.join(given)}: a model reads one text or a pair: name one column, or "
                "two in the order in which it reads them"
            )
        return tuple(pick(columns, (), name, "--text") for name in given)
    names = columns.schema.names
    pair = text_pair(names)
    if pair and not {*called(names, TEXTS)} - {*pair}:
        return pick(columns, (), pair[0]), pick(columns, (), pair[1])
    text = pick(columns, TEXTS, None, "--text")
    if others := called(names, SECOND_TEXTS):
        both = (others[0], text) if others[0].casefold() == "question" else (text, others[0])
        raise ArcalError(
            f"{columns.path} has texts in {text} and in {others[0]}: give --text {text} if that is "
            f"all the model reads, or both in its order, such as --text {' '.join(both)}"
        )
    return (text,)


def _texts(columns: Columns, name: str) -> tuple[str, ...]:
    """The texts of a column, none of which is missing."""
    column, where = columns.read(name), columns.rows.where
    if not is_text(column):
        raise ArcalError(
            f"{where(0)}: {name} is of type {column.type}, not text: name another column with "
            "--text"
        )
    refuse_missing(column, name, where)
    return tuple(column.to_pylist())
