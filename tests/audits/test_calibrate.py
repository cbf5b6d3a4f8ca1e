"""`arcal.calibrate` and what it returns."""

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import arcal
from arcal.auditing import as_predictions, choose_calibrator
from arcal.audits import Examples
from arcal.calibration.posthoc import fit_temperature
from arcal.store import load_calibrator, load_stream

TRIED = ["temperature", "ets"]


@pytest.fixture
def overconfident() -> tuple[torch.nn.Module, torch.Tensor, torch.Tensor]:
    """Logits four times those of the labels' true probabilities."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(600, 3, generator=generator)
    y = torch.multinomial(x.softmax(1), 1, generator=generator).squeeze(1)
    model = torch.nn.Linear(3, 3, bias=False).eval()
    model.weight.data = 4 * torch.eye(3)
    return model, x, y


def test_the_classifier_is_the_model_at_the_temperature_of_all_inputs(overconfident):
    model, x, y = overconfident
    calibration = arcal.calibrate(model, (x, y), calibrators=TRIED)
    T = fit_temperature((4 * x).double().log_softmax(1), y).T
    assert calibration.choice.picked == "temperature"
    expected = (4 * x).double().div(T).softmax(1)
    torch.testing.assert_close(calibration.classifier.probabilities(x), expected)
    assert abs(T - 4) < 0.8, "the truth"


def test_a_loader_a_pair_and_predictions_say_the_same(overconfident):
    model, x, y = overconfident
    loader = DataLoader(TensorDataset(x, y), batch_size=64)
    logits = model(x).detach()
    by_hand = choose_calibrator(as_predictions(logits=logits, labels=y), calibrators=TRIED)
    for calibration in (
        arcal.calibrate(model, (x, y), calibrators=TRIED),
        arcal.calibrate(model, loader, calibrators=TRIED),
        arcal.calibrate(lambda x: 4 * x, (x, y), calibrators=TRIED),
        arcal.calibrate(as_predictions(logits=logits, labels=y), calibrators=TRIED),
    ):
        for name, one in by_hand.candidates.items():
            assert calibration.choice.candidates[name].nll.value == pytest.approx(one.nll.value)
        assert calibration.choice.picked == by_hand.picked


def numbers(today: Any) -> list[float]:
    """What is estimated, in float32 of batches of other sizes."""
    return [today.accuracy, today.low, today.high, today.confidence, today.T]


def test_unlabelled_inputs_are_a_tensor_a_pair_or_predictions(overconfident):
    model, x, y = overconfident
    today, wrong = x[:300], torch.zeros(300, dtype=torch.int64)
    kinds = (
        today,
        today.numpy(),
        (today, wrong),
        as_predictions(logits=model(today).detach(), labels=wrong),
    )
    found = [
        arcal.calibrate(model, (x, y), calibrators=TRIED, unlabelled=some).today for some in kinds
    ]
    accuracy = today.softmax(1).amax(1).mean().item()
    for one in found:
        assert one is not None
        assert one.n == 300
        assert numbers(one) == pytest.approx(numbers(found[0]), rel=1e-5)
        assert one.low < accuracy < one.high, "of labels drawn by the true probabilities"
    calibration = arcal.calibrate(model, (x, y), calibrators=TRIED, unlabelled=today)
    assert "the 300 unlabelled inputs" in calibration.summary(None)
    several = {"may": (today, wrong), "june": kinds[-1], "all": (x, y)}
    calibration = arcal.calibrate(model, (x, y), calibrators=TRIED, unlabelled=several)
    assert calibration.today is None
    assert [*calibration.each] == [*several]
    for one in (calibration.each["may"], calibration.each["june"]):
        assert numbers(one) == pytest.approx(numbers(found[0]), rel=1e-5)
    assert calibration.each["all"].n == len(x)
    assert "june, 300 unlabelled inputs: " in calibration.summary(None)
    one = arcal.calibrate(model, (x, y), calibrators=TRIED, unlabelled=x[:1])
    assert "the 1 unlabelled input: " in one.summary(None)


def test_what_is_saved_is_what_was_found_and_nothing_is_left_of_before(overconfident, tmp_path):
    model, x, y = overconfident
    before = arcal.calibrate(model, (x, y), calibrators=TRIED, unlabelled=x, name="before")
    assert before.save(tmp_path) == tmp_path
    assert len([*tmp_path.iterdir()]) == 4
    calibration = arcal.calibrate(model, (x, y), calibrators=TRIED, name="after")
    calibration.save(tmp_path)
    assert not (tmp_path / "unlabelled.safetensors").exists()
    saved = json.loads((tmp_path / "calibration.json").read_text())
    assert saved["of"] == "after"
    assert saved["before"]["ece"]["value"] == calibration.choice.before.ece.value
    again = load_calibrator(tmp_path / "calibrator.safetensors")
    log_p = x.log_softmax(1).double()
    torch.testing.assert_close(again(log_p), calibration.calibrator(log_p), rtol=0, atol=0)
    stream = load_stream(tmp_path / "stream.safetensors")
    today = stream.estimate(model(x).detach().double().log_softmax(1))
    assert numbers(today) == pytest.approx(numbers(before.today), rel=1e-5)


def test_files_of_others_are_not_replaced(overconfident, tmp_path):
    model, x, y = overconfident
    (tmp_path / "calibration.json").write_text("{}")
    with pytest.raises(arcal.ArcalError, match="arcal did not write it"):
        arcal.calibrate(model, (x, y), calibrators=["temperature"]).save(tmp_path)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"calibrators": ["plat"]}, "plat"),
        ({"unlabelled": [1, 2, 3]}, "unlabelled: the inputs of a batch are an int"),
        ({"unlabelled": {"may": [1, 2, 3]}}, "may: the inputs of a batch are an int"),
        ({"unlabelled": torch.zeros(0, 3)}, "unlabelled is empty"),
        ({"classes": ["a", "b"]}, "2"),
        ({"device": "tpu9"}, "tpu9"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(overconfident, options, line):
    model, x, y = overconfident
    with pytest.raises(arcal.ArcalError, match=line):
        arcal.calibrate(model, (x, y), **options)


def test_a_model_in_training_mode_and_no_data_are_refused(overconfident):
    model, x, y = overconfident
    network = torch.nn.Sequential(torch.nn.Dropout(), model).train()
    with pytest.raises(arcal.ArcalError, match="training mode"):
        arcal.calibrate(network, (x, y))
    with pytest.raises(arcal.ArcalError, match="data is missing"):
        arcal.calibrate(model)


def test_predictions_have_no_classifier(overconfident):
    model, x, y = overconfident
    predictions = as_predictions(logits=model(x).detach(), labels=y)
    calibration = arcal.calibrate(predictions, calibrators=["temperature"])
    with pytest.raises(arcal.ArcalError, match="only its predictions"):
        _ = calibration.classifier
    with pytest.raises(arcal.ArcalError, match="leave out the data"):
        arcal.calibrate(predictions, (x, y))


def test_weights_go_with_their_inputs(overconfident):
    """Whatever the order of the ids, and wherever they come from."""
    model, x, y = overconfident
    weights = 1 + 2 * (model(x).argmax(1) != y).double()
    names = ["temperature", "irm"]
    one = arcal.calibrate(model, (x, y), weights=weights, calibrators=names)
    ids = torch.randperm(600, generator=torch.Generator().manual_seed(0))
    shuffled = replace(Examples.from_tensors(x, y).weighted(weights), ids=ids)
    again = arcal.calibrate(model, shuffled, calibrators=names)
    assert again.choice.picked == one.choice.picked
    torch.testing.assert_close(again.calibrator.state_dict(), one.calibrator.state_dict())
    said = as_predictions(logits=model(x).detach(), labels=y)
    other = arcal.calibrate(said, weights=weights, calibrators=names)
    assert other.choice.before.nll.value == pytest.approx(one.choice.before.nll.value, rel=1e-5)
    assert one.choice.before.accuracy.value < said.correct.double().mean().item() - 0.1
    acts = one.as_json()["acting"]["curve"][-1]
    assert acts["coverage"] == 1
    assert acts["accuracy"]["value"] == pytest.approx(one.choice.before.accuracy.value, abs=0.1)
    assert one.stream is not None
    assert one.stream.accuracy == pytest.approx(one.choice.before.accuracy.value)


def test_inputs_of_a_loader_are_weighted_in_its_order():
    x = 5 * torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
    y = x.argmax(1)
    y[::5] = 1 - y[::5]  # every fifth is wrong, and weighs less than most
    model = torch.nn.Identity()
    weights = 1 + torch.arange(300) % 5
    options = {"calibrators": ["temperature"], "weights": weights}
    pair: Any = arcal.calibrate(model.eval(), (x, y), **options).calibrator
    alike: Any = arcal.calibrate(model, (x, y), calibrators=["temperature"]).calibrator
    assert abs(pair.T - alike.T) > 0.01 * alike.T
    backwards = [(torch.arange(300).flip(0), x, y)]
    for data in (DataLoader(TensorDataset(x, y), 7), backwards):
        loaded: Any = arcal.calibrate(model, data, **options).calibrator
        assert abs(loaded.T - pair.T) < 1e-3 * pair.T
    with pytest.raises(arcal.ArcalError, match="weights goes by the order of the data, and"):
        arcal.calibrate(model, DataLoader(TensorDataset(x, y), 7, shuffle=True), **options)
