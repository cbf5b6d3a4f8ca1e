"""From paths of files of predictions to audited classifiers."""

from collections.abc import Mapping, Sequence
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
from arcal.audits._prediction_files import SavedPredictions, read_predictions
from arcal.errors import ArcalError, prefixing_errors
from arcal.printable import first_few
from arcal.report.audited import TOGETHER, WEIGHED_BY

LABELLED = "Labels"
"""The title of the fact on how many inputs of a file have labels."""
NOT_USED = "Columns not used"
"""The title of the fact on which columns of a file are ignored."""


def open_predictions(
    paths: Sequence[str],
    names: Sequence[str],
    R: int,
    *,
    label: str | None = None,
    confidence: Sequence[str] = (),
    probabilities: Sequence[str] = (),
    weight: str | None = None,
    id: str | None = None,
    by: Sequence[str] = (),
    one_per: str | None = None,
    cluster: str | None = None,
    classes: Sequence[str] | None = None,
    labels_from: Path | None = None,
    class_names: Sequence[str] = (),
    text: Sequence[str] = (),
    positive: str | None = None,
) -> list[Audited]:
    """Files of predictions as audited classifiers, with everything but robustness.

    `label`, `confidence`, `probabilities`, `weight`, `id`, `by` and `labels_from` are as for
    `read_predictions`, except that several names in `confidence` are one per file. Rows of the
    files are matched by their ids, and one is drawn for each value in the column `one_per`; those
    with the same value in the column `cluster` belong together. A file
    that has the same `classes` in another order is put in their order; by default `classes` are
    those of the first file. `class_names` name the classes of lists of outputs and of
    `probabilities`, and `positive` the class whose probability is compared with its frequency. For
    each input the page shows the values in the columns `text`.

    >>> import numpy as np
    >>> np.savez("mine.npz", probabilities=[[0.75, 0.25], [0.25, 0.75]], labels=[0, 0])
    >>> open_predictions(["mine.npz"], ["mine"], R=10)[0].overall.accuracy.value
    0.5
    """
    own = (*by, *text, *(one for one in (one_per, cluster) if one is not None))
    sure = confidence if len(confidence) > 1 else [next(iter(confidence), None)] * len(paths)
    audited: list[Audited] = []
    first: SavedPredictions | None = None
    for path, name, column in zip(paths, names, sure, strict=True):
        saved = read_predictions(
            Path(path),
            label=label,
            confidence=column,
            probabilities=probabilities,
            weight=weight,
            id=id,
            by=own,
            labels_from=labels_from,
            names=class_names,
        )
        first = first or saved
        saved = saved.ordered_like(first).with_classes_like(classes or first.classes)
        facts = {
            "Predictions": Path(path).name,
            DRAWN: None,
            LABELLED: saved.labelled,
            WEIGHED_BY: saved.weighed_by,
            "Confidence": None if column is None else f"the column {column}",
            "Outputs": first_few(probabilities) or None,
            NOT_USED: first_few([one for one in saved.unused if one not in confidence]) or None,
        }
        with prefixing_errors(path):
            if one_per is not None:
                N = len(saved.predictions.ids)
                saved = saved.one_per(one_per, first.weights)
                facts[DRAWN] = drawn_of_each(one_per, len(saved.predictions.ids), N)
            if positive is not None and saved.predictions.answers:
                raise ArcalError("the file has right and wrong answers: leave out --positive")
            z = None if positive is None else positive_class(positive, saved.classes)
            columns = {name: saved.by[name] for name in by}
            grouped = groupings(columns, len(saved.predictions.ids))
            together = None if cluster is None else in_clusters(cluster, saved.by[cluster])
        predictions, zeros = without_zeros(saved.predictions)
        caveats = _caveats(saved, zeros)
        if cluster is None and (said := saved.wrong_together) is not None:
            caveats.append(Caveat(TOGETHER, said))
        one = Audited(
            name=name,
            predictions=predictions,
            classes=saved.classes,
            weights=saved.weights,
            names=saved.names,
            texts=_texts({name: saved.by[name] for name in text}),
            groupings=grouped,
            clusters=together,
            R=R,
            positive_class=z,
            facts={title: fact for title, fact in facts.items() if fact is not None},
            caveats=caveats,
        )
        audited.append(one)
    return audited


def _caveats(saved: SavedPredictions, zeros: str | None) -> list[Caveat]:
    """Caveats on a file, and on `zeros` among its probabilities."""
    said = {
        "Probabilities": "; ".join(filter(None, (saved.scaled, zeros))) or None,
        "Answers": saved.doubt,
        "Repeated": saved.copies,
    }
    return [Caveat(title, text) for title, text in said.items() if text is not None]


def _texts(columns: Mapping[str, Any]) -> tuple[str, ...] | None:
    r"""The values in columns of N values, as text; a missing value is empty.

    For several columns there is one line each, which begins with the column's name; without any
    column the result is None.

    >>> import numpy as np
    >>> _texts({"question": np.array(["Who?"]), "answer": np.array([42])})
    ('question: Who?\nanswer: 42',)
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
