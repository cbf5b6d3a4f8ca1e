"""Subjects calibrated after training, against temperatures fitted and applied by hand."""

import math

import pytest
import torch

from arcal.auditing import (
    Method,
    Predictions,
    Provenance,
    Subject,
    as_answers,
    as_predictions,
    calibrated,
    calibrated_subject,
    ensemble,
    fit_posthoc,
    measure,
    shift_sets,
    without_zeros,
)
from arcal.auditing._subject import R, shared_levels
from arcal.calibration.posthoc import POSTHOC, fit_temperature
from arcal.errors import ArcalError
from arcal.robustness import Robustness

FOG, SNOW = shift_sets(["fog-1", "snow-1"])
N, Z = 60, 3


def drawn(seed, members=1):
    labels = torch.randint(Z, (N,), generator=torch.Generator().manual_seed(0))
    draw = torch.Generator().manual_seed(seed + 1)
    logits = 3 * torch.randn(members, N, Z, generator=draw) + 2 * torch.eye(Z)[labels]
    return Predictions(torch.arange(N), labels, logits)


def by_hand(validation, predictions):
    """Log-probabilities over the temperature of the validation logits, float64 `(N, Z)`."""
    p = validation.logits.double().softmax(dim=2).mean(dim=0)
    T = fit_temperature(p.log(), validation.labels).T
    p = predictions.logits.double().softmax(dim=2).mean(dim=0)
    return (p.log() / T).log_softmax(dim=1)


@pytest.mark.parametrize("members", [1, 2])
def test_the_average_of_the_members_is_calibrated(members):
    validation, test = drawn(0, members), drawn(1, members)
    result = calibrated(fit_posthoc("temperature", validation, "a run"), test)
    assert result.logits.shape == (1, N, Z)
    torch.testing.assert_close(result.log_probabilities, by_hand(validation, test))
    assert torch.equal(result.ids, test.ids)
    assert torch.equal(result.labels, test.labels)


@pytest.mark.parametrize("name", POSTHOC)
def test_every_post_hoc_method_gives_probabilities_that_fit_the_validation_set_better(name):
    validation = drawn(0)
    result = calibrated(fit_posthoc(name, validation, "a run"), validation)
    p = result.log_probabilities.exp()
    torch.testing.assert_close(p.sum(dim=1), torch.ones(N, dtype=torch.float64))
    before, after = (
        (one.log_probabilities.exp() - torch.eye(Z)[one.labels]).square().sum()
        for one in (validation, result)
    )
    assert after < before


def test_what_cannot_be_fitted_names_the_run():
    validation = drawn(0)
    p = validation.log_probabilities
    perfect = Predictions(validation.ids, p.argmax(dim=1), validation.logits)
    with pytest.raises(ArcalError, match=r"^temperature of vanilla-s0-ab: all 60 .* correctly"):
        fit_posthoc("temperature", perfect, "vanilla-s0-ab")


@pytest.fixture(scope="module")
def twins():
    """A subject of two runs on two sets, the validation predictions, and its calibrated twin."""
    ids = torch.arange(N)
    subject = Subject.from_predictions(
        "vanilla",
        {SNOW: [drawn(0), drawn(1)], FOG: [drawn(2), drawn(3)]},
        seeds=[(4,), (7,)],
        robustness=[
            Robustness("margin", ids, torch.rand(N), None, ids, ids, ids) for _ in range(2)
        ],
        method=Method("vanilla"),
        provenance=[Provenance("vanilla-s4"), Provenance("vanilla-s7")],
    )
    validation = [drawn(4), drawn(5)]
    calibrators = [fit_posthoc("temperature", one, "a run") for one in validation]
    return subject, validation, calibrated_subject(subject, "temperature", calibrators)


def test_a_calibrated_subject_is_the_same_runs(twins):
    subject, _, twin = twins
    assert twin.name == "vanilla + temperature" == twin.method.label
    assert twin.seeds == subject.seeds
    assert twin.provenance == subject.provenance
    assert twin.robustness is subject.robustness
    assert list(twin.measures) == list(twin.predictions) == [SNOW, FOG]


def test_each_run_is_calibrated_by_its_own_validation_predictions(twins):
    subject, validation, twin = twins
    for where, runs in subject.predictions.items():
        expected = [
            Predictions(run.ids, run.labels, by_hand(*pair)[None])
            for run, pair in zip(runs, zip(validation, runs, strict=True), strict=True)
        ]
        measures = measure(expected, shared_levels(subject.robustness, R), R)
        for ours, theirs in zip(twin.measures[where].runs, measures.runs, strict=True):
            assert {name: ours[name] for name in theirs} == pytest.approx(theirs, abs=1e-9)
        assert twin.measures[where].ensemble == pytest.approx(measures.ensemble)
        assert twin.measures[where].stability == pytest.approx(measures.stability)
        assert twin.measures[where].stability_by_level["variance_all_classes"] == pytest.approx(
            measures.stability_by_level["variance_all_classes"]
        )


def test_a_temperature_leaves_every_prediction_alone(twins):
    subject, _, twin = twins
    for where, measures in subject.measures.items():
        theirs = twin.measures[where]
        assert [run["accuracy"] for run in theirs.runs] == [r["accuracy"] for r in measures.runs]
        assert theirs.stability["churn"] == measures.stability["churn"]
        assert theirs.runs[0]["nll"] != measures.runs[0]["nll"]


def test_a_classifier_without_a_method_stays_without(twins):
    subject, validation, _ = twins
    mine = Subject.from_predictions("mine", {FOG: subject.predictions[FOG]})
    calibrators = [fit_posthoc("ets", one, "a run") for one in validation]
    twin = calibrated_subject(mine, "ets", calibrators)
    assert (twin.name, twin.method) == ("mine + ets", None)
    assert list(twin.measures) == [FOG]


def test_impossible_classes_stay_so_in_an_ensemble_and_after_a_calibrator():
    """Options that a question does not have were taken for rounded zeros, and made small."""
    draw = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(2, 200, 4, generator=draw, dtype=torch.float64)
    logits[:, ::2, 3] = -math.inf
    labels = torch.randint(3, (200,), generator=draw)
    runs = [as_predictions(logits=one, labels=labels) for one in logits]
    both = ensemble(runs)
    mended, _ = without_zeros(both)
    after = calibrated(fit_posthoc("temperature", mended, "both"), both)
    for one in (both, after):
        assert one.impossible
        finite, said = without_zeros(one)
        assert said is not None
        assert "impossible" in said
        assert (finite.log_probabilities.exp()[::2, 3] == 0).all()
    answers = as_answers(confidence=[0.5] * 200, correct=labels > 0)
    two = as_predictions(logits=torch.zeros(200, 2), labels=answers.labels)
    with pytest.raises(ArcalError, match="some of these runs are answers and some are not"):
        ensemble([two, answers])
