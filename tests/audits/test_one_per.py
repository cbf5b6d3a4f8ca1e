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

from arcal.auditing import as_predictions, by_group, one_per
from arcal.audits import Examples, NamedPredictions, Reading, Uses, open_predictions
from arcal.audits._read import drawn_if_there
from arcal.calibration import clopper_pearson
from arcal.data import load_table
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


def test_the_interval_holds_that_of_inputs_that_are_alike_does_not():
    inside = {"all": 0, "one of each": 0}
    for seed in range(300):
        draws = np.random.default_rng(seed)
        patient = np.repeat(np.arange(100), 10)
        right = (draws.uniform(size=100) < 0.8)[patient]  # all of a patient's, or none
        for which, rows in (("all", slice(None)), ("one of each", one_per(patient).numpy())):
            low, high = clopper_pearson([right[rows].sum()], [right[rows].size])
            inside[which] += bool(low <= 0.8 <= high)
    assert inside["one of each"] / 300 > 0.93
    assert inside["all"] / 300 < 0.6


def test_inputs_without_weight_are_drawn_only_of_values_that_have_no_others():
    patient = np.repeat(np.arange(500), 10)
    weights = np.tile([0.0] * 9 + [2.0], 500)
    weights[:10] = 0
    rows = one_per(patient, weights=weights)
    assert patient[rows].tolist() == [*range(500)]
    assert (weights[rows][1:] == 2).all()
    assert one_per(patient, weights=np.ones(5000)).tolist() == one_per(patient).tolist()


def test_figures_are_of_a_patient_and_weighted_by_how_many_there_are_of_an_input():
    draws, of_all = 300, []
    for seed in range(draws):
        drawn = np.random.default_rng(seed)
        size = drawn.choice([1, 20], 200)
        patient = np.repeat(np.arange(200), size)
        share = np.where(size == 1, 0.95, 0.6)  # those with many are harder
        right = drawn.uniform(size=len(patient)) < drawn.beta(9 * share, 9 * (1 - share))[patient]
        rows = one_per(patient).numpy()
        of_all.append((size[patient[rows]], right[rows]))
    size, right = map(np.concatenate, zip(*of_all, strict=True))
    p = np.where(size == 1, 0.95, 0.6)
    predictions = as_predictions(
        probabilities=np.stack([p, 1 - p], 1), labels=np.where(right, 0, 1)
    )
    weights = torch.from_numpy(size)
    group = torch.arange(draws).repeat_interleave(200)  # each draw has figures of its own
    of_patient, of_input, confused = 0, 0, 0
    for mean, weighted in zip(
        accuracies(predictions, group, torch.ones(len(size))),
        accuracies(predictions, group, weights),
        strict=True,
    ):
        of_patient += mean.low <= (0.95 + 0.6) / 2 <= mean.high
        of_input += weighted.low <= (0.95 + 20 * 0.6) / 21 <= weighted.high
        confused += mean.low <= (0.95 + 20 * 0.6) / 21 <= mean.high
    assert min(of_patient, of_input) / draws > 0.92
    assert confused / draws < 0.05


def accuracies(predictions, group, weights):
    names = [*map(str, range(group.max() + 1))]
    return [
        one.accuracy for one in by_group(predictions, group, names, weights=weights, resamples=1)
    ]


def test_files_are_drawn_from_inputs_that_weigh_something(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draws = np.random.default_rng(0)
    table = {
        "patient": np.repeat(np.arange(200), 5),
        "label": draws.integers(0, 2, 1000),
        "probability": draws.uniform(size=1000).round(3),
        "weight": np.tile([0, 0, 0, 0, 1], 200),
    }
    csv.write_csv(pa.table(table), "old.csv")
    csv.write_csv(pa.table({n: v for n, v in table.items() if n != "weight"}), "new.csv")
    done = arcal("audit", "old.csv", "new.csv", "--one-per", "patient", "--json")
    assert done.code == 0, done.stderr
    models = json.loads((tmp_path / "audit" / "audit.json").read_text())["models"]
    assert [one["overall"]["accuracy"]["n"] for one in models] == [200, 200]  # not 40 of the first


def test_a_limit_after_it_favours_no_value():
    patient = np.repeat(np.arange(800), [9, 1] * 400)
    examples = Examples.from_tensors(torch.rand(len(patient), 2), torch.arange(len(patient)) % 2)
    some = examples.one_per("patient", patient)
    assert some.facts["Drawn"] == "one input of each patient: 800 of 4,000"
    of = patient[some.first(400).ids.numpy()]
    assert len({*of.tolist()}) == 400
    many = (of % 2 == 0).sum()  # of 400 of 800, half of which have nine inputs
    assert abs(many - 200) < 4 * (400 * 0.25 * 0.5) ** 0.5
    assert some.content not in (examples.content, examples.first(800).content)


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


def test_all_inputs_are_calibrated_that_one_of_each_is_compared_with(scans, tmp_path, monkeypatch):
    """A few patients with many scans each are no drift."""
    monkeypatch.chdir(tmp_path)
    sure = scans["probability"] ** 3 / (scans["probability"] ** 3 + (1 - scans["probability"]) ** 3)
    csv.write_csv(pa.table(scans | {"probability": sure}), "old.csv")
    few = np.repeat(np.arange(12), 40)
    p = sure[:12][few]
    csv.write_csv(pa.table({"patient": few, "probability": p, "weight": p}), "new.csv")
    usual = ("--calibrators", "vector", "--apply", "new.csv", "--out", "out")
    done = arcal("calibrate", "old.csv", *usual)
    assert done.code == 0, done.stderr
    assert "new.csv: these differ from the labelled inputs by more than chance" in done.stderr
    assert "new.csv: not used: the column weight, since inputs without labels" in done.stderr
    assert "new.csv: columns not used: patient" in done.stderr
    done = arcal("calibrate", "old.csv", *usual, "--one-per", "patient")
    assert done.code == 0, done.stderr
    assert "by more than chance" not in done.stderr
    assert "patient" not in done.stderr
    assert len((tmp_path / "out" / "calibrated.csv").read_text().splitlines()) == 1 + len(few)


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


def test_a_value_that_other_data_lacks_is_said_to_be_of_these(tmp_path):
    file = tmp_path / "other.csv"
    file.write_text("x,who\n1,Ann\n2,\n")
    rows = Examples.from_table(load_table(str(file), columns=("x",), labelled=False))
    with pytest.raises(ArcalError, match=r"^--one-per who of .*other.csv: who is missing in row 1"):
        drawn_if_there(rows, str(file), "who", Reading())


@pytest.mark.parametrize(
    ("site", "message"),
    [
        (np.arange(160).reshape(80, 2) % 3, "site cannot be read"),
        (np.arange(100) % 3, "site has 100 values for 80 inputs"),
        (np.arange(70) % 3, "site has 70 values for 80 inputs"),
    ],
)
def test_arrays_that_are_not_one_value_per_input_are_refused_before_the_draw(
    tmp_path, site, message
):
    path = tmp_path / "mine.npz"
    p = np.tile([[0.75, 0.25], [0.25, 0.75]], (40, 1))
    patient = np.arange(80) // 2
    np.savez(path, probabilities=p, labels=np.arange(80) % 2, site=site, patient=patient)
    uses = Uses(by=["site"], one_per="patient")
    with pytest.raises(ArcalError, match=message):
        open_predictions([NamedPredictions(str(path), "mine")], uses)
