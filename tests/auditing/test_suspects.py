"""Suspects and fragile inputs, against a loop over the inputs."""

import pytest
import torch

from arcal.auditing import (
    Predictions,
    fragile,
    suspects,
    suspicion,
)
from tests.auditing.drawn import drawn, relabelled, reordered


def robustness_of(N, seed=5):
    distance = torch.rand(N, generator=torch.Generator().manual_seed(seed))
    distance[::17] = torch.inf
    return distance


def test_the_least_probable_label_is_the_first():
    predictions = drawn(200)
    p, labels = predictions.log_probabilities.exp().tolist(), predictions.labels.tolist()
    values = [
        (row[y] == max(row), row[y], int(id))
        for row, y, id in zip(p, labels, predictions.ids, strict=True)
    ]
    expected = sorted(range(200), key=values.__getitem__)
    assert suspicion(predictions).argsort().tolist() == expected
    assert suspects(predictions).tolist() == expected[: sum(not right for right, *_ in values)]


def test_the_order_of_the_rows_is_irrelevant():
    predictions = drawn(150)
    rows = torch.randperm(150, generator=torch.Generator().manual_seed(1))
    shuffled = reordered(predictions, rows)
    first = predictions.ids[suspects(predictions)]
    assert torch.equal(shuffled.ids[suspects(shuffled)], first)


def test_labels_of_probability_0_are_the_first_and_equal_ones_come_by_id():
    p = torch.tensor([[1.0, 0.0], [0.9, 0.1], [1.0, 0.0], [0.2, 0.8]])
    predictions = Predictions(torch.tensor([5, 1, 3, 2]), torch.tensor([1, 1, 1, 1]), p.log()[None])
    assert suspects(predictions).tolist() == [2, 0, 1]


def test_no_label_is_suspected_where_all_are_predicted():
    predictions = drawn(50)
    assert len(suspects(relabelled(predictions, predictions.predicted))) == 0


@pytest.mark.parametrize("R", [1, 4, 10])
def test_fragile_by_hand(R):
    predictions, robustness = drawn(103), robustness_of(103)
    p = predictions.log_probabilities.exp()
    rows = sorted(range(103), key=lambda i: (robustness[i].item(), int(predictions.ids[i])))
    weakest = [i for place, i in enumerate(rows) if place * R // 103 == 0]
    right = [i for i in weakest if p[i].argmax() == predictions.labels[i]]
    expected = sorted(right, key=lambda i: (-p[i].max().item(), int(predictions.ids[i])))
    assert fragile(predictions, robustness, R).tolist() == expected
