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


def test_a_scoring_says_where_it_runs_and_what_it_reads(here):
    words = said("score", "net.py:net", "data.npz", "--order", "margin", "--threads", 1)
    assert "on cpu in float32, 1 process of 1 thread" in words
    assert "opened net.py:net: " in words
    assert "from data.npz in " in words
    assert "40 images of 1 x 28 x 28, as they are" in words
    assert words.rstrip().endswith("s of processor time in this process")
    again = said("score", "net.py:net", "data.npz", "--order", "margin", "--threads", 1)
    assert "scored before: scores.parquet" in again


@pytest.mark.parametrize(("quiet", "lines"), [([], 2), (["-q"], 0)])
def test_a_log_has_a_line_an_epoch(quiet, lines, tmp_path):
    data = write_tiny(tmp_path / "data")
    train = "train", "--data", data, "--validation", 40, "--epochs", 2, "--runs", tmp_path / "runs"
    done = arcal(*train, *quiet)
    assert done.code == 0, done.stderr
    assert done.stderr.count("validation accuracy") == lines + 1, "and one at the end"
    assert done.stderr.count(" of 2, loss ") == lines


def test_it_does_not_go_with_quiet(here):
    done = arcal("score", "net.py:net", "data.npz", "-q", "--verbose")
    assert done.line == "arcal: --quiet and --verbose: give one of them"
