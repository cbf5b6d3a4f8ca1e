"""Answers of which only a confidence is known, and whether each was right."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss

import arcal
from arcal.auditing import (
    Audited,
    as_answers,
    as_predictions,
    calibrated,
    choose_calibrator,
    difference,
    ensemble,
    suspects,
    without_zeros,
)
from arcal.calibration.posthoc import POSTHOC
from arcal.errors import ArcalError

pytestmark = pytest.mark.processor

FIGURES = ("accuracy", "confidence", "gap", "ece", "smooth_ece", "aurc")


def drawn(N, seed=0, of=lambda c: 0.2 + 0.5 * c):
    """Confidences all over [0, 1], and answers that are right as often as `of` says."""
    generator = torch.Generator().manual_seed(seed)
    c = torch.rand(N, generator=generator, dtype=torch.float64)
    return c, torch.rand(N, generator=generator, dtype=torch.float64) < of(c)


def test_figures_are_those_of_the_confidence_and_of_what_was_right():
    c, right = drawn(500)
    over = Audited("mine", as_answers(confidence=c, correct=right), ("right", "wrong")).overall
    assert over.accuracy.value == pytest.approx(right.double().mean().item())
    assert over.confidence.value == pytest.approx(c.mean().item())
    assert over.nll.value == pytest.approx(log_loss(right.numpy(), c.numpy()))
    assert over.brier.value == pytest.approx(2 * brier_score_loss(right.numpy(), c.numpy()))
    assert over.ece.value == pytest.approx(arcal.ece(c, right))


def test_a_classifier_s_predicted_class_alone_has_the_figures_of_all_its_probabilities():
    z = 2 * torch.randn(400, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    labels = z.softmax(1).multinomial(1, generator=torch.Generator().manual_seed(2))[:, 0]
    whole = as_predictions(logits=z, labels=labels)
    answers = as_answers(confidence=whole.confidence, correct=whole.correct)
    one = Audited("whole", whole, tuple("abcde")).overall
    other = Audited("answers", answers, ("right", "wrong")).overall
    for name in FIGURES:
        mine, theirs = getattr(one, name), getattr(other, name)
        assert (mine.value, mine.low, mine.high) == pytest.approx(
            (theirs.value, theirs.low, theirs.high)
        ), name


@given(st.lists(st.tuples(st.floats(0.01, 0.99), st.booleans()), min_size=1, max_size=30))
@settings(max_examples=50, deadline=None)
def test_the_prediction_is_the_answer_however_low_its_confidence(pairs):
    c, right = zip(*pairs, strict=True)
    answers = as_answers(confidence=list(c), correct=list(right))
    assert answers.predicted.tolist() == [0] * len(c)
    assert answers.confidence.tolist() == pytest.approx(list(c))
    assert answers.correct.tolist() == list(right)
    order = suspects(answers).tolist()
    assert sorted(order) == [i for i, one in enumerate(right) if not one]
    assert all(c[i] >= c[j] - 1e-12 for i, j in pairwise(order))


def test_rows_an_ensemble_and_a_calibration_of_answers_are_of_answers():
    answers = as_answers(confidence=[0.2, 0.7], correct=[True, False])
    mild = POSTHOC["temperature"](torch.tensor([[0.7, 0.3]] * 4).log(), [0, 0, 0, 1])
    for one in (
        answers.rows(torch.tensor([1, 0])),
        ensemble([answers, answers]),
        calibrated(mild, answers),
        without_zeros(as_answers(confidence=[1.0, 0.5], correct=[1, 0]))[0],
    ):
        assert one.answers
        assert one.predicted.tolist() == [0, 0]


def test_what_a_classifier_s_audit_has_of_classes_is_not_there():
    one = arcal.audit(as_answers(confidence=[0.2, 0.7] * 60, correct=[True, False] * 60))
    (model,) = one.models
    assert model.by_class == model.cells == ()
    assert model.positive is None
    assert not [name for name in one.figures()["model"] if name.startswith(("class.", "positive"))]
    assert one.as_json()["data"]["kind"] == "answers"


@pytest.mark.parametrize("slope", [0.5, 1.5])
def test_the_vector_is_beta_calibration_as_a_logistic_regression_fits_it(slope):
    generator = torch.Generator().manual_seed(3)
    c = torch.rand(20_000, generator=generator, dtype=torch.float64) * 0.98 + 0.01
    log_odds = slope * c.log() - 0.8 * (1 - c).log() - 0.7
    right = torch.rand(len(c), generator=generator, dtype=torch.float64) < log_odds.sigmoid()
    answers = as_answers(confidence=c, correct=right)
    fitted = POSTHOC["vector"](answers.log_probabilities, answers.labels)
    x = torch.stack([c.log(), (1 - c).log()], dim=1).numpy()
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(x, right.numpy())
    mine = fitted(answers.log_probabilities).exp()[:, 0]
    assert mine.numpy() == pytest.approx(theirs.predict_proba(x)[:, 1], abs=2e-3)


def test_a_calibrator_that_a_classifier_would_not_be_given_is_picked():
    c, right = drawn(2000, of=lambda c: 0.1 + 0.3 * c)
    choice = choose_calibrator(as_answers(confidence=c, correct=right), resamples=200)
    assert choice.picked == "vector"
    assert choice.changed == 0
    assert {one.keeps_accuracy for one in choice.candidates.values()} == {True}
    assert choice.candidates["vector"].accuracy == choice.before.accuracy
    assert choice.candidates["vector"].ece.value < 0.04 < choice.before.ece.value


def test_calibrators_of_the_more_probable_class_are_left_out():
    c, right = drawn(100)
    choice = choose_calibrator(
        as_answers(confidence=c, correct=right), calibrators=["spline", "irm"], resamples=100
    )
    assert choice.picked is None
    assert {*choice.refused} == {"spline", "irm"}


def test_right_answers_alone_say_nothing():
    choice = choose_calibrator(as_answers(confidence=[0.9] * 40, correct=[True] * 40))
    assert choice.why.startswith("all 40 answers are right")
    assert choice.calibrator is None


def test_two_systems_are_right_on_questions_of_their_own():
    c, right = drawn(300)
    other_c, other_right = drawn(300, seed=1)
    one, other = (
        as_answers(confidence=sure, correct=told)
        for sure, told in ((c, right), (other_c, other_right))
    )
    apart = difference(one, other, resamples=100)
    assert apart.accuracy.value == pytest.approx((right.double() - other_right.double()).mean())
    assert apart.positive_flips == pytest.approx((right & ~other_right).double().mean())
    assert apart.churn == pytest.approx((right != other_right).double().mean())
    whole = as_predictions(probabilities=[[0.7, 0.3]] * 300, labels=[0] * 300)
    with pytest.raises(ArcalError, match="same ids and labels"):
        difference(one, whole)


@pytest.mark.parametrize(
    ("confidence", "correct", "line"),
    [
        ([90.0], [True], "divide per cent by 100"),
        ([0.5, float("nan")], [True, True], "found nan"),
        ([0.5], [0.5], "correct must be 1 booleans"),
        ([0.5], [2], "correct must be 1 booleans"),
        ([0.5], [True, False], "correct must be 1 booleans"),
        ([[0.5, 0.5]], [True], "give one number per answer"),
        ([], [], "no answers"),
        (["0,93"], [True], "not text: pass numbers from 0 to 1, with decimal points as in 0.93$"),
        ([0.5], ["yes"], "correct must be True or False, not text: pass predictions == labels"),
    ],
)
def test_what_is_no_confidence_or_no_truth_is_refused(confidence, correct, line):
    with pytest.raises(ArcalError, match=line):
        as_answers(confidence=confidence, correct=correct)


def test_names_of_classes_are_refused():
    answers = as_answers(confidence=[0.2, 0.7] * 60, correct=[True, False] * 60)
    with pytest.raises(ArcalError, match="have no classes"):
        arcal.audit(answers, classes=["cat", "dog"])


def test_how_many_unlabelled_answers_are_right_is_estimated_by_their_confidence():
    c, right = drawn(1000, of=lambda c: 0.1 + 0.8 * c)
    today = 0.8 * drawn(500, of=lambda c: c)[0]
    unlabelled = as_answers(confidence=today, correct=torch.zeros(500))
    given = arcal.calibrate(as_answers(confidence=c, correct=right), unlabelled=unlabelled)
    threshold = np.sort(c.numpy())[::-1][int(right.sum()) - 1]
    assert given.today is not None
    assert given.today.accuracy == pytest.approx((today.numpy() >= threshold).mean(), abs=1e-12)
    after = given.calibrator(unlabelled.log_probabilities)[:, 0].exp().mean().item()
    assert given.today.confidence == pytest.approx(after)
    assert given.stream is None
    assert "unlabelled answers: about" in given.summary(None)
    assert given.as_json()["unlabelled"]["n"] == 500
    assert "unlabelled.accuracy.low" in given.figures()
    assert "unlabelled.T" not in given.figures()


def test_sets_of_unlabelled_answers_are_estimated_one_by_one_and_weights_count():
    c, right = drawn(600, of=lambda c: c)
    labelled, times = as_answers(confidence=c, correct=right), torch.arange(600) % 3
    rows = torch.arange(600).repeat_interleave(times)
    sets = {
        day: as_answers(confidence=c[some], correct=torch.zeros(len(c[some])))
        for day, some in {"monday": c > 0.3, "tuesday": c < 0.1}.items()
    }
    weighted = arcal.calibrate(labelled, unlabelled=sets, weights=times.double())
    repeated = arcal.calibrate(as_answers(confidence=c[rows], correct=right[rows]), unlabelled=sets)
    assert [*weighted.each] == ["monday", "tuesday"]
    for day, one in weighted.each.items():
        assert one.accuracy == pytest.approx(repeated.each[day].accuracy, abs=0.005)
    assert weighted.each["monday"].doubt is None
    assert "nothing like the labelled ones" in str(weighted.each["tuesday"].doubt)


def test_answers_and_predictions_are_not_mixed():
    answers = as_answers(confidence=[0.2, 0.7] * 60, correct=[True, False] * 60)
    two = as_predictions(probabilities=[0.2, 0.7] * 60, labels=[1, 0] * 60)
    with pytest.raises(ArcalError, match="unlabelled inputs have the probabilities of all classes"):
        arcal.calibrate(answers, unlabelled=two)
    with pytest.raises(ArcalError, match="unlabelled inputs may have a confidence alone"):
        arcal.calibrate(two, unlabelled={"may": answers})
