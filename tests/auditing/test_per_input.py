"""The table of inputs, against a loop over them."""

import math

import numpy as np
import pytest
import torch

from arcal.auditing import suspects
from arcal.auditing._suspects import per_input
from tests.auditing.drawn import drawn, reordered

DTYPES = {
    "id": "int64", "label": "int64", "predicted": "int64", "correct": "bool",
    "confidence": "float64", "label_probability": "float64", "loss": "float64",
    "suspect_rank": "int64", "robustness": "float32", "level": "int64", "nearest": "int64",
    "weight": "float64",
}  # fmt: skip


@pytest.fixture(scope="module")
def known():
    """Predictions, distances and the class on the other side."""
    predictions = drawn(90)
    distance = torch.rand(90, generator=torch.Generator().manual_seed(1))
    distance[4] = torch.inf
    return predictions, distance, (predictions.predicted + 1) % 3


def test_columns_are_those_of_each_input(known):
    predictions, distance, nearest = known
    weights = torch.arange(1, 91) / 90
    table = per_input(predictions, distance, R=4, nearest=nearest, weights=weights)
    assert {name: str(column.dtype) for name, column in table.items()} == DTYPES
    p = predictions.logits[0].softmax(1)
    by_distance = sorted(range(90), key=lambda i: (distance[i].item(), int(predictions.ids[i])))
    rows = {int(id): i for i, id in enumerate(predictions.ids)}
    assert sorted(table["id"].tolist()) == sorted(rows)
    for row in range(90):
        one = {name: column[row].item() for name, column in table.items()}
        i = rows[one["id"]]
        label = int(predictions.labels[i])
        assert one["label"] == label
        assert one["predicted"] == int(p[i].argmax())
        assert one["correct"] == (one["predicted"] == label)
        assert one["confidence"] == pytest.approx(p[i].max().item())
        assert one["label_probability"] == pytest.approx(p[i, label].item())
        assert one["loss"] == pytest.approx(-math.log(p[i, label].item()))
        assert one["robustness"] == distance[i].item()
        assert one["level"] == by_distance.index(i) * 4 // 90
        assert one["nearest"] == int(nearest[i])
        assert one["weight"] == weights[i].item()


def test_suspects_are_numbered_from_1_and_come_first(known):
    predictions, distance, _ = known
    table = per_input(predictions, distance)
    expected = predictions.ids[suspects(predictions)]
    n = len(expected)
    assert 10 < n < 80
    assert table["id"][:n].tolist() == expected.tolist()
    assert table["suspect_rank"].tolist() == [*range(1, n + 1), *[0] * (90 - n)]
    assert not table["correct"][:n].any()
    assert table["correct"][n:].all()


def test_the_order_of_the_rows_is_irrelevant(known):
    predictions, distance, nearest = known
    rows = torch.randperm(90, generator=torch.Generator().manual_seed(2))
    table = per_input(predictions, distance, nearest=nearest)
    other = per_input(reordered(predictions, rows), distance[rows], nearest=nearest[rows])
    for name, column in table.items():
        np.testing.assert_allclose(column, other[name], rtol=1e-12, err_msg=name)


def test_what_is_not_known_is_no_column(known):
    predictions, distance, _ = known
    assert list(per_input(predictions)) == list(DTYPES)[:8]
    assert list(per_input(predictions, distance)) == list(DTYPES)[:10]
