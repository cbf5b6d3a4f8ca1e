"""One input drawn of each patient: intervals that hold where inputs of one are alike."""

import json
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
import torch

from arcal.auditing import one_per
from arcal.errors import ArcalError
from command_line import arcal

pc: Any = pyarrow.compute  # its functions are made on import, unknown to type checkers
PATIENTS = 200


@pytest.fixture(scope="module")
def scans() -> dict[str, np.ndarray]:
    """Predictions on 1 to 8 scans of each patient, in no order."""
    draws = np.random.default_rng(0)
    patient = np.repeat(np.arange(PATIENTS), draws.integers(1, 9, PATIENTS))
    patient = draws.permutation(patient)
    p = draws.uniform(0.5, 1, PATIENTS)[patient].round(6)
    y = (draws.uniform(size=len(p)) < p).astype(int)
    return {"patient": patient, "probability": p, "label": y}


def test_every_value_has_one_input_and_each_of_its_inputs_is_as_likely():
    drawn = Counter[int]()
    values = [*"aabacd"]
    for seed in range(2000):
        ids = torch.randint(2**40, (6,), generator=torch.Generator().manual_seed(seed))
        rows = one_per(values, ids).tolist()
        assert [values[row] for row in rows] == sorted("abcd", key=[values[r] for r in rows].index)
        assert len(rows) == 4
        assert rows == sorted(rows)
        drawn.update(rows)
    assert [drawn[row] for row in (2, 4, 5)] == [2000] * 3
    for row in (0, 1, 3):  # within four standard deviations of a third
        assert abs(drawn[row] - 2000 / 3) < 4 * (2000 * 2 / 9) ** 0.5


def test_the_draw_goes_by_id_and_not_by_place(scans):
    ids = torch.arange(len(scans["patient"])) * 3 + 11
    shuffled = torch.randperm(len(ids), generator=torch.Generator().manual_seed(0))
    there = ids[one_per(scans["patient"], ids)]
    again = ids[shuffled][one_per(scans["patient"][shuffled.numpy()], ids[shuffled])]
    assert there.tolist() == again.sort().values.tolist()


def test_values_that_are_missing_or_too_few_are_refused():
    with pytest.raises(ArcalError, match="patient is missing in row 1: fill it in"):
        one_per(["a", " ", "b"], name="patient")
    with pytest.raises(ArcalError, match="values is missing in row 2"):
        one_per([1.0, 2.0, float("nan")])
    with pytest.raises(ArcalError, match="3 values for 2 inputs"):
        one_per([1, 2, 3], [0, 1])


def test_files_of_predictions_are_drawn_from_alike(scans, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = pa.table(scans)
    table = table.append_column("id", pa.array([f"s{i}" for i in range(len(table))]))
    csv.write_csv(table, "old.csv")
    order = np.random.default_rng(3).permutation(len(table))
    less = pa.array(scans["probability"] * 0.9)
    csv.write_csv(table.set_column(1, "probability", less).take(order), "new.csv")
    done = arcal("audit", "old.csv", "new.csv", "--one-per", "patient", "--out", "out")
    assert done.code == 0, done.stderr
    assert "not used" not in done.stderr
    audit = json.loads((tmp_path / "out" / "audit.json").read_text())
    for model in audit["models"]:
        assert model["overall"]["n"] == PATIENTS
        drawn = f"one input of each patient: {PATIENTS} of {len(table):,}"
        assert model["facts"]["Drawn"] == drawn
    inputs = pq.read_table("out/inputs.parquet")
    of = dict(zip(table["id"].to_pylist(), scans["patient"].tolist(), strict=True))
    for name in ("old.csv", "new.csv"):
        mine = inputs.filter(pc.equal(inputs["model"], name))
        assert sorted(of[one] for one in mine["name"].to_pylist()) == [*range(PATIENTS)]


def test_calibrators_are_fitted_to_one_input_of_each(scans, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    csv.write_csv(pa.table(scans), "p.csv")
    usual = ("--calibrators", "temperature")
    done = arcal("calibrate", "p.csv", "--one-per", "patient", *usual, "--json")
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout)["inputs"] == PATIENTS
    facts = json.loads((tmp_path / "calibrated" / "calibration.json").read_text())["facts"]
    assert facts["Drawn"] == "one input is drawn at random of each patient"
    gap = pa.table(scans | {"patient": pa.array([None, *scans["patient"][1:].tolist()])})
    csv.write_csv(gap, "gap.csv")
    for command in (("calibrate", *usual), ("audit",)):
        done = arcal(*command[:1], "gap.csv", *command[1:], "--one-per", "patient")
        assert done.code == 2
        assert done.line.startswith("arcal: gap.csv: patient is missing in row 0: ")


@pytest.mark.parametrize("model", [(), ("net.py:network",)], ids=["predictions", "model"])
def test_unlabelled_inputs_are_drawn_as_well(model, scans, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(
        "import torch\n\n\ndef network():\n    torch.manual_seed(0)\n"
        "    return torch.nn.Linear(1, 2).eval()\n"
    )
    csv.write_csv(pa.table(scans), "old.csv")
    today = pa.table(scans).filter(pc.less(pa.array(scans["patient"]), PATIENTS // 2))
    csv.write_csv(today, "today.csv")
    csv.write_csv(today.drop_columns(["patient"]), "loose.csv")
    usual = ("--one-per", "patient", "--calibrators", "temperature", "--unlabelled")
    done = arcal("calibrate", *model, "old.csv", *usual, "today.csv", "--json")
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout)["unlabelled"]["n"] == PATIENTS // 2
    assert "no column" not in done.stderr
    done = arcal("calibrate", *model, "old.csv", *usual, "loose.csv", "--json")
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout)["unlabelled"]["n"] == len(today)
    assert "loose.csv has no column patient: all its inputs count, and" in done.stderr


def test_the_column_of_a_table_is_not_for_the_model(scans, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(
        "import torch\n\n\ndef network():\n    torch.manual_seed(0)\n"
        "    return torch.nn.Linear(1, 2).eval()\n"
    )
    table = pa.table(scans)
    csv.write_csv(table, "t.csv")
    of_others = table.filter(pc.greater_equal(table["patient"], PATIENTS - 20))
    options = ("--one-per", "patient", "--order", "gradient", "--out", "out")
    done = arcal("audit", "net.py:network", "t.csv", *options, "--limit", 150)
    assert done.code == 0, done.stderr
    audit = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert audit["data"]["facts"]["Columns"] == "probability"
    assert audit["models"][0]["overall"]["n"] == 150
    rows = pq.read_table("out/inputs.parquet")["id"].to_pylist()
    assert len({*scans["patient"][rows].tolist()}) == 150
    csv.write_csv(
        of_others.set_column(1, "probability", pa.array(np.linspace(0, 1, len(of_others)))), "v.csv"
    )
    done = arcal("audit", "net.py:network", "t.csv", *options, "--validation", "v.csv")
    assert done.code == 0, done.stderr
    said = " ".join(done.stderr.split())
    assert "validation inputs share 20 of the 200 audited values of patient" in said
    done = arcal("audit", "net.py:network", "t.csv", *options, "--one-per", "person")
    assert done.code == 2
    assert "--one-per person: " in done.line
    assert "no column person" in done.line
