"""Saved predictions whose names or index say another order than the one they stand in."""

from typing import Any

import numpy as np
import pytest

from arcal.auditing import as_predictions
from arcal.errors import ArcalError

RNG = np.random.default_rng(0)
Z, N = 12, 120
Y = RNG.integers(0, Z, N)
LOGITS = RNG.normal(size=(N, Z)) + 3 * np.eye(Z)[Y]
RIGHT = float((LOGITS.argmax(1) == Y).mean())
ORDER = np.array(sorted(range(Z), key=str))


class Index(list):
    """As much of an index of pandas as is looked at."""

    equals = list.__eq__


class RangeIndex(Index):
    """One that counts the rows."""

    start, step = 0, 1


class Table:
    """As much of a table or a column of pandas as is looked at."""

    def __init__(self, rows: np.ndarray, columns: Any = (), index: Index | None = None):
        self.rows, self.columns = rows, columns or [*range(rows.shape[-1])]
        self.index = RangeIndex(range(len(rows))) if index is None else index

    def __array__(self, dtype=None, copy=None):
        return self.rows

    def taken(self, order: np.ndarray) -> "Table":
        return Table(self.rows[order], self.columns, Index(self.index[i] for i in order))


@pytest.mark.parametrize("kind", [int, str])
def test_columns_sorted_as_text(kind: type):
    table: Any = Table(LOGITS[:, ORDER], [kind(z) for z in ORDER])
    with pytest.raises(ArcalError, match="more are right as the names 0, 1, 10"):
        as_predictions(logits=table, labels=Y)
    encoded = as_predictions(logits=table, labels=ORDER.argsort()[Y])  # as a label encoder does
    assert float(encoded.correct.double().mean()) == RIGHT
    names = as_predictions(logits=table, labels=Y.astype(str), classes=[str(z) for z in ORDER])
    assert float(names.correct.double().mean()) == RIGHT


def test_labels_from_1_without_the_last_class():
    some = Y < Z - 1
    names = [str(z + 1) for z in range(Z)]
    with pytest.raises(ArcalError, match="taken for places from 0"):
        as_predictions(logits=LOGITS[some], labels=Y[some] + 1, classes=names)
    assert as_predictions(logits=LOGITS[some], labels=Y[some], classes=names).correct.any()


def test_an_index_in_another_order_than_the_rows():
    order = RNG.permutation(N)
    table, labels = Table(LOGITS), Table(Y)
    for one, other in ((table.taken(order), labels), (table, labels.taken(order))):
        with pytest.raises(ArcalError, match="more are right if matched by their index"):
            as_predictions(logits=one, labels=other)  # pyright: ignore
    fresh: Any = Table(LOGITS[order])
    given: Any = labels.taken(order)
    shuffled = as_predictions(logits=fresh, labels=given)
    assert float(shuffled.correct.double().mean()) == RIGHT


def test_a_column_of_ids_or_labels_is_no_logit():
    table: Any = Table(np.column_stack([LOGITS, Y]), [*range(Z), "label"])
    with pytest.raises(ArcalError, match="the logits have a column label: leave it out"):
        as_predictions(logits=table, labels=Y)
    three: Any = Table(LOGITS[:, :3], ["id", "passport", "none"])
    said = as_predictions(logits=three, labels=Y % 3, classes=["id", "passport", "none"])
    assert said.classes == 3
