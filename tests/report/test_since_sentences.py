"""Whether a model does better than in an earlier audit, in a sentence."""

import pytest

from arcal.auditing import Audited, as_predictions, changes, standing
from arcal.report.audited._changes import does


def audited(right, confidence, n=1000, classes="abc"):
    """A model that is right on so many of n inputs and always this confident."""
    rest = (1 - confidence) / (len(classes) - 1)
    rows = [[confidence, *[rest] * (len(classes) - 1)]] * n
    said = as_predictions(probabilities=rows, labels=[0] * right + [1] * (n - right))
    return Audited("mine", said, tuple(classes))


def said(before, now):
    since = changes(standing(now), standing(before), "October")
    return does(since, now).removeprefix("since October (1,000 inputs) it ")


@pytest.mark.parametrize(
    ("right", "confidence", "verdict"),
    [
        (800, 0.8, "does neither better nor worse beyond chance"),
        (700, 0.7, "does worse, and its confidence has fallen with its accuracy"),
        (900, 0.9, "does better, and its confidence has risen with its accuracy"),
        (
            700,
            0.8,
            "does worse, and is more confident for its accuracy than before: calibrate it again",
        ),
        (
            900,
            0.8,
            "does better, and is less confident for its accuracy than before: calibrate it again",
        ),
        (
            900,
            0.99999,
            "is right more often, but with worse probabilities, and is more confident for its "
            "accuracy than before: calibrate it again",
        ),
    ],
)
def test_a_verdict_goes_by_accuracy_log_loss_and_gap(right, confidence, verdict):
    assert said(audited(800, 0.8), audited(right, confidence)) == verdict


def test_a_log_loss_that_has_become_infinite_makes_it_worse():
    assert said(audited(990, 0.99), audited(990, 1.0)).startswith("does worse")
    assert said(audited(990, 1.0), audited(990, 0.99)).startswith("does better")
    both = said(audited(990, 1.0), audited(990, 1.0))
    assert both == "does neither better nor worse beyond chance"
