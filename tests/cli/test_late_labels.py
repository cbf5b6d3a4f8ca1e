"""`--labels-from`: labels that came after the predictions."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arcal.prediction_files import ColumnNames, read_predictions
from tests.test_cli import arcal, succeeds

SAID = (
    "60 of 100 inputs have a label in late.csv; the others are left out; 5 of its 65 labels have "
    "no input"
)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Predictions of 100 inputs, and labels of 60 in another order, of 5 others, and a blank."""
    monkeypatch.chdir(tmp_path)
    logged = [
        {"id": f"{i:03}", "site": "ab"[i % 2], "probabilities": {"cat": p, "dog": 1 - p}}
        for i, p in enumerate([0.99, 0.01] * 50)
    ]
    Path("logged.jsonl").write_text("".join(json.dumps(one) + "\n" for one in logged))
    late = [(f"{i:03}", "dog" if i % 2 or not i % 6 else "cat") for i in range(59, -1, -1)]
    late += [(f"{i}", "cat") for i in range(200, 205)] + [("099", "")]
    Path("late.csv").write_text("id,label\n" + "".join(f"{id},{label}\n" for id, label in late))


def test_labels_are_found_by_the_ids_whatever_their_order(files):
    called = ColumnNames(labels_from=Path("late.csv"), by=["site"])
    saved = read_predictions(Path("logged.jsonl"), called)
    assert saved.names == tuple(f"{i:03}" for i in range(60))
    assert saved.classes == ("cat", "dog")
    expected = [int(i % 2 == 1 or i % 6 == 0) for i in range(60)]
    assert saved.predictions.labels.tolist() == expected
    assert saved.by["site"].to_pylist() == ["a", "b"] * 30
    assert saved.labelled == SAID


def test_numbers_are_the_ids_that_are_texts_elsewhere_and_labels_are_replaced(files):
    late = pa.table({"key": [7, 8], "truth": [True, False]})
    pq.write_table(late, "late.parquet")
    Path("logged.csv").write_text("key,label,probability\n8,1,0.75\n7,0,0.5\n")
    called = ColumnNames(id="key", label="truth", labels_from=Path("late.parquet"))
    saved = read_predictions(Path("logged.csv"), called)
    assert saved.predictions.ids.tolist() == [8, 7]
    assert saved.predictions.labels.tolist() == [0, 1]
    assert saved.unused == ()
    assert saved.labelled == "2 of 2 inputs have a label in late.parquet"


def test_the_commands_say_how_many_have_a_label(files):
    said = SAID
    done = succeeds("audit", "logged.jsonl", "--labels-from", "late.csv")
    assert f"arcal: logged.jsonl: {said}" in done.stderr
    assert json.loads(Path("audit/audit.json").read_text())["models"][0]["facts"]["Labels"] == said
    more = ("--calibrators", "temperature", "--apply", "logged.jsonl")
    done = succeeds("calibrate", "logged.jsonl", "--labels-from", "late.csv", *more)
    assert said in " ".join(done.stdout.split())
    figures = json.loads(Path("calibrated/calibration.json").read_text())
    assert figures["inputs"] == 60
    assert figures["facts"]["Labels"] == said
    assert len(Path("calibrated/calibrated.jsonl").read_text().splitlines()) == 100


def test_ids_that_lost_their_zeros_are_not_left_out_without_a_word(files):
    """As a spreadsheet saves them: 10 to 99 would be matched, and 000 to 009 dropped."""
    rows = "".join(f"{i},cat\n" for i in range(100))
    Path("late.csv").write_text(f"id,label\n{rows}")
    Path("logged.csv").write_text(
        "id,label,probability_dog\n" + "".join(f"{i:02},,0.75\n" for i in range(100))
    )
    line = arcal("audit", "logged.csv", "--labels-from", "late.csv").line
    assert "--labels-from late.csv: id 0 is 00 in the predictions, as if a spreadsheet" in line
