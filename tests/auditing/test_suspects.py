"""Suspects: every order against a loop over the inputs, and labels replaced on purpose."""

import math

import pytest
import torch

from arcal.auditing import SUSPECT_ORDER, SUSPECT_ORDERS, Predictions, fragile, suspects, suspicion
from arcal.calibration import auroc
from arcal.errors import ArcalError
from tests.auditing.drawn import drawn, relabelled, reordered


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


@pytest.mark.parametrize("order", SUSPECT_ORDERS)
def test_orders_by_hand(order):
    predictions, robustness = drawn(200), robustness_of(200)
    expected = by_hand(order, predictions, robustness)
    place = suspicion(predictions, robustness, order)
    assert place.argsort().tolist() == expected
    wrong = int((predictions.predicted != predictions.labels).sum())
    assert suspects(predictions, robustness, order).tolist() == expected[:wrong]


def test_every_order_is_tested_by_hand():
    assert set(SUSPECT_ORDERS) == {"own-probability", "margin", "normalised", "entropy", "distance"}
    assert SUSPECT_ORDER in SUSPECT_ORDERS


@pytest.mark.parametrize("order", SUSPECT_ORDERS)
def test_the_order_of_the_rows_is_irrelevant(order):
    predictions, robustness = drawn(150), robustness_of(150)
    rows = torch.randperm(150, generator=torch.Generator().manual_seed(1))
    shuffled = reordered(predictions, rows)
    first = predictions.ids[suspects(predictions, robustness, order)]
    assert torch.equal(shuffled.ids[suspects(shuffled, robustness[rows], order)], first)


@pytest.mark.parametrize("order", SUSPECT_ORDERS)
def test_replaced_labels_come_before_others(order):
    """Of a model that is nearly always right and sure, a twentieth of the labels."""
    predictions = drawn(600, sharpness=1.0)
    sure = Predictions(predictions.ids, predictions.labels, 4 * predictions.logits)
    right = relabelled(sure, sure.predicted)
    replaced = torch.zeros(600, dtype=torch.bool)
    replaced[::20] = True
    labels = torch.where(replaced, (right.labels + 1) % 3, right.labels)
    distance = sure.logits[0].topk(2).values.diff().abs()[:, 0].float()
    place = suspicion(relabelled(right, labels), distance, order)
    assert auroc(place[~replaced].double(), place[replaced].double()) == 1
    assert (place[replaced] < 30).all()


def test_labels_of_probability_0_are_the_first_and_equal_ones_come_by_id():
    p = torch.tensor([[1.0, 0.0], [0.9, 0.1], [1.0, 0.0], [0.2, 0.8]])
    predictions = Predictions(torch.tensor([5, 1, 3, 2]), torch.tensor([1, 1, 1, 1]), p.log()[None])
    for order in ("own-probability", "margin"):
        assert suspects(predictions, order=order).tolist() == [2, 0, 1]


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


@pytest.mark.parametrize(
    ("robustness", "order", "line"),
    [
        (None, "loss", "order 'loss' of suspects is unknown: choose from own-probability"),
        (None, "distance", "needs the robustness"),
        (torch.ones(3), "margin", r"robustness has shape \(3,\): give one for each of 20"),
        (torch.full((20,), torch.nan), "distance", "NaN"),
    ],
)
def test_refuses_bad_input_in_one_line(robustness, order, line):
    for function in (suspects, suspicion):
        with pytest.raises(ArcalError, match=line) as error:
            function(drawn(20), robustness, order)
        assert "\n" not in str(error.value)
