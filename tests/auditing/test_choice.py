"""Which calibrator is picked: out of fold, on the same draws, and never one that is not shown."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from arcal.auditing import (
    Choice,
    Predictions,
    acting,
    as_answers,
    as_predictions,
    choose_calibrator,
    overall,
    without_zeros,
)
from arcal.auditing._halves import folds_of
from arcal.calibration import act_above, nll
from arcal.calibration.posthoc import POSTHOC, fit_temperature
from arcal.errors import ArcalError
from arcal.report.terminal import sentences

pytestmark = pytest.mark.processor


def drawn(N: int = 1500, T: float = 2.0, Z: int = 4, seed: int = 0) -> Predictions:
    """Predictions that are calibrated at the temperature `T`."""
    generator = torch.Generator().manual_seed(seed)
    z = 4 * torch.randn(N, Z, generator=generator, dtype=torch.float64)
    labels = (z / T).softmax(1).multinomial(1, generator=generator)[:, 0]
    return as_predictions(logits=z, labels=labels)


@pytest.fixture(scope="module")
def choice():
    return choose_calibrator(drawn(), resamples=300)


def test_where_one_temperature_is_the_truth_it_is_picked(choice):
    assert choice.picked == "temperature"
    assert choice.calibrator is not None
    assert choice.calibrator.T.item() == pytest.approx(2, abs=0.2)
    assert set(choice.candidates) == set(POSTHOC)
    assert not choice.refused
    assert "simplest" in choice.why or "lowest" in choice.why


def test_figures_are_of_inputs_that_were_left_out(choice):
    predictions = drawn()
    fold = folds_of(predictions.ids, predictions.labels, 5)
    log_p = torch.empty(1500, 4, dtype=torch.float64)
    for number in range(5):  # what cross-validation is, without sharing anything
        rest, out = predictions.rows(fold != number), predictions.rows(fold == number)
        calibrator = POSTHOC["irm"](rest.log_probabilities, rest.labels)
        log_p[fold == number] = calibrator(out.log_probabilities)
    assert choice.candidates["irm"].nll.value == pytest.approx(nll(log_p, predictions.labels))
    inside = POSTHOC["irm"](predictions.log_probabilities, predictions.labels)
    own = nll(inside(predictions.log_probabilities), predictions.labels)
    assert own < choice.candidates["irm"].nll.value


def test_thresholds_are_of_confidences_out_of_fold(choice):
    predictions = drawn()
    fold = folds_of(predictions.ids, predictions.labels, 5)
    confidence = torch.empty(1500, dtype=torch.float64)
    for number in range(5):
        rest, out = predictions.rows(fold != number), predictions.rows(fold == number)
        calibrator = fit_temperature(rest.log_probabilities, rest.labels)
        confidence[fold == number] = calibrator(out.log_probabilities).exp().amax(1)
    assert choice.picked == "temperature"
    for target, threshold in choice.acting.thresholds.items():
        expected = act_above(confidence, predictions.correct, target)
        assert (threshold is None) == (expected is None)
        if threshold is not None and expected is not None:
            assert threshold.confidence == pytest.approx(expected.confidence)
            assert threshold.n == expected.n
    before, after = acting(predictions.scores).thresholds[0.9], choice.acting.thresholds[0.9]
    assert before is not None
    assert after is not None
    assert before.confidence > after.confidence + 0.05, "the old one would leave inputs out"


def test_changes_are_paired_and_accuracy_stays(choice):
    before = choice.before
    for one in choice.candidates.values():
        assert one.change.value == pytest.approx(one.nll.value - before.nll.value)
        assert one.nll.low <= one.nll.value <= one.nll.high
        if one.keeps_accuracy:
            assert one.accuracy == before.accuracy
    temperature = choice.candidates["temperature"]
    assert temperature.change.high < 0
    assert temperature.change.width < temperature.nll.width + before.nll.width
    assert temperature.ece.value < before.ece.value / 2


def test_what_is_calibrated_stays_as_it_is():
    choice = choose_calibrator(drawn(T=1.0), calibrators=["temperature", "ets"], resamples=300)
    assert choice.picked is None
    assert choice.calibrator is None
    assert "no calibrator is shown to lower the log-loss" in choice.why
    as_it_is = acting(drawn(T=1.0).scores)
    assert choice.acting.thresholds == as_it_is.thresholds  # of the same scores


def biased(names: list[str], by: float = 3.0, **options: Any) -> tuple[Predictions, Choice]:
    """Of two classes, the second of which is given too much, as by a loss that weighs it."""
    bias = torch.tensor([0.0, by])
    z = drawn(T=1.0, Z=2).logits[0] + bias
    generator = torch.Generator().manual_seed(1)
    labels = (z - bias).softmax(1).multinomial(1, generator=generator)[:, 0]
    predictions = as_predictions(logits=z, labels=labels)
    return predictions, choose_calibrator(predictions, calibrators=names, resamples=300, **options)


def test_what_can_change_predictions_is_not_picked_beside_what_cannot():
    predictions, choice = biased(["temperature", "vector"])
    assert choice.candidates["vector"].nll.value < choice.candidates["temperature"].nll.value - 0.1
    assert choice.picked == "temperature"
    assert choice.changed == 0
    assert choice.most_frequent == predictions.labels.bincount().max() / len(predictions.labels)
    assert "right on at least" in " ".join(sentences(choice))
    assert "right on at least" not in " ".join(sentences(replace(choice, most_frequent=1.0)))
    assert any("vector has a log-loss lower than temperature by" in x for x in sentences(choice))


def test_what_can_change_predictions_is_picked_where_only_such_are_named():
    predictions, choice = biased(["irova-ts", "vector"])
    assert choice.picked == "vector"
    assert choice.calibrator is not None
    after = choice.calibrator(predictions.log_probabilities).argmax(1)
    assert choice.changed == (after != predictions.predicted).double().mean()
    assert choice.changed > 0.05
    assert choice.candidates["vector"].accuracy.value > choice.before.accuracy.value + 0.05
    accuracies = [choice.before.accuracy.value, choice.candidates["vector"].accuracy.value]
    assert choice.why.endswith(
        f"it changes {100 * choice.changed:.1f} % of the predictions, and the accuracy from "
        + " to ".join(f"{100 * accuracy:.2f} %" for accuracy in accuracies)
    )
    assert "* can change predictions" in sentences(choice)


def test_what_can_change_predictions_is_not_advised_where_a_class_has_no_inputs():
    draw = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2000, 4, generator=draw, dtype=torch.float64)
    labels = torch.multinomial((logits / 2).softmax(1), 1, generator=draw)[:, 0]
    seen = labels != 2
    given = as_predictions(logits=logits[seen], labels=labels[seen])
    choice = choose_calibrator(given, calibrators=["temperature", "vector"], resamples=200)
    assert choice.unseen == (2,)
    assert choice.candidates["vector"].nll.value < choice.candidates["temperature"].nll.value
    said = " ".join(sentences(choice))
    assert "no labelled input is of class 2, counted from 0: calibrators that can change" in said
    assert "--calibrators vector" not in said
    logits[:, 2] = -torch.inf  # nor can any be
    given = as_predictions(logits=logits[seen], labels=labels[seen])
    choice = choose_calibrator(given, calibrators=["temperature", "vector"], resamples=200)
    assert choice.unseen == ()
    assert "no labelled input" not in " ".join(sentences(choice))


def test_no_misclassified_example_is_a_word_and_the_model_as_it_is():
    predictions = drawn(200)
    right = Predictions(predictions.ids, predictions.predicted, predictions.logits)
    choice = choose_calibrator(right, resamples=100)
    assert choice.picked is None, "not one that is sure of everything, as isotonic functions are"
    assert choice.why.startswith("all 200 inputs are classified correctly, so they do not show")
    assert choice.refused["temperature"].startswith("all 200 validation inputs are classified")
    never = Predictions(predictions.ids, predictions.log_probabilities.argmin(1), right.logits)
    choice = choose_calibrator(never, calibrators=["temperature", "vector"], resamples=100)
    assert choice.why.startswith("none of those that keep every prediction can be fitted (temp")


def test_intervals_are_those_of_an_audit():
    predictions = drawn(400, T=1.0)
    choice = choose_calibrator(predictions, calibrators=["temperature"], resamples=200)
    whole = overall(predictions, resamples=200)
    assert vars(choice.before.ece) == pytest.approx(vars(whole.ece))
    assert choice.before.ece.low == 0  # it is chance
    assert vars(choice.before.nll) == pytest.approx(vars(whole.nll))
    assert choice.before.accuracy.low == pytest.approx(whole.accuracy.low, abs=1e-3)


def test_figures_do_not_depend_on_the_order_of_rows():
    def chosen(predictions):
        names = ["temperature", "dirichlet"]
        return choose_calibrator(predictions, calibrators=names, resamples=50)

    predictions = drawn(200)
    turned = predictions.rows(torch.arange(199, -1, -1))
    assert chosen(turned).candidates == chosen(predictions).candidates


def test_bad_input_is_one_line():
    with pytest.raises(ArcalError, match="12 inputs are too few to choose"):
        choose_calibrator(drawn(12))
    with pytest.raises(ArcalError, match="1 input is too few to choose"):
        choose_calibrator(drawn(1))
    with pytest.raises(ArcalError, match="calibrator 'magic' is unknown"):
        choose_calibrator(drawn(50), calibrators=["magic"])


def test_probabilities_give_no_energy_and_zeros_are_rounding():
    p = drawn(300).log_probabilities.exp().numpy().round(2)
    predictions = as_predictions(probabilities=p, labels=drawn(300).labels)
    mended, line = without_zeros(predictions)
    zeros = int((p == 0).sum())
    assert line is not None
    assert line.startswith(f"{zeros:,} probabilities are 0")
    assert mended.log_probabilities.isfinite().all()
    assert np.isfinite(nll(mended.log_probabilities, mended.labels))
    choice = choose_calibrator(mended, calibrators=["temperature", "ebs"], resamples=100)
    assert "it needs logits" in choice.refused["ebs"]
    masked = torch.tensor([[0.6, 0.4, 0.0], [0.3, 0.7, 0.0]])
    whole = as_predictions(probabilities=masked, labels=[0, 1])
    assert without_zeros(whole) == (whole, None)


def test_as_many_zeros_in_every_row_may_be_classes_that_were_not_saved():
    p = drawn(300).log_probabilities.exp()
    largest = torch.where(p >= p.topk(2, dim=1).values[:, 1:], p, 0)
    alone = as_predictions(probabilities=largest / largest.sum(1, True), labels=drawn(300).labels)
    assert "just 2 that are not 0, these may be the largest alone" in (
        without_zeros(alone)[1] or ""
    )
    largest[7] = p[7]
    most = as_predictions(probabilities=largest / largest.sum(1, True), labels=drawn(300).labels)
    assert "largest" not in (without_zeros(most)[1] or "largest")
    two = p.clone()
    two[:, 0] = 0  # one class is never given
    never = as_predictions(probabilities=two / two.sum(1, True), labels=drawn(300).labels)
    assert "largest" not in (without_zeros(never)[1] or "")


def test_a_row_with_zeros_comes_out_the_same_among_any_others():
    p = drawn(300).log_probabilities.exp().numpy().round(2)
    fitted_to = as_predictions(probabilities=p, labels=[0] * 300)
    whole = without_zeros(fitted_to)[0].log_probabilities
    for row in np.flatnonzero((p == 0).any(axis=1))[:5]:
        alone = as_predictions(probabilities=p[row : row + 1], labels=[0])
        mended, _ = without_zeros(alone, like=fitted_to)
        torch.testing.assert_close(mended.log_probabilities[0], whole[row], rtol=1e-12, atol=1e-12)
    masked = as_predictions(probabilities=[[0.75, 0.25, 0.0]] * 2, labels=[0, 1])
    other = as_predictions(probabilities=[[1.0, 0.0, 0.0], [0.5, 0.0, 0.5]], labels=[0, 0])
    mended, _ = without_zeros(other, like=masked)
    assert mended.log_probabilities[0].exp().tolist() == pytest.approx(
        [1 / 1.005, 0.005 / 1.005, 0]
    )
    assert mended.log_probabilities[1, 2] > -1


def test_predictions_of_0_and_1_are_sure():
    q = np.eye(2)[[0, 1] * 50]
    mended, line = without_zeros(as_predictions(probabilities=q, labels=[0] * 100))
    assert line is not None
    assert line.startswith("every probability is 0 or 1, as if they were decisions: give finer")
    assert mended.confidence.mean().item() == pytest.approx(1, abs=0.0051)
    _, line = without_zeros(as_answers(confidence=[1.0, 0.0, 1.0], correct=[1, 0, 0]))
    assert line == (
        "every confidence is 0 or 1, as if they were decisions: give finer ones if you have them; "
        "a 0 is taken as 0.005"
    )


def test_logits_of_minus_infinity_are_classes_that_an_input_cannot_have():
    """They were taken for rounded probabilities, up to 0.005 of every row, and spoilt the fits."""
    sure, N = drawn(600, Z=3), 600
    z, labels = sure.logits[0].double(), sure.labels
    options = torch.arange(N) % 2 + 2  # of three, the last of which every other question lacks
    labels = labels.where(labels < options, 0)
    without = torch.arange(z.shape[1]) >= options[:, None]
    given = as_predictions(logits=z.masked_fill(without, -torch.inf), labels=labels)
    assert given.impossible
    assert given.rows(torch.arange(5)).impossible
    mended, line = without_zeros(given)
    count = f"{int(without.sum()):,}"
    assert (
        line == f"{count} logits are -inf: their classes are taken as impossible for these inputs"
    )
    assert mended.logits.isfinite().all()
    assert mended.log_probabilities.exp()[without].max() == 0
    choice = choose_calibrator(mended, calibrators=["temperature"], resamples=50)
    assert choice.calibrator is not None
    far = fit_temperature(z.masked_fill(without, -900.0).log_softmax(1), labels)
    assert float(choice.calibrator.T) == pytest.approx(float(far.T))  # pyright: ignore
    happened = as_predictions(logits=[[0.0, -torch.inf]] * 2, labels=[0, 1])
    assert not happened.impossible, "or it would have a log-loss of infinity"
    assert not as_predictions(probabilities=[[1.0, 0.0], [0.5, 0.5]], labels=[0, 1]).impossible


def test_weights_count_in_the_fits_and_in_the_figures():
    """An input that weighs 0 is not there; one sort that weighs more decides the temperature."""
    said, names = drawn(2000), ["temperature", "ets"]
    some = (torch.arange(2000) % 3 > 0).double()
    left = choose_calibrator(said.rows(some > 0), calibrators=names, resamples=300)
    choice = choose_calibrator(said, calibrators=names, weights=some * 7, resamples=300)
    assert choice.inputs == left.inputs == 1333
    assert choice.picked == left.picked
    assert choice.calibrator is not None
    assert left.calibrator is not None
    torch.testing.assert_close(choice.calibrator.state_dict(), left.calibrator.state_dict())
    for name in names:
        one, other = choice.candidates[name], left.candidates[name]
        for figure in ("nll", "brier", "ece", "accuracy", "change"):
            assert vars(getattr(one, figure)) == pytest.approx(vars(getattr(other, figure)))
    for target, threshold in choice.acting.thresholds.items():
        other = left.acting.thresholds[target]
        assert (threshold is None) == (other is None)
        if threshold is not None and other is not None:
            assert vars(threshold) == pytest.approx(vars(other))

    wrong = 1 + 9 * (~said.correct).double()
    weighted = choose_calibrator(said, calibrators=names, weights=wrong, resamples=300)
    share = (wrong * said.correct).sum().item() / wrong.sum().item()
    assert weighted.before.accuracy.value == pytest.approx(share)
    assert weighted.before.accuracy.n < 1500
    assert weighted.candidates["temperature"].ece.value < weighted.before.ece.value / 2
