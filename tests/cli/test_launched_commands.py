"""Two processes of `torchrun` share a command: one speaks, and the files are those of one."""

import shutil
import sys
from pathlib import Path

import pytest

from command_line import arcal
from launching import finish, on_one_machine, start

CODE = """
import os
import signal
from pathlib import Path

import torch

class Bright(torch.nn.Module):
    seen = 0

    def forward(self, x):
        self.seen += len(x)
        if os.environ.get("RANK") == "1" and self.seen > 200:
            if Path("fails").exists():
                raise ValueError("this model fails where it likes")
            if Path("dies").exists():
                os.kill(os.getpid(), signal.SIGKILL)
        lead = 8 * (x.mean((1, 2, 3)) - 0.3)
        return torch.stack([lead * i / 9 for i in range(10)], dim=1)

net = Bright().eval()
"""
MODEL = ["fashion", "--limit", 900, "--order", "gradient", "--threads", 1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def few_draws():
    """All of them: the processes that are launched know of no fewer."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two seeds of one method, once trained."""
    folder = tmp_path_factory.mktemp("trained")
    size = ["--images", 300, "--validation", 100, "--epochs", 1, "--seeds", 0, 1]
    assert arcal("train", *size, "--runs", folder, "-q").code == 0
    return sorted(folder.glob("vanilla-*"))


@pytest.fixture
def here(tmp_path, monkeypatch, runs):
    """A folder in which each command is run, with the runs' folders as `runs`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(CODE)

    def beside(name):
        where = tmp_path / name
        (where / "runs").mkdir(parents=True)
        shutil.copy("net.py", where)
        for run in runs:
            shutil.copytree(run, where / "runs" / run.name)
        monkeypatch.chdir(where)
        return where

    return beside


def alone(*command):
    return finish(start([sys.executable, "-m", "arcal", *command, "-q"]))


def together(*command):
    return finish(start([*on_one_machine(), *command, "-q"]))


def content(folder: Path):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and path.suffix != ".lock"
    }


@pytest.mark.parametrize(
    "command",
    [
        ["evaluate", "RUNS", "--shift", "fog-3", "contrast-1", "--posthoc", "temperature"],
        ["score", "RUN", "--order", "gradient"],
        ["score", "net.py:net", *MODEL],
        ["audit", "net.py:net", *MODEL],
        ["calibrate", "net.py:net", "fashion", "--limit", 900, "--threads", 1],
    ],
    ids=lambda command: " ".join(map(str, command[:2])),
)
def test_the_files_of_two_processes_are_those_of_one(here, command):
    wrote, spoke = [], []
    for run in (alone, together):
        where = here(run.__name__)
        folders = sorted(map(str, Path("runs").iterdir()))
        places = {"RUNS": folders, "RUN": folders[:1]}
        words = [word for one in command for word in places.get(one, [one])]
        code, said = run(*words)
        assert code == 0, said
        spoke.append([line for line in said if line.startswith("arcal: ")])
        wrote.append(content(where))
    assert spoke[0] == spoke[1], "the first process speaks, and it alone"
    assert wrote[0].keys() == wrote[1].keys()
    assert [name for name in wrote[0] if wrote[0][name] != wrote[1][name]] == []


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """The scores of the model by one process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("scored"))
        Path("net.py").write_text(CODE)
        assert arcal("score", "net.py:net", *MODEL, "-q").code == 0
        return Path("scores.parquet").read_bytes()


@pytest.mark.parametrize(
    ("mark", "words"),
    [("fails", "this model fails where it likes"), ("dies", "process was killed")],
)
def test_a_process_that_fails_ends_all_with_one_line_and_the_command_goes_on(
    here, scores, mark, words
):
    command = ["score", "net.py:net", *MODEL]
    here("together")
    Path(mark).touch()
    code, said = together(*command)
    assert code != 0
    (line,) = [line for line in said if line.startswith("arcal: ")]
    assert words in line
    blocks = [*Path(".scores.work").rglob("*.parquet")]
    assert blocks, "what was done is kept"
    Path(mark).unlink()
    assert together(*command)[0] == 0
    assert Path("scores.parquet").read_bytes() == scores
