"""`arcal calibrate --fail-if`, and what the command says of data that are unlike the labelled."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from arcal.store import load_calibrator
from tests.test_cli import arcal, succeeds

FAST = ("--calibrators", "temperature")


def write(name: str, N: int, seed: int, *, T: float = 2.0, noise: float = 0.0) -> None:
    """Predictions that are right as often as at a temperature T, and noise after that."""
    random = np.random.default_rng(seed)
    z = 3 * random.normal(size=(N, 3))
    labels = (z / T + random.gumbel(size=z.shape)).argmax(1)
    z += noise * random.normal(size=z.shape)
    rows = [
        {"label": "abc"[y], "logits": dict(zip("abc", row, strict=True))}
        for y, row in zip(labels, z.tolist(), strict=True)
    ]
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("mine.jsonl", 1000, 0)
    write("today.jsonl", 1000, 1, T=4.0, noise=4.0)


def test_a_condition_that_holds_ends_with_1_and_all_is_written(files):
    holds, not_so = "before.ece>0.05", "ece>0.05"
    done = arcal("calibrate", "mine.jsonl", *FAST, "--fail-if", not_so, holds)
    assert done.code == 1
    figures = json.loads(Path("calibrated/calibration.json").read_text())
    ece = figures["before"]["ece"]["value"]
    last = f"arcal: mine.jsonl: before.ece is {ece:.4g}, so before.ece>0.05 holds"
    assert done.stderr.splitlines()[-1] == last
    assert "ece>0.05 holds" not in done.stderr.replace(holds, "")
    assert Path("calibrated/calibrator.safetensors").exists()
    done = succeeds("calibrate", "mine.jsonl", *FAST, "--fail-if", "coverage_at_90>0.9", "change>0")
    assert "holds" not in done.stderr


def test_a_condition_may_be_of_inputs_without_labels(files):
    more = (*FAST, "--unlabelled", "today.jsonl", "--json", "--fail-if")
    done = arcal("calibrate", "mine.jsonl", *more, "unlabelled.accuracy.low>0.5")
    assert done.code == 1
    estimated = json.loads(done.stdout)["unlabelled"]["low"]
    assert f"unlabelled.accuracy.low is {estimated:.4g}, so" in done.stderr


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ("eec>0.1", "there is no figure 'eec'; did you mean ece"),
        ("unlabelled.accuracy<0.9", "has the figures of inputs without labels"),
        ("class.a.gap>0.1", "there is no figure 'class.a.gap'"),
        ("before.accuracy<90", "write points as hundredths"),
        ("ece", "is not a condition"),
    ],
)
def test_a_condition_on_no_figure_is_refused_before_the_work(files, monkeypatch, condition, says):
    monkeypatch.setattr("arcal.audits.calibration_of", None)  # nothing is fitted
    assert says in arcal("calibrate", "mine.jsonl", "--fail-if", condition).line
    assert not Path("calibrated").exists()


def lines() -> list[str]:
    return Path("mine.jsonl").read_text().splitlines(keepends=True)


def test_several_unlabelled_files_are_estimated_one_by_one(files):
    Path("logs").mkdir()
    write("logs/today.jsonl", 500, 2)
    each = {"logs": "logs/today.jsonl", "worse": "today.jsonl"}
    alone = {
        name: json.loads(
            succeeds("calibrate", "mine.jsonl", *FAST, "--json", "--unlabelled", file).stdout
        )["unlabelled"]
        for name, file in each.items()
    }
    assert Path("calibrated/unlabelled.safetensors").exists()
    done = succeeds("calibrate", "mine.jsonl", *FAST, "--unlabelled", *each.values())
    words = " ".join(done.stdout.split())
    assert "logs/today.jsonl, 500 unlabelled inputs: the model is right on about" in words
    assert re.search(r"today\.jsonl, 1,000 unlabelled inputs: \d\d\.\d % \[", words)
    assert words.count("an estimate without labels") == 1
    figures = json.loads(Path("calibrated/calibration.json").read_text())["unlabelled"]
    assert list(figures) == [*each.values()]
    assert list(figures.values()) == [*alone.values()]
    for i, today in enumerate(alone.values(), start=1):
        calibrator = load_calibrator(f"calibrated/unlabelled-{i}.safetensors")
        assert float(calibrator.get_buffer("T")) == today["T"]
    assert not Path("calibrated/unlabelled.safetensors").exists()
    succeeds("calibrate", "mine.jsonl", *FAST)
    assert not [*Path("calibrated").glob("unlabelled*")]
