"""Saved predictions whose names or index say another order than the one they stand in."""

import numpy as np
import pandas as pd
import pytest

from arcal.auditing import as_predictions
from arcal.errors import ArcalError

RNG = np.random.default_rng(0)
Z, N = 12, 120
Y = RNG.integers(0, Z, N)
LOGITS = RNG.normal(size=(N, Z)) + 3 * np.eye(Z)[Y]
RIGHT = float((LOGITS.argmax(1) == Y).mean())
ORDER = np.array(sorted(range(Z), key=str))


@pytest.mark.parametrize("kind", [int, str])
def test_columns_sorted_as_text(kind: type):
    table = pd.DataFrame(LOGITS[:, ORDER], columns=[kind(z) for z in ORDER])
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
    table, labels = pd.DataFrame(LOGITS), pd.Series(Y)
    for one, other in ((table.iloc[order], labels), (table, labels.iloc[order])):
        with pytest.raises(ArcalError, match="more are right if matched by their index"):
            as_predictions(logits=one, labels=other)
    shuffled = as_predictions(logits=pd.DataFrame(LOGITS[order]), labels=labels.iloc[order])
    assert float(shuffled.correct.double().mean()) == RIGHT


def test_a_column_of_ids_or_labels_is_no_logit():
    table = pd.DataFrame(LOGITS).assign(label=Y)
    with pytest.raises(ArcalError, match="the logits have a column label: leave it out"):
        as_predictions(logits=table, labels=Y)
    three = pd.DataFrame(LOGITS[:, :3], columns=["id", "passport", "none"])
    said = as_predictions(logits=three, labels=Y % 3, classes=["id", "passport", "none"])
    assert said.classes == 3
