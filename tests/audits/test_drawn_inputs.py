"""`one_per=` and `limit=` of `arcal.audit` and `arcal.calibrate`: what the command line draws."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.naive_bayes import GaussianNB
from torch.utils.data import DataLoader, TensorDataset

import arcal
from arcal.auditing import Predictions, as_predictions, one_per
from arcal.audits import Examples
from arcal.errors import ArcalError
from command_line import arcal as command

N = 600
draws = np.random.default_rng(0)
PATIENT = draws.integers(0, 250, N)
X = torch.from_numpy(draws.random((N, 3))).float()
P = draws.uniform(0.05, 0.95, N).round(4)
Y = (draws.random(N) < P).astype(int)
WEIGHTS = draws.uniform(0, 2, N).round(3) * (draws.random(N) < 0.8)
ROWS = one_per(PATIENT)
MODEL = torch.nn.Linear(3, 2).eval()


def said(rows: torch.Tensor | None = None) -> Predictions:
    whole = as_predictions(probabilities=np.stack([1 - P, P], 1), labels=Y)
    return whole if rows is None else whole.rows(rows)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_predictions_are_those_that_are_drawn_by_hand(weights):
    rows = one_per(PATIENT, weights=weights)
    sex = np.array(["f", "m", "m"])[np.arange(N) % 3]
    some: dict[str, Any] = {"by": {"sex": sex}, "clusters": np.arange(N) // 5, "weights": weights}
    taken: dict[str, Any] = {"by": {"sex": sex[rows]}, "clusters": np.arange(N)[rows] // 5}
    taken["weights"] = None if weights is None else weights[rows]
    drawn = arcal.audit(said(), one_per={"patient": PATIENT}, **some)
    by_hand = arcal.audit(said(rows), **taken)
    assert drawn.figures() == by_hand.figures()
    assert drawn.inputs().equals(by_hand.inputs())
    assert drawn.models[0].facts == {"Drawn": f"one input of each patient: {len(rows)} of 600"}
    assert (drawn.one_per, by_hand.one_per) == ("patient", None)


def test_the_command_draws_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [f"{of},{p},{y}\n" for of, p, y in zip(PATIENT, P, Y, strict=True)]
    Path("mine.csv").write_text("".join(["patient,probability,label\n", *lines]))
    done = command("audit", "mine.csv", "--one-per", "patient", "--json")
    assert done.code == 0, done.stderr
    there = json.loads(done.stdout)
    audit = arcal.audit(said(), one_per={"patient": PATIENT}, against="audit")
    here = json.loads(json.dumps(audit.as_json()))
    assert there["data"]["one_per"] == here["data"]["one_per"] == "patient"
    changes = {name for name in audit.figures()["model"] if name.startswith("changes.")}
    own = audit.figures()["model"]
    assert there["models"][0]["figures"] == {n: own[n] for n in own if n not in changes}
    assert changes
    with pytest.raises(ArcalError, match="is of one input of each patient and this of all"):
        arcal.audit(said(), against="audit")
    usual = ("--calibrators", "temperature", "--json")
    done = command("calibrate", "mine.csv", "--one-per", "patient", *usual)
    patient = {"patient": PATIENT}
    calibration = arcal.calibrate(said(), one_per=patient, calibrators=["temperature"])
    assert json.loads(done.stdout) == json.loads(json.dumps(calibration.as_json()))
    assert calibration.notes == ["one input is drawn at random of each patient"]
    assert calibration.facts == {"Drawn": calibration.notes[0]}


@pytest.mark.parametrize("limit", [None, 100, 10_000])
def test_inputs_of_a_model_are_drawn_by_patient_and_then_by_number(limit):
    whole = Examples.from_tensors(X, Y).rows(ROWS, "")
    expected = whole if limit in (None, 10_000) else whole.first(100)
    audit = arcal.audit(MODEL, (X, Y), order=None, one_per=PATIENT, limit=limit)
    assert audit.models[0].predictions.ids.tolist() == expected.ids.tolist()
    assert audit.models[0].facts["Drawn"] == f"one input of each cluster: {len(ROWS)} of 600"
    drawn = arcal.calibrate(MODEL, (X, Y), one_per=PATIENT, limit=limit, calibrators=["vector"])
    taken = X[expected.ids], Y[expected.ids]
    by_hand = arcal.calibrate(MODEL, taken, calibrators=["vector"])
    assert drawn.choice.inputs == len(expected)
    assert drawn.choice.before.accuracy == by_hand.choice.before.accuracy


def test_inputs_of_an_estimator_are_drawn_by_patient():
    model = GaussianNB().fit(X[:100], Y[:100])
    taken, options = (X[ROWS], Y[ROWS]), dict[str, Any](calibrators=["temperature"])
    drawn = arcal.audit(model, (X, Y), one_per=PATIENT).figures()
    assert drawn == arcal.audit(model, taken).figures()
    drawn = arcal.calibrate(model, (X, Y), one_per=PATIENT, **options).choice
    by_hand = arcal.calibrate(model, taken, **options).choice
    assert drawn.inputs == len(ROWS)
    assert drawn.before.accuracy == by_hand.before.accuracy


def test_other_data_of_which_none_is_drawn_are_named():
    said = "all its inputs count, since one of each patient is drawn of the labelled data alone"
    patient = {"patient": PATIENT}
    audit = arcal.audit(MODEL, (X, Y), other={"grey": X[:60]}, one_per=patient, order=None)
    assert any(f"grey: {said}" in line for line in audit.doubts)
    one: dict[str, Any] = {"calibrators": ["temperature"]}
    calibration = arcal.calibrate(MODEL, (X, Y), unlabelled=X[:60], one_per=patient, **one)
    assert any(f"unlabelled: {said}" in line for line in calibration.doubts)
    assert not any(said in line for line in arcal.calibrate(MODEL, (X, Y), limit=90, **one).doubts)


@pytest.mark.parametrize("of", [arcal.audit, arcal.calibrate])
@pytest.mark.parametrize(
    ("data", "options", "line"),
    [
        ((X, Y), {"limit": 0}, "limit 0: a whole number, at least 1, is needed"),
        ((X, Y), {"limit": 0.5}, "limit 0.5: a whole number"),
        ((X, Y), {"one_per": {"a": Y, "b": Y}}, "one_per has 2 entries: give the values of one"),
        ((X, Y), {"one_per": [1, 2]}, "cluster has 2 values for 600 inputs"),
        (TensorDataset(X, torch.from_numpy(Y)), {"limit": 9}, "limit draws inputs by their posit"),
        (DataLoader(TensorDataset(X)), {"one_per": Y}, "one_per draws inputs by their position"),
        (None, {"limit": 9}, "limit is for a model of torch, and these are probabilities alone"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(of, data, options, line):
    with pytest.raises(ArcalError, match=f"^{line}"):
        of(said() if data is None else MODEL, data, **options)
