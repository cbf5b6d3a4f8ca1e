"""The benchmark of suspects: its orders, which labels it replaces, and how it counts the first."""

import json
import math
import re

import pytest
import torch

from arcal.auditing import Predictions, suspicion
from arcal.calibration import auroc
from benchmarks.suspects import (
    ORDERS,
    OURS,
    REPLACEMENTS,
    confused,
    disagreement,
    places,
    planted,
    uniform,
    verified,
)
from tests.auditing.drawn import drawn, relabelled


def robustness_of(N, seed=5):
    distance = torch.rand(N, generator=torch.Generator().manual_seed(seed))
    distance[::17] = torch.inf
    return distance


def by_hand(order, predictions, robustness):
    """The value of every input, in plain Python: the lowest is the most suspect."""
    p = predictions.log_probabilities.exp().tolist()
    labels = predictions.labels.tolist()
    values = []
    for i, (row, y) in enumerate(zip(p, labels, strict=True)):
        contradicted = row[y] < max(row)
        if order == "own-probability":
            value = row[y]
        elif order == "margin":
            value = math.log(row[y]) - math.log(max(row[:y] + row[y + 1 :]))
        elif order == "normalised":
            same = [other[y] for other, label in zip(p, labels, strict=True) if label == y]
            value = row[y] - sum(same) / len(same)
        elif order == "entropy":
            certainty = math.log(len(row)) + sum(q * math.log(q) for q in row)
            value = -certainty if contradicted else certainty
        else:
            value = -robustness[i].item() if contradicted else robustness[i].item()
        values.append((not contradicted, value, int(predictions.ids[i])))
    return sorted(range(len(values)), key=values.__getitem__)


@pytest.mark.parametrize("order", ORDERS)
def test_orders_by_hand(order):
    predictions, robustness = drawn(200), robustness_of(200)
    expected = by_hand(order, predictions, robustness)
    assert places(predictions, robustness, order).argsort().tolist() == expected


def test_our_order_is_the_one_that_is_measured():
    predictions = drawn(200)
    assert torch.equal(places(predictions, robustness_of(200), OURS), suspicion(predictions))


@pytest.mark.parametrize("order", ORDERS)
def test_replaced_labels_come_before_others(order):
    """Of a model that is nearly always right and sure, a twentieth of the labels."""
    predictions = drawn(600, sharpness=1.0)
    sure = Predictions(predictions.ids, predictions.labels, 4 * predictions.logits)
    right = relabelled(sure, sure.predicted)
    replaced = torch.zeros(600, dtype=torch.bool)
    replaced[::20] = True
    labels = torch.where(replaced, (right.labels + 1) % 3, right.labels)
    distance = sure.logits[0].topk(2).values.diff().abs()[:, 0].float()
    place = places(relabelled(right, labels), distance, order)
    assert auroc(place[~replaced].double(), place[replaced].double()) == 1
    assert (place[replaced] < 30).all()


@pytest.mark.parametrize("draw", REPLACEMENTS.values(), ids=REPLACEMENTS)
def test_a_replaced_label_is_another_one(draw):
    predictions, chosen = drawn(300), torch.arange(0, 300, 2)
    labels = draw(predictions, chosen, torch.Generator().manual_seed(0))
    assert labels.shape == chosen.shape
    assert not (labels == predictions.labels[chosen]).any()
    assert set(labels.tolist()) == {0, 1, 2}


def test_labels_are_confused_as_the_predictions_are():
    """Of 100 inputs of class 0, 30 are taken for class 1 and 10 for class 2."""
    predictions = drawn(100)
    predicted = torch.tensor([0] * 60 + [1] * 30 + [2] * 10)
    logits = 5 * torch.eye(3)[predicted][None]
    predictions = type(predictions)(predictions.ids, torch.zeros(100).long(), logits)
    generator = torch.Generator().manual_seed(0)
    labels = confused(predictions, torch.arange(100).repeat(40), generator)
    assert (labels == 1).double().mean().item() == pytest.approx(0.75, abs=0.03)
    labels = uniform(predictions, torch.arange(100).repeat(40), generator)
    assert (labels == 1).double().mean().item() == pytest.approx(0.5, abs=0.03)


def test_what_is_planted_in_a_model_that_is_always_right_is_all_found():
    predictions = drawn(2000)
    right = relabelled(predictions, predictions.predicted)
    distance = predictions.logits[0].topk(2).values.diff().abs()[:, 0].float()
    table = planted(right, distance, uniform, draws=2)
    assert len(table.splitlines()) == 2 + len(ORDERS)
    for line in table.splitlines()[2:]:
        numbers = re.findall(r"(\d\.\d+) ±", line)
        assert numbers == ["1.000"] * 4 + ["0.000"]


def test_verified_labels_are_counted_where_they_come(tmp_path):
    predictions = drawn(300)
    order = predictions.log_probabilities.gather(1, predictions.labels[:, None])[:, 0].argsort()
    rows = [
        {
            "id": int(predictions.ids[i]),
            "given_original_label": int(predictions.labels[i]),
            "mturk": {"given": given},
        }
        for i, given in ((order[0], 2), (order[1], 3), (order[2], 0), (order[-1], 1))
    ]
    path = tmp_path / "votes.json"
    path.write_text(json.dumps(rows))
    table = verified(predictions, torch.rand(300), path).splitlines()
    assert table[0].startswith("| order | of 3 in the first 50 |")
    own = next(line for line in table if "own-probability" in line)
    assert own.startswith("| own-probability | 2 | 2 | 2 |")


def test_people_who_disagree_where_the_distance_is_small():
    predictions = drawn(1000)
    people = torch.zeros(1000, 3, dtype=torch.float64)
    unsure = torch.arange(1000) < 100
    people[:, 0] = torch.where(unsure, 0.5, 1.0)
    people[:, 1] = 1 - people[:, 0]
    table = disagreement(predictions, torch.arange(1000.0), people).splitlines()
    assert table[2].startswith("| distance | 0.693 | 0.000 |")
