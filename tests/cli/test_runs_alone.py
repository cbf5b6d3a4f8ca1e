"""Runs that arcal trained, named alone: they bring their data."""

import json
from pathlib import Path

import pytest

import arcal
from arcal.audits import split_names
from arcal.store import RunFolder
from arcal.training import data_of, model_of
from command_line import arcal as command
from tiny_files import write_tiny

IMAGES = ("train", "--images", 120, "--epochs", 1)
QUICK = ("--order", "none", "--shift", "none", "--no-images")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two seeds on one split, and a run on another."""
    root = tmp_path_factory.mktemp("runs")
    for seed, validation in ((0, 60), (1, 60), (2, 50)):
        split = "--validation", validation, "--seeds", seed
        assert command(*IMAGES, *split, "--runs", root).code == 0
    return sorted(root.iterdir())


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_run_is_audited_on_its_test_images_and_calibrators_fitted_on_its_validation_images(runs):
    run, *_ = runs
    assert split_names([str(run)]) == ([str(run)], str(run))
    assert command("audit", run, *QUICK).code == 0
    folder = RunFolder.open(run)
    data = data_of(folder)
    same = arcal.audit(
        model_of(folder), data.test, validation=data.validation, order=None, shift=[], name=run.name
    )
    said, expected = (
        json.loads((out / "audit.json").read_bytes()) for out in (Path("audit"), same.save("same"))
    )
    assert said["done"]["inputs"] == len(data.test)
    assert said["models"][0]["figures"] == expected["models"][0]["figures"]


def test_it_is_calibrated_on_its_validation_images(runs):
    run, *_ = runs
    done = command("calibrate", run, "--calibrators", "temperature", "--export", "pt2")
    assert done.code == 0
    assert "Warning" not in done.stderr
    folder = RunFolder.open(run)
    same = arcal.calibrate(
        model_of(folder), data_of(folder).validation, calibrators=["temperature"]
    )
    said = json.loads(Path("calibrated/calibration.json").read_bytes())
    assert said["inputs"] == 60
    for name, value in json.loads(json.dumps(same.as_json())).items():
        assert said[name] == value, name


def test_several_are_audited_on_what_they_share(runs):
    assert command("audit", *runs[:2], *QUICK).code == 0
    said = json.loads(Path("audit/audit.json").read_bytes())
    assert [model["name"] for model in said["models"]] == [run.name for run in runs[:2]]
    line = command("audit", *runs, *QUICK).line
    assert "was trained on different data or another split" in line
    assert "(--validation 50, not 60)" in line


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (["--size", 20], "--size"),
        (["--by", "site"], "--by"),
        (["--label", "kind"], "--label"),
        (["--one-per", "site"], "--one-per"),
    ],
)
def test_how_data_are_read_is_not_asked(runs, options, name):
    line = command("audit", runs[0], *QUICK, *options).line
    assert line.startswith(
        f"arcal: {name} is for DATA that are named, and {runs[0]} brings its own"
    )


def test_data_that_has_moved_is_named_after_the_run(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    write_tiny(data)
    assert command("train", "--data", data, "--validation", 40, "--epochs", 1).code == 0
    (run,) = Path("runs").iterdir()
    data.rename(tmp_path / "moved")
    assert command("audit", run, *QUICK).line.endswith("if it has moved, name DATA after the run")
    assert command("audit", run, tmp_path / "moved", *QUICK).code == 0
