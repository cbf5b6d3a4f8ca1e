"""`-v`: on what a command runs, what it read, what it did not do again, and how long that took."""

import logging

import numpy as np
import pytest

from arcal.console import log
from command_line import arcal
from tests.audits import tiny
from tests.cli.test_score_command import CODE
from tiny_files import write_tiny


def said(*arguments):
    done = arcal(*arguments, "-v")
    assert done.code == 0, done.stderr
    assert not log.handlers, "as it was before the command"
    assert not log.isEnabledFor(logging.INFO)
    return done.stderr


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(CODE)
    part = tiny.part(40)
    np.savez("data.npz", images=part.pixels.numpy(), labels=part.labels.numpy())


def test_a_scoring_says_where_it_runs_what_it_reads_and_how_long_it_takes(here):
    words = said("score", "net.py:net", "data.npz", "--order", "margin", "--threads", 1)
    assert "on cpu in float32, 1 process of 1 thread" in words
    assert "opened net.py:net: " in words
    assert "from data.npz in 0." in words
    assert "40 images of 1 x 28 x 28, as they are" in words
    assert "scoring by margin: 40 inputs, 0." in words
    assert words.rstrip().endswith("s of processor time in this process")
    again = said("score", "net.py:net", "data.npz", "--order", "margin", "--threads", 1)
    assert "scored before: scores.parquet" in again
    assert "scoring by margin" not in again


@pytest.mark.slow
def test_an_audit_says_how_many_inputs_it_has_done_before(here):
    first = said("audit", "net.py:net", "data.npz", "--order", "margin", "--levels", 2)
    assert "finished work is kept in audit/.work/" in first
    assert "of them before" not in first
    again = said("audit", "net.py:net", "data.npz", "--order", "margin", "--levels", 2)
    assert "auditing: 40 inputs, 40 of them before, " in again


@pytest.mark.slow
def test_a_training_and_an_evaluation_say_what_is_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = write_tiny(tmp_path / "data")
    train = "train", "--data", data, "--validation", 40, "--epochs", 2
    first = said(*train)
    assert f"read {data} in 0." in first
    assert "0 of 2 epochs were trained before" in first
    assert "training vanilla: 2 epochs, " in first
    assert "epoch 2 of 2, loss " in first
    (run,) = (tmp_path / "runs").iterdir()
    assert f"{run.name}: 2 of 2 epochs were trained before" in said(*train)
    assert "0 of 1 sets of predictions are in the run folders" in said("evaluate", run)
    again = said("evaluate", run)
    assert "1 of 1 sets of predictions are in the run folders" in again
    assert "was scored before: " in again
    assert "of 100 images were scored before" not in again


def test_predictions_are_read_from_a_file(here):
    np.savez("said.npz", probabilities=[[0.7, 0.3], [0.4, 0.6]] * 20, labels=[0, 1, 1, 0] * 10)
    words = said("audit", "said.npz")
    assert "read said.npz: predictions on 40 inputs, 2 classes" in words


def test_without_it_none_of_this_is_said(here):
    done = arcal("score", "net.py:net", "data.npz", "--order", "margin")
    assert done.code == 0
    assert "opened" not in done.stderr
    assert "float32" not in done.stderr


@pytest.mark.parametrize(("quiet", "lines"), [([], 2), (["-q"], 0)])
def test_a_log_has_a_line_an_epoch(quiet, lines, tmp_path):
    data = write_tiny(tmp_path / "data")
    train = "train", "--data", data, "--validation", 40, "--epochs", 2, "--runs", tmp_path / "runs"
    done = arcal(*train, *quiet)
    assert done.code == 0, done.stderr
    assert done.stderr.count("validation accuracy") == lines + 1, "and one at the end"
    assert done.stderr.count(" of 2, loss ") == lines


@pytest.mark.parametrize("quiet", [[], ["-q"]])
def test_a_first_page_is_progress(here, quiet, monkeypatch):
    monkeypatch.setattr("arcal.audits._jobs.FIRST", 10)
    models = "net.py:net", "net.py:net"
    how = "--names", "a", "b", "--order", "none", "--shift", "none"
    done = arcal("audit", *models, "data.npz", *how, *quiet)
    assert done.code == 0, done.stderr
    assert ("a first page, with 1 of 2 models: " in done.stderr) == (not quiet)
    assert "page: audit" in done.stderr


def test_it_does_not_go_with_quiet(here):
    done = arcal("score", "net.py:net", "data.npz", "-q", "--verbose")
    assert done.line == "arcal: --quiet and --verbose: give one of them"


def test_both_can_stand_in_a_file(here, tmp_path):
    lines = ['command = "score"', 'what = ["net.py:net", "data.npz"]', 'order = "margin"']
    (tmp_path / "mine.toml").write_text("\n".join([*lines, "verbose = true"]))
    done = arcal("--config", "mine.toml")
    assert "opened net.py:net: " in done.stderr
