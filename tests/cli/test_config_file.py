"""Commands as files: the flags that a file stands for, and what is typed beside it holds."""

import json
import subprocess
import sys

import pytest

from arcal.cli.config_file import expanded
from arcal.errors import ArcalError


@pytest.fixture
def written(tmp_path):
    def write(text):
        (tmp_path / "mine.toml").write_text(text)
        return str(tmp_path / "mine.toml")

    return write


def test_a_file_becomes_the_flags_of_its_command(written):
    path = written(
        'command = "train"\ndata = "fashion"\nseeds = [0, 1]\nensemble = true\nsweep = false\n'
        '[recipe]\nlike = "small"\n[settings]\nlevels = 5\nfull = false\n'
        "alpha = {0 = 0.001, 60 = 0.05}"
    )
    flags = ["--data", "fashion", "--seeds", "0", "1", "--ensemble", "--recipe", path]
    settings = ["--levels", "5", "--full", "False", "--alpha", "0", "0.001", "60", "0.05"]
    assert expanded(["--config", path]) == ["train", *flags, *settings]
    assert expanded(["train", f"--config={path}", "--seeds", "3"])[-2:] == ["--seeds", "3"]


def test_what_stands_without_a_flag_comes_first(written):
    path = written('command = "audit"\nwhat = ["a.py:net", "photos"]\nlimit = 5')
    assert expanded(["--config", path]) == ["audit", "a.py:net", "photos", "--limit", "5"]


def test_a_list_in_a_file_does_not_take_what_is_typed_without_a_flag(written):
    path = written('fail-if = ["ece>0.05"]\nby = ["site", "age"]')
    flags = ["--fail-if", "ece>0.05", "--by", "site", "age"]
    assert expanded(["audit", "--config", path, "mine.csv"]) == ["audit", "mine.csv", *flags]
    typed = ["audit", "old.csv", "new.csv", "--names", "a", "b"]
    together = ["audit", "old.csv", "new.csv", *flags, "--names", "a", "b"]
    assert expanded([*typed, "--config", path]) == together


@pytest.mark.parametrize(
    ("text", "typed", "words"),
    [
        ('command = "train"', ["audit"], "is for the command train"),
        ("data = 3", [], "does not say its command"),
        ('command = "train"\n[other]\na = 1', [], "other is a table: only `arcal train` has some"),
        ('command = "train"\ndata = [[1]]', [], "data = [1]: give"),
        ("[[", [], "is not TOML"),
        ('command = "evaluate"\nshift = []', [], "shift = [] is an empty list: name something"),
        ('command = "audit"\nby = []', [], "by = [] is an empty list"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(written, text, typed, words):
    with pytest.raises(ArcalError) as caught:
        expanded([*typed, "--config", written(text)])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_run_is_trained_again_from_the_file_in_its_folder(tmp_path):
    size = ["--images", "200", "--validation", "200", "--epochs", "1"]
    settings = ["--method", "ar-adals", "--levels", "2", "--order", "confidence", "--alpha", "0.1"]
    first = _arcal(tmp_path, "train", *size, *settings, "--lr", "0.002", "--json")
    folder = json.loads(first)[0]["run"]
    again = _arcal(
        tmp_path, "--config", f"{tmp_path / folder}/train.toml", "--runs", "other", "--json"
    )
    one, other = json.loads(first)[0], json.loads(again)[0]
    assert one["run"].rpartition("/")[2] == other["run"].rpartition("/")[2]
    assert one["loss"] == other["loss"]


def _arcal(folder, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "arcal", *arguments], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
