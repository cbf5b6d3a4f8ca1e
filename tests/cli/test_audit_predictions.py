"""`arcal audit` of files of predictions: what is wrong with them, and what they are called."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest

from arcal.calibration.posthoc import Temperature
from arcal.store import load_calibrator
from tests.test_cli import arcal, succeeds


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


ROWS = "".join(f"{i},{('cat', 'dog')[i % 2]},0.{7 - i % 2},0.{3 + i % 2}\n" for i in range(8))


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("8,cat,,0.5", "probabilities_cat is missing in row 8"),
        ("8,cat,0.9,0.4", "the probabilities do not sum to 1 in row 8"),
        ("8,cow,0.5,0.5", "the label 'cow' of row 8 is none of cat, dog"),
        ("3,cat,0.5,0.5", "id 3 of row 8 occurs twice"),
        ("8,cat,0.5", "cannot be read (CSV parse error: Expected 4 columns"),
    ],
)
def test_a_wrong_row_of_predictions_is_one_line(here, row, says):
    head = "id,label,probabilities_cat,probabilities_dog\n"
    Path("mine.csv").write_text(f"{head}{ROWS}{row}\n")
    line = arcal("audit", "mine.csv").line
    assert line.startswith("arcal: mine.csv")
    assert says in line
    assert not Path("audit").exists()


def test_files_that_hold_no_predictions_are_one_line(here):
    for name in ("empty.npz", "empty.parquet"):
        Path(name).touch()
        assert arcal("audit", name).line.startswith(f"arcal: {name} cannot be read (")
    Path("empty.csv").touch()
    assert "empty.csv: it is empty: give a header" in arcal("audit", "empty.csv").line
    np.savez("keys.npz", preds=np.eye(3), y=np.arange(3))
    assert "no logits or probabilities, only preds, y" in arcal("audit", "keys.npz").line
    assert "nowhere.csv is missing" in arcal("audit", "nowhere.csv").line
    assert "nowhere.cvs is missing" in arcal("audit", "nowhere.cvs").line
    np.savez("one.npz", logits=9 * np.eye(3), labels=np.arange(3), ids=np.arange(3))
    np.savez("two.npz", logits=9 * np.eye(3), labels=np.arange(3), ids=np.arange(1, 4))
    line = arcal("audit", "one.npz", "two.npz").line
    assert "one.npz and two.npz cannot be compared: id 0 is only in one.npz" in line
    assert "nowhere.npz is missing" in arcal("audit", "one.npz", "nowhere.npz").line
    Path("folder").mkdir()
    assert "one.npz holds predictions, and folder" in arcal("audit", "one.npz", "folder").line
    assert "one of --names is empty" in arcal("audit", "one.npz", "--names", "").line


@pytest.mark.parametrize("name", ["{}", "P{}"], ids=["numbers", "names"])
def test_two_files_of_the_same_inputs_are_matched_by_id(here, name):
    head = "id,label,site,prob_cat,prob_dog"
    rows = [
        f"{name.format(i)},{('cat', 'dog')[i % 2]},{'ab'[i // 20]},0.{i + 10},0.{89 - i}"
        for i in range(40)
    ]
    Path("old.csv").write_text("\n".join([head, *rows]))
    Path("new.csv").write_text("\n".join([head, *rows[::-1]]))
    done = succeeds("audit", "old.csv", "new.csv", "--by", "site", "--json")
    first, second = (one["figures"] for one in json.loads(done.stdout)["models"])
    assert second["difference.accuracy"] == second["difference.positive_flips"] == 0
    assert second["by.site.a.gap"] == pytest.approx(first["by.site.a.gap"])
    Path("new.csv").write_text("\n".join([head, *rows[:-1], rows[-1].replace("dog", "cat")]))
    line = arcal("audit", "old.csv", "new.csv", "--by", "site").line
    assert f"the label of id {name.format(39)} is dog in old.csv and cat in new.csv" in line
    Path("new.csv").write_text("\n".join([head, *rows[:-1]]))
    line = arcal("audit", "old.csv", "new.csv", "--by", "site").line
    assert f"id {name.format(39)} is only in old.csv" in line
    Path("new.csv").write_text("\n".join([head, *rows[:-1], f"x{rows[-1]}"]))
    line = arcal("audit", "old.csv", "new.csv", "--by", "site").line
    assert f"id {name.format(39)} is only in old.csv" in line, "though all ids of new.csv are text"


def test_a_name_with_markup_is_only_a_name(here):
    np.savez("some.npz", logits=9 * np.eye(3), labels=np.arange(3))
    done = succeeds("audit", "some.npz", "--names", "</script><b>[red]mine")
    assert "</script><b>[red]mine is right" in done.stdout
    assert "</script><b>" not in Path("audit/index.html").read_text()


def test_columns_by_name_and_those_that_are_not_used(here):
    rows = "".join(f"{i},{i % 2},0.{3 + i % 5},north,2\n" for i in range(30))
    Path("loans.csv").write_text("id,default,probability,region,exposure\n" + rows)
    flags = ("--label", "default", "--weight", "exposure")
    done = succeeds("audit", "loans.csv", *flags, "--json")
    assert "arcal: loans.csv: columns not used: region\n" in done.stderr
    (one,) = json.loads(done.stdout)["models"]
    assert one["facts"]["Columns not used"] == "region"
    wrong = sum((0.1 * (3 + i % 5) > 0.5) != i % 2 for i in range(30))
    assert one["figures"]["accuracy"] == pytest.approx(1 - wrong / 30)
    done = succeeds("calibrate", "loans.csv", *flags, "--calibrators", "temperature")
    assert "arcal: loans.csv: columns not used: region\n" in done.stderr
    assert "inputs count by their weights, the column exposure" in " ".join(done.stdout.split())


def test_rows_are_matched_by_a_column_of_ids_called_otherwise(here):
    sure = [0.98 if (i % 2) != (i % 5 == 0) else 0.02 for i in range(200)]  # and right on 80 %
    rows = [f"P{i},{i % 2},{p}\n" for i, p in enumerate(sure)]
    Path("old.csv").write_text("patient,label,probability\n" + "".join(rows))
    Path("new.csv").write_text("patient,label,probability\n" + "".join(rows[::-1]))
    done = succeeds("audit", "old.csv", "new.csv", "--id", "patient", "--json")
    assert "not used" not in done.stderr
    difference = json.loads(done.stdout)["models"][1]["difference"]
    assert difference["negative_flips"] == 0
    assert difference["nll"]["value"] == pytest.approx(0, abs=1e-12)  # rows in another order
    assert (
        "nothing is called nobody, only patient" in arcal("audit", "old.csv", "--id", "nobody").line
    )
    flags = ("--id", "patient", "--calibrators", "temperature", "--apply", "new.csv")
    succeeds("calibrate", "old.csv", *flags)
    assert Path("calibrated/calibrated.csv").read_text().splitlines()[1].startswith('"P199",')


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_calibrated_probabilities_are_written_back(here, suffix):
    rng = np.random.default_rng(0)
    z = 3 * rng.normal(size=400)
    labels = rng.uniform(size=400) < 1 / (1 + np.exp(-z / 3))  # three times as sure as it should be
    p = 1 / (1 + np.exp(-z))
    table = pa.table({"label": labels.astype(int), "probability_1": p})
    csv.write_csv(table, "jan.csv")
    today = table.drop(["label"]).append_column("id", pa.array([f"C{i}" for i in range(400)]))
    write = csv.write_csv if suffix == ".csv" else pq.write_table
    write(today, "feb" + suffix)
    flags = ("--calibrators", "temperature", "--apply", "feb" + suffix)
    done = succeeds("calibrate", "jan.csv", *flags)
    file = Path("calibrated") / f"calibrated{suffix}"
    assert f"written: {file}\n" in done.stderr
    read = csv.read_csv if suffix == ".csv" else pq.read_table
    found = read(file).to_pydict()
    calibrator = load_calibrator(Path("calibrated/calibrator.safetensors"))
    assert isinstance(calibrator, Temperature)
    T = float(calibrator.T)
    assert T > 2
    np.testing.assert_allclose(found["probabilities_1"], 1 / (1 + np.exp(-z / T)), atol=1e-6)
    assert found["id"] == [f"C{i}" for i in range(400)]
    assert [str(one) for one in found["predicted"]] == [str(int(one)) for one in p > 0.5]


def test_predictions_are_calibrated_in_whatever_order_their_classes_are(here):
    p, u = np.random.default_rng(0).uniform(size=(2, 200))
    table = pa.table({"probability_cat": p, "probability_dog": 1 - p})
    labels = pa.array(["cat" if one else "dog" for one in u < 0.5 * p])
    csv.write_csv(table.append_column("label", labels), "jan.csv")
    csv.write_csv(table, "feb.csv")
    csv.write_csv(table.select([1, 0]), "turned.csv")
    one = ("calibrate", "jan.csv", "--calibrators", "vector", "--unlabelled")
    written = []
    for name in ("feb.csv", "turned.csv"):
        succeeds(*one, name, "--apply", name)
        estimate = json.loads(Path("calibrated/calibration.json").read_text())["unlabelled"]
        written.append((Path("calibrated/calibrated.csv").read_text(), estimate["accuracy"]))
    assert written[0] == written[1]
    csv.write_csv(table.rename_columns(["probability_cat", "probability_cow"]), "cows.csv")
    line = arcal(*one, "cows.csv").line
    assert "--unlabelled cows.csv has the classes cat, cow, and jan.csv cat, dog" in line


def test_new_rows_are_read_by_the_classes_of_the_labelled_ones(here):
    p, u = np.random.default_rng(0).uniform(size=(2, 200))
    labels = pa.array(["fraud" if one else "ok" for one in u < 0.5 * p])
    table = pa.table({"fraud": p, "ok": 1 - p, "age": np.arange(200)})
    csv.write_csv(table.append_column("label", labels), "jan.csv")
    csv.write_csv(pa.table({"proba_fraud": p}), "feb.csv")
    csv.write_csv(table, "march.csv")  # as predict_proba gives it, beside a column of other numbers
    flags = ("--calibrators", "vector", "--apply", "feb.csv", "--unlabelled", "march.csv")
    succeeds("calibrate", "jan.csv", *flags)
    header, *_ = Path("calibrated/calibrated.csv").read_text().splitlines()
    assert header == '"id","predicted","probabilities_fraud","probabilities_ok"'
    found = csv.read_csv("calibrated/calibrated.csv").column("probabilities_fraud").to_numpy()
    assert abs(found.mean() - 0.25) < 0.1, "fraud is a quarter, and its probabilities a half"
