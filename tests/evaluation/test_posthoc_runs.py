"""Runs calibrated after training, held against calibrators fitted by hand on the kept logits."""

import pytest
import torch

from arcal.calibration.posthoc import fit_temperature
from arcal.data import load
from arcal.errors import ArcalError
from arcal.evaluation import (
    EvaluationSet,
    Predictions,
    calibrated,
    collect,
    figures,
    fit_posthoc,
    predict,
    rows,
    shared_levels,
    stability,
)
from arcal.evaluation.collect import R
from arcal.store import load_tensors
from arcal.training._train import train
from arcal.training.recipes import RECIPES
from arcal.training.run import Run
from tiny_files import write_tiny

NOISE = EvaluationSet(corruption="gaussian_noise", intensity=5)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """Two seeds of vanilla and a lockstep pair, with temperature scaling, on a tiny data set."""
    source = str(write_tiny(tmp_path_factory.mktemp("data")))
    data = load(source, validation=40)
    root = tmp_path_factory.mktemp("runs")
    folders = [
        train(Run(source, recipe=RECIPES["demo"].shortened(8), seeds=s, validation=40), root)
        for s in [(0,), (1,), (0, 1)]
    ]
    steps = []
    groups = collect(
        folders,
        data,
        [NOISE],
        "margin",
        ood=[data.validation],
        posthoc=["temperature", "temperature"],
        progress=lambda done, total: steps.append((done, total)),
    )
    return folders, data, groups, steps


def by_hand(folder, name):
    """Log-probabilities over the temperature of the kept validation logits, float64 `(N, Z)`."""
    validation, _ = load_tensors(folder.predictions("validation"))
    p = validation["logits"].double().softmax(2).mean(0)
    T = fit_temperature(p.log(), validation["labels"]).T
    kept, _ = load_tensors(folder.predictions(name))
    return (kept["logits"].double().softmax(2).mean(0).log() / T).log_softmax(1)


def test_every_method_has_its_twins_behind_it(evaluated):
    folders, _, groups, steps = evaluated
    assert [group.label for group in groups] == [
        "vanilla",
        "vanilla + temperature",
        "vanilla (2 members)",
        "vanilla (2 members) + temperature",
    ]
    base, twin, *_ = groups
    assert twin.folders == base.folders == folders[:2]
    assert twin.seeds == base.seeds
    assert twin.robustness is base.robustness
    assert list(twin.figures) == list(base.figures) == ["test", NOISE.name]
    assert steps[-1] == (15, 15), "scores, validation and three sets of three runs"
    named = {(row["method"], row["run"]) for row in rows(groups)}
    assert ("vanilla + temperature", folders[1].path.name) in named


def test_each_run_is_calibrated_by_its_own_validation_predictions(evaluated):
    folders, data, (_, twin, *_), _ = evaluated
    for name in ("test", NOISE.name):
        for folder, found in zip(folders[:2], twin.figures[name], strict=True):
            expected = Predictions(data.test.ids, data.test.labels, by_hand(folder, name)[None])
            assert {m: found[m] for m in figures(expected)} == pytest.approx(figures(expected))
    assert "ece_low" in twin.figures["test"][0]


def test_temperature_leaves_accuracy_alone(evaluated):
    *_, groups, _ = evaluated
    for base, twin in (groups[:2], groups[2:]):
        for name in base.figures:
            plain = [found["accuracy"] for found in base.figures[name]]
            assert [found["accuracy"] for found in twin.figures[name]] == plain
            assert twin.figures[name][0]["nll"] != base.figures[name][0]["nll"]


def test_what_is_averaged_and_compared_are_calibrated_runs(evaluated):
    folders, data, (base, twin, *_), _ = evaluated
    p = torch.stack([by_hand(folder, NOISE.name).exp() for folder in folders[:2]])
    mean = Predictions(data.test.ids, data.test.labels, p.mean(0).log()[None])
    assert twin.ensemble[NOISE.name] == pytest.approx(figures(mean))
    assert twin.ensemble[NOISE.name] != base.ensemble[NOISE.name]
    each = [Predictions(data.test.ids, data.test.labels, q.log()[None]) for q in p]
    whole, by_level = stability(each, shared_levels(base, R), R)
    assert twin.stability[NOISE.name] == pytest.approx(whole)
    assert twin.stability_by_level[NOISE.name]["variance_all_classes"] == pytest.approx(
        by_level["variance_all_classes"]
    )
    assert whole["churn"] == base.stability[NOISE.name]["churn"]


def test_out_of_distribution_is_of_calibrated_predictions(evaluated):
    _, _, (base, twin, *_), _ = evaluated
    (plain,), (other,) = base.ood, twin.ood
    assert other.images == plain.images == 40
    assert not torch.equal(other.outside, plain.outside)
    assert other.inside.sum(1).tolist() == pytest.approx([1, 1])


def test_of_a_run_of_two_members_the_average_is_calibrated(evaluated):
    folders, data, groups, _ = evaluated
    (found,) = groups[3].predictions
    assert found.logits.shape == (1, 60, 3)
    torch.testing.assert_close(found.log_probabilities, by_hand(folders[2], "test"))
    validation = predict(folders[2], data.validation, "validation")
    by_function = calibrated(
        fit_posthoc("temperature", folders[2], validation), predict(folders[2], data.test, "test")
    )
    assert torch.equal(by_function.logits, found.logits)


def test_networks_do_not_run_again(evaluated, monkeypatch):
    folders, data, groups, _ = evaluated

    def refuse(*_):
        raise AssertionError("a network ran")

    monkeypatch.setattr("arcal.evaluation.predictions.predictions_of", refuse)
    more = collect(folders[:1], data, [NOISE], "margin", posthoc=["ets", "irm", "irova-ts"])
    assert [runs.label.removeprefix("vanilla") for runs in more] == [
        "", " + ets", " + irm", " + irova-ts"
    ]  # fmt: skip
    assert more[0].figures["test"] == groups[0].figures["test"][:1]
    assert len({runs.figures[NOISE.name][0]["brier"] for runs in more}) == 4


def test_bad_input_is_one_line(evaluated):
    folders, data, *_ = evaluated
    with pytest.raises(ArcalError, match="post-hoc method 'magic' is unknown"):
        collect(folders, data, [], "margin", posthoc=["magic"])
    found = predict(folders[0], data.validation, "validation")
    perfect = Predictions(found.ids, found.log_probabilities.argmax(1), found.logits)
    with pytest.raises(ArcalError, match=r"temperature of vanilla-s0-\w+: all 40 .* correctly"):
        fit_posthoc("temperature", folders[0], perfect)
