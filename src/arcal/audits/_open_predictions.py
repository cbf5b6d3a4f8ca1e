"""From paths of files of predictions to audited classifiers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from arcal.auditing import (
    Audited,
    Caveat,
    groupings,
    in_clusters,
    positive_class,
    without_zeros,
)
from arcal.audits._examples import DRAWN, drawn_of_each
from arcal.errors import ArcalError, prefixing_errors
from arcal.prediction_files import USUAL, ColumnNames, SavedPredictions, read_predictions
from arcal.printable import first_few
from arcal.report.audited import TOGETHER, WEIGHED_BY

LABELLED = "Labels"
"""The title of the fact on how many inputs of a file have labels."""
NOT_USED = "Columns not used"
"""The title of the fact on which columns of a file are ignored."""


@dataclass(frozen=True)
class NamedPredictions:
    """A file of predictions by its path, a name for it, and how its columns are called."""

    path: str
    name: str
    columns: ColumnNames = USUAL


@dataclass(frozen=True)
class Uses:
    """What else the columns of a file are used for.

    The inputs are grouped `by` columns, and the page shows the values in the columns `text`. One
    input is drawn for each value in the column `one_per`. Inputs with the same value in the column
    `cluster` belong together.
    """

    by: Sequence[str] = ()
    text: Sequence[str] = ()
    one_per: str | None = None
    cluster: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """All these columns."""
        single = (one for one in (self.one_per, self.cluster) if one is not None)
        return (*self.by, *self.text, *single)


NO_USES = Uses()


def open_predictions(
    files: Sequence[NamedPredictions],
    uses: Uses = NO_USES,
    *,
    R: int = 10,
    classes: Sequence[str] | None = None,
    positive: str | None = None,
) -> list[Audited]:
    """Files of predictions as audited classifiers, with everything but robustness.

    Rows of the files are matched by their ids. A file that has the same `classes` in another order
    is put in their order; by default `classes` are those of the first file. `positive` is the class
    whose probability is compared with its frequency. Files that cannot be read, and columns that
    cannot be used so, raise `ArcalError`.
    """
    audited: list[Audited] = []
    first: SavedPredictions | None = None
    confidences = [file.columns.confidence for file in files]
    for file in files:
        whole = read_predictions(Path(file.path), replace(file.columns, by=uses.columns))
        first = first or whole
        whole = whole.ordered_like(first).with_classes_like(classes or first.classes)
        with prefixing_errors(file.path):
            saved, said = whole, None
            if uses.one_per is not None:
                saved = whole.one_per(uses.one_per, first.weights)
                said = drawn_of_each(uses.one_per, len(saved.keys), len(whole.keys))
            facts = _facts(file, saved, said, confidences)
            audited.append(_audited(saved, uses, positive, name=file.name, facts=facts, R=R))
    return audited


def _audited(saved: SavedPredictions, uses: Uses, positive: str | None, **more: Any) -> Audited:
    """The predictions of a file as a classifier; `more` are further fields of `Audited`."""
    if positive is not None and saved.predictions.answers:
        raise ArcalError("the file has right and wrong answers: leave out --positive")
    z = None if positive is None else positive_class(positive, saved.classes)
    by, text = ({name: saved.by[name] for name in names} for names in (uses.by, uses.text))
    grouped, column = groupings(by, len(saved.predictions.ids)), uses.cluster
    together = None if column is None else in_clusters(column, saved.by[column])
    predictions, zeros = without_zeros(saved.predictions)
    return Audited(
        predictions=predictions,
        classes=saved.classes,
        weights=saved.weights,
        names=saved.names,
        texts=_texts(text),
        groupings=grouped,
        clusters=together,
        positive_class=z,
        caveats=_caveats(saved, zeros, clustered=together is not None),
        **more,
    )


def _facts(
    file: NamedPredictions,
    saved: SavedPredictions,
    drawn: str | None,
    confidences: Sequence[str | None],
) -> dict[str, str]:
    """Facts on a file, whose inputs may be `drawn`; `confidences` are the columns of all files."""
    sure, unused = file.columns.confidence, [one for one in saved.unused if one not in confidences]
    facts = {
        "Predictions": Path(file.path).name,
        DRAWN: drawn,
        LABELLED: saved.labelled,
        WEIGHED_BY: saved.weighed_by,
        "Confidence": None if sure is None else f"the column {sure}",
        "Outputs": first_few(file.columns.probabilities) or None,
        NOT_USED: first_few(unused) or None,
    }
    return {title: fact for title, fact in facts.items() if fact is not None}


def _caveats(saved: SavedPredictions, zeros: str | None, *, clustered: bool) -> list[Caveat]:
    """Caveats on a file, and on `zeros` among its probabilities."""
    answers = saved.predictions.answers
    outputs = (saved.scaled, zeros, None if answers else saved.doubt)
    said = {
        "Probabilities": "; ".join(filter(None, outputs)) or None,
        "Answers": saved.doubt if answers else None,
        TOGETHER: None if clustered else saved.wrong_together,
    }
    return [Caveat(title, text) for title, text in said.items() if text is not None]


def _texts(columns: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The values in columns of N values, as text; a missing value is empty.

    For several columns there is one line each, which begins with the column's name; without any
    column the result is None.
    """
    lists = [
        column.to_pylist() if hasattr(column, "to_pylist") else column.tolist()
        for column in columns.values()
    ]
    texts = [["" if value is None else str(value) for value in column] for column in lists]
    if len(texts) < 2:
        return tuple(texts[0]) if texts else None
    return tuple(
        "\n".join(f"{name}: {one}" for name, one in zip(columns, row, strict=True) if one)
        for row in zip(*texts, strict=True)
    )
