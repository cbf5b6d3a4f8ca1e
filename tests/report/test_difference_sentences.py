"""Which of two models is better, in a sentence."""

import pytest

from arcal.auditing import Difference, Estimate, as_predictions, difference
from arcal.report.audited._words import differs


@pytest.mark.parametrize(
    ("accuracy", "log_loss", "verdict"),
    [
        (0, 0, "neither better nor worse beyond chance"),
        (1, -1, "better"),
        (0, -1, "better"),
        (1, 0, "better"),
        (-1, 1, "worse"),
        (0, 1, "worse"),
        (-1, 0, "worse"),
        (1, 1, "right more often, but with worse probabilities"),
        (-1, -1, "right less often, but with better probabilities"),
    ],
)
def test_a_verdict_goes_by_accuracy_and_log_loss(accuracy, log_loss, verdict):
    than = Difference(
        "old",
        accuracy=Estimate(0.1 * accuracy, 0.1 * accuracy - 0.05, 0.1 * accuracy + 0.05, 100),
        gap=Estimate(0, -1, 1, 100),
        nll=Estimate(0.1 * log_loss, 0.1 * log_loss - 0.05, 0.1 * log_loss + 0.05, 100),
        brier=Estimate(0, -1, 1, 100),
        aurc=Estimate(0, -1, 1, 100),
        churn=0.2,
        negative_flips=0.1,
        positive_flips=0.1,
    )
    assert f"against old, on the same inputs, it is {verdict}: accuracy " in differs(than)


def test_a_model_that_calls_a_label_impossible_is_not_better():
    """Right on 10 points more, and sure that one label cannot be."""
    labels = [0] * 800 + [1] * 200
    old = as_predictions(probabilities=[[0.2, 0.8]] * 100 + [[0.8, 0.2]] * 900, labels=labels)
    new = as_predictions(probabilities=[[1.0, 0.0]] + [[0.8, 0.2]] * 999, labels=[1, *labels[1:]])
    old = as_predictions(logits=old.logits[0], labels=[1, *labels[1:]])
    than = difference(new, old, than="old")
    assert than.accuracy.sign > 0
    assert "it is right more often, but with worse probabilities" in differs(than)
    back = differs(difference(old, new, than="new"))
    assert "it is right less often, but with better probabilities" in back
