"""`arcal audit` and `arcal score` as a stranger types them: their flags, and all that is wrong."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from arcal.audits import Reading
from arcal.cli.audit import AnalysisFlags, OutputFlags
from arcal.cli.model_and_data import DataFlags, MachineFlags, ModelFlags
from tests.test_cli import arcal, succeeds

SHARED = [one.name for group in (ModelFlags, DataFlags, MachineFlags) for one in fields(group)]
NEED_A_MODEL = [*SHARED, *(one.name for one in fields(AnalysisFlags))]


def typed(name):
    return f"--{name.replace('_', '-')}"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", ["audit", "score"])
def test_help_fits_80_columns_and_has_headings(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = succeeds(command, "--help").stdout
    assert max(map(len, text.splitlines())) <= 80
    for heading in ("model", "data", "output", "machine"):
        assert f"{heading} options" in text
    for name in SHARED:
        assert f" {typed(name)} " in text


def test_every_way_of_reading_has_its_flag():
    reading = {one.name for one in fields(Reading)}
    assert reading == {one.name for one in fields(DataFlags)} - {"limit"} | {"classes"}


@pytest.mark.parametrize("name", NEED_A_MODEL)
def test_what_needs_a_model_is_refused_of_predictions(here, name):
    np.savez("mine.npz", logits=9 * np.eye(3), labels=np.arange(3))
    value = [] if name in ("check", "skip_broken") else [3]
    line = arcal("audit", "mine.npz", typed(name), *value).line
    assert line.startswith(f"arcal: {typed(name)} is of a model and its data")
    assert not Path("audit").exists()


@pytest.mark.parametrize("name", [one.name for one in fields(OutputFlags)])
def test_what_is_written_is_chosen_for_predictions_as_well(here, name):
    values = {"out": ["there"], "names": ["mine"], "fail_if": ["ece>2"]}
    np.savez("some.npz", logits=9 * np.eye(3), labels=np.arange(3))
    succeeds("audit", "some.npz", typed(name), *values.get(name, []))
    assert Path("there" if name == "out" else "audit", "index.html").exists()
