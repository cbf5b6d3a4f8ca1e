"""What holds tensors shows itself in a line."""

import pytest

import arcal
from arcal.auditing import as_answers, as_predictions, choose_calibrator

SURE = as_predictions(logits=[[3.0, 0.0]] * 1200, labels=[0, 0, 0, 1] * 300)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (SURE, "<Predictions: 1,200 inputs, 2 classes, 1 member>"),
        (as_predictions(logits=[[[3.0, 0.0]] * 2] * 5, labels=[0, 1]), "2 classes, 5 members>"),
        (as_answers(confidence=[0.5], correct=[True]), "<Predictions: 1 answer, 1 member>"),
        (arcal.audit(SURE, name="mine").models[0], "<Audited mine: 1,200 inputs, 2 classes>"),
        (arcal.audit(SURE).models[0].acting, "<Acting on 0 % to be right on 90 %, "),
        (choose_calibrator(SURE, calibrators=["temperature"]), "temperature picked of 1; 1,200"),
    ],
)
def test_it_is_one_line(value, shown):
    assert shown in repr(value)
    assert len(repr(value)) < 160
    assert "\n" not in repr(value)
