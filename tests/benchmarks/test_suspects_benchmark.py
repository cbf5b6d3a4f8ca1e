"""The benchmark of suspects: which labels it replaces, and how it counts those that come first."""

import json
import re

import pytest
import torch

from arcal.auditing import SUSPECT_ORDERS
from benchmarks.suspects import REPLACEMENTS, confused, disagreement, planted, uniform, verified
from tests.auditing.drawn import drawn, relabelled


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
    assert len(table.splitlines()) == 2 + len(SUSPECT_ORDERS)
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
