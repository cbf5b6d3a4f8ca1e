"""Texts with labels."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from arcal.data.columns import (
    LABELS,
    TEXTS,
    Names,
    label_column,
    pick,
    read_labels,
)
from arcal.data.labels import is_text, refuse_missing
from arcal.data.open_columns import open_columns
from arcal.data.part import Labelled, check_rows, fingerprint_of
from arcal.data.sources import find_source
from arcal.errors import ArcalError

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Texts(Labelled):
    """One part of N texts with stable ids.

    `texts` are N strings, `ids` unique int64 `(N,)`, `labels` int64 `(N,)` in [0, Z), `classes` the
    Z names, and `weights` float64 `(N,)`, at least 0, or None. Other values raise `ArcalError`.

    >>> import torch
    >>> ids, labels = torch.tensor([3, 5]), torch.tensor([0, 1])
    >>> part = Texts("toy/test", ids, labels, ("bad", "good"), ("Never again.", "Superb."))
    >>> part.subset(torch.tensor([5])).texts
    ('Superb.',)
    """

    BY_ROW: ClassVar = (*Labelled.BY_ROW, "texts")

    texts: tuple[str, ...]
    weights: Tensor | None = None

    def __post_init__(self) -> None:
        check_rows(self, self.texts, "texts")

    @property
    def shape(self) -> tuple[()]:
        """The shape of a text: it has none."""
        return ()

    def fingerprint(self) -> str:
        """16 hexadecimal digits of the SHA-256 of ids, labels, texts and weights."""
        encoded = (text.encode("utf-8", "surrogatepass") for text in self.texts)
        return fingerprint_of(self, (b"%d " % len(text) + text for text in encoded), self.weights)


def load_texts(
    source: str,
    *,
    part: str | None = None,
    text: str | None = None,
    label: str | None = None,
    weight: str | None = None,
    classes: Sequence[str] | None = None,
    labelled: bool = True,
) -> Texts:
    r"""One part of texts: CSV, Parquet, JSON lines, or a folder that `datasets` saved.

    The text is the column `text`, or the first of "text", "sentence" and "content"; the label is
    the column `label`, or the first of "label", "fine_label", "labels", "coarse_label", "target"
    and "class". `part`, `weight`, `classes`, `labelled` and ids are as for `load_table`. A text
    that is missing, and whatever else cannot be read, raises `ArcalError`; an empty text is a text.

    >>> from pathlib import Path
    >>> _ = Path("reviews.csv").write_text("text,label\nNever again.,bad\nSuperb.,good\n")
    >>> part = load_texts("reviews.csv")
    >>> part.texts, part.classes
    (('Never again.', 'Superb.'), ('bad', 'good'))
    """
    there = find_source(source)
    _, name, paths = there.choose(part)
    columns = open_columns(there.format, paths)
    text = pick(columns, TEXTS, text, "--text")
    label = label_column(columns, LABELS, label, labelled)
    names = Names(None, label, weight, classes, labelled)
    ids, labels, known, weights = read_labels(columns, label, names)
    column = columns.read(text)
    where = columns.rows.where
    if not is_text(column):
        raise ArcalError(
            f"{where(0)}: {text} is of type {column.type}, not text: name another column with "
            "--text"
        )
    refuse_missing(column, text, where)
    texts = tuple(column.to_pylist())
    log.info(f"read {name} from {source}: {len(texts):,} texts, {len(known)} classes")
    return Texts(name, ids, labels, known, texts, weights)
