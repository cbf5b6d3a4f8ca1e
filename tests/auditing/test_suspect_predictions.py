"""Labels that are predictions, a softmax applied twice and swapped classes are asked about."""

import pytest
import torch

import arcal
from arcal.auditing import (
    as_predictions,
    suspect_own_predictions,
    suspect_softmax_twice,
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
