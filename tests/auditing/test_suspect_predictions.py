"""Labels that are predictions, a softmax applied twice and swapped classes are asked about."""

import pytest
import torch

import arcal
from arcal.auditing import (
    as_predictions,
    suspect_extremes,
    suspect_own_predictions,
    suspect_softmax_twice,
    suspect_swapped,
)
from tests.auditing.drawn import drawn, relabelled


def test_labels_that_are_the_predictions_are_suspected_where_the_model_is_unsure():
    predictions = drawn(400)
    assert suspect_own_predictions(predictions) is None  # some are wrong
    own = relabelled(predictions, predictions.predicted)
    n = int((predictions.confidence < 0.75).sum())
    said = suspect_own_predictions(own)
    assert said is not None
    assert f"right on all 400 inputs, even on the {n} of which" in said
    assert said in arcal.audit(own).summary(None)
    assert said in arcal.calibrate(own, calibrators=["temperature"]).doubts


def test_a_sure_model_that_is_right_on_all_is_not_suspected():
    labels = torch.arange(500) % 2
    sure = torch.stack([1 - labels, labels], 1) * 0.8 + 0.1  # labels smoothed by 0.2: 90 % sure
    assert suspect_own_predictions(as_predictions(probabilities=sure, labels=labels)) is None


@pytest.mark.parametrize("Z", [2, 3, 100])
def test_a_softmax_of_probabilities_is_suspected(Z):
    once = drawn(200, Z, sharpness=4.0)
    assert suspect_softmax_twice(once) is None
    p = once.log_probabilities.exp()
    twice = as_predictions(probabilities=p.softmax(dim=1), labels=once.labels)
    said = suspect_softmax_twice(twice)
    highest = {2: 73.1, 3: 57.6, 100: 2.7}[Z]
    assert said is not None
    assert said.startswith(f"no confidence is above {highest} %")
    assert said in arcal.audit(twice).summary(None)
    assert said in arcal.calibrate(twice, calibrators=["temperature"]).doubts
    saved = as_predictions(logits=p.softmax(dim=1).log().half(), labels=once.labels)
    assert suspect_softmax_twice(saved) == said  # rounded


def test_an_unsure_model_is_not_suspected():
    """Of two classes, of which it says .5 to .73 and anything between."""
    z = torch.linspace(-1, 1, 400, dtype=torch.float64)
    unsure = as_predictions(logits=torch.stack([z, 0 * z], 1), labels=torch.arange(400) % 2)
    assert suspect_softmax_twice(unsure) is None
    sure = as_predictions(logits=torch.stack([2 * z, 0 * z], 1), labels=torch.arange(400) % 2)
    assert suspect_softmax_twice(sure) is None


def of_two(p, seed=0):
    """Predictions of class 0 with probabilities `p`, which come true."""
    draws = torch.Generator().manual_seed(seed)
    labels = (torch.rand(len(p), generator=draws, dtype=torch.float64) > p).long()
    return as_predictions(probabilities=torch.stack([p, 1 - p], dim=1), labels=labels)


def test_two_classes_that_are_each_other_are_asked_about_though_most_predictions_are_right():
    """A model that says the rare class of everything, with its columns swapped."""
    p = torch.linspace(0.55, 0.95, 500, dtype=torch.float64)
    straight = of_two(p)
    assert suspect_swapped(straight) is None
    turned = as_predictions(  # sure of class 0 by 1 - p + .5, and most inputs are of it
        probabilities=torch.stack([1.5 - p, p - 0.5], dim=1), labels=straight.labels
    )
    assert turned.correct.double().mean() > 0.7
    said = suspect_swapped(turned)
    assert said is not None
    assert said.startswith("inputs of the second class get a lower probability of it than the")
    assert said in arcal.audit(turned).summary(None)
    assert said in arcal.calibrate(turned, calibrators=["temperature"]).doubts


def test_a_ranking_by_chance_is_not_taken_for_swapped_classes():
    p = torch.linspace(0.55, 0.95, 400, dtype=torch.float64)
    for seed in range(20):
        labels = of_two(torch.full((400,), 0.9, dtype=torch.float64), seed).labels
        by_chance = as_predictions(probabilities=torch.stack([p, 1 - p], 1), labels=labels)
        assert suspect_swapped(by_chance) is None


def test_calibrating_predictions_in_another_order_says_so():
    straight = of_two(torch.linspace(0.05, 0.95, 400, dtype=torch.float64))
    turned = as_predictions(logits=straight.logits[0].flip(1), labels=straight.labels)
    found = arcal.calibrate(turned, calibrators=["temperature"], classes=["cat", "dog"])
    assert any("what it calls cat is dog and dog is cat" in line for line in found.doubts)
    assert arcal.calibrate(straight, calibrators=["temperature"]).doubts == []


def test_inputs_on_another_scale_are_suspected_by_what_the_model_is_sure_of():
    """A linear model of inputs in [-1, 1] is given whole numbers of 16 bits."""
    usual = drawn(400)
    assert suspect_extremes(usual) is None
    scaled = as_predictions(logits=32768 * usual.logits[0], labels=usual.labels)
    wrong = int((~usual.correct).sum())
    said = suspect_extremes(scaled)
    assert said is not None
    assert said.startswith(f"for {wrong} of 400 inputs the label has a probability below 2e-22")
    summary = " ".join(arcal.audit(scaled).summary().split())
    assert said in summary
    assert "settle the doubt above before you calibrate" in summary
    assert said in arcal.calibrate(scaled, calibrators=["temperature"]).doubts


@pytest.mark.parametrize(("wrong", "suspected"), [(9, False), (10, True)])
def test_a_few_labels_that_the_model_calls_impossible_are_not_another_scale(wrong, suspected):
    sure = torch.tensor([[60.0, 0.0]]).repeat(1000, 1)
    labels = torch.tensor([1] * wrong + [0] * (1000 - wrong))
    assert (suspect_extremes(as_predictions(logits=sure, labels=labels)) is not None) == suspected
    masked = torch.tensor([[0.0, -torch.inf]]).repeat(1000, 1)  # said in another sentence
    assert suspect_extremes(as_predictions(logits=masked, labels=labels)) is None
