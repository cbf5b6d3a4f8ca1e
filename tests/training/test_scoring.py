"""Scores of a run: in shards, resumed, shared by processes, and the same bits in every case."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from tiny_data import tiny

from arcal.attacks import ATTACKS, CarliniWagner, attack_named, name_of
from arcal.data import InMemory, load
from arcal.errors import ArcalError
from arcal.robustness import score
from arcal.store import RunFolder, load_scores, load_tensors, locked, save_tensors
from arcal.training import scoring
from arcal.training.device import fabric_on
from arcal.training.recipes import RECIPES
from arcal.training.run import Run, model_of
from arcal.training.scoring import SHARD, score_run
from arcal.training.train import train
from tiny_files import write_tiny

QUICK = CarliniWagner(search_steps=1, iterations=3)


@dataclass
class Case:
    """A trained run, the 500 images of its test part (3 shards), and where their scores lie."""

    folder: RunFolder
    test: InMemory

    def score(self, order="gradient", part=None, **options):
        return score_run(self.folder, self.test if part is None else part, "test", order, **options)

    def file(self, name="gradient"):
        return self.folder.scores("test", name)

    def shards(self, name="gradient"):
        return self.file(name).with_suffix(".shards")

    def command(self, *options):
        """`arcal score` in a process of its own."""
        command = [sys.executable, "-m", "arcal", "score", self.folder.path, *options]
        return subprocess.Popen(
            [*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    torch.set_num_threads(1)
    source = str(write_tiny(tmp_path_factory.mktemp("data"), test=500))
    data = load(source, validation=40)
    recipe = RECIPES["demo"].shortened(1)
    run = Run(data=source, network="resnet29", recipe=recipe, validation=40)
    assert isinstance(data.test, InMemory)
    return Case(train(run, tmp_path_factory.mktemp("runs"), data=data), data.test)


@pytest.fixture(scope="module")
def whole(trained):
    """The bytes of the score file of an uninterrupted scoring on one process."""
    trained.score()
    content = trained.file().read_bytes()
    trained.file().unlink()
    return content


@pytest.fixture
def case(trained):
    yield trained
    for path in sorted((trained.folder.path / "scores").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


@pytest.fixture
def written(monkeypatch):
    """The shards written in this process; after `written.limit` of them the disk is full."""

    class Written(list):
        limit = 1000

    written, save = Written(), scoring.save_scores

    def saved(path, *rest):
        if len(written) >= written.limit:
            raise OSError("disk full")
        save(path, *rest)
        written.append(path)

    monkeypatch.setattr(scoring, "save_scores", saved)
    return written


def interrupted(case, written, after, *arguments):
    written.limit = len(written) + after
    with pytest.raises(OSError, match="disk full"):
        case.score(*arguments)
    written.limit = 1000


def test_a_shard_is_a_block_of_ids_and_the_file_is_their_sum(case, whole, written):
    interrupted(case, written, 2)
    assert written == sorted(case.shards().iterdir())
    assert not case.file().exists()
    ids = case.test.ids.sort().values
    for number, path in enumerate(written):
        block = ids[number * SHARD : (number + 1) * SHARD]
        assert torch.equal(load_scores(path).ids, block)
    written[0].unlink()
    written.clear()
    told = []
    found = case.score(progress=lambda *done: told.append(done))
    assert [path.stem for path in written] == ["00000", "00002"], "a finished shard is kept"
    assert told[-1] == (500, 500)
    assert case.file().read_bytes() == whole
    assert not case.shards().exists()
    assert torch.equal(found.ids, case.test.ids)


def test_scores_are_those_of_a_plain_loop(case):
    few = case.test.subset(case.test.ids[:30])
    found = case.score("margin", few)
    batch = (few.ids, few.pixels.float() / 255, few.labels)
    expected = score(model_of(case.folder), [batch], "margin")
    torch.testing.assert_close(found.robustness, expected.robustness, rtol=1e-4, atol=1e-4)
    assert torch.equal(found.labels, few.labels)


def test_sparse_unsorted_ids(case):
    generator = torch.Generator().manual_seed(0)
    part = tiny(450, seed=1)
    shuffled = part.subset(part.ids[torch.randperm(450, generator=generator)])
    found = case.score("margin", shuffled)
    assert torch.equal(found.ids, shuffled.ids), "in the order of the part"
    assert torch.equal(found.labels, shuffled.labels)
    again = case.score("margin", shuffled)
    assert torch.equal(again.robustness, found.robustness)
    table = pq.read_table(case.file("margin"))
    case.file("margin").unlink()
    assert table["id"].to_pylist() == part.ids.tolist(), "the file is ascending"
    case.score("margin", part)
    assert pq.read_table(case.file("margin")).equals(table)


def test_processes_write_the_same_bytes(case, whole, monkeypatch):
    interrupted(case, monkeypatch, after=1)
    told = []
    found = case.score(
        fabric=fabric_on("cpu", processes=2), progress=lambda *done: told.append(done)
    )
    assert case.file().read_bytes() == whole
    assert len(found.ids) == 700
    assert told[-1] == (700, 700)
    assert not case.shards().exists()


def test_processes_that_run_already_write_the_same_bytes(case, whole, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    there = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    there |= {"GROUP_RANK": "0", "LOCAL_WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "test"}
    script = Path(__file__).with_name("two_scorers.py")
    processes = [
        subprocess.Popen(
            [sys.executable, script, case.folder.path, tmp_path / str(rank)],
            env=os.environ | there | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
        )
        for rank in range(2)
    ]
    for process in processes:
        _, error = process.communicate(timeout=120)
        assert process.returncode == 0, error.decode()
    assert case.file().read_bytes() == whole
    expected = load_scores(case.file())
    for rank in range(2):
        got = json.loads((tmp_path / str(rank)).read_text())
        assert got["robustness"] == expected.robustness.tolist(), "all return the same"
        assert got["error"] == got["line"], "and the same error"
        assert "is not a score file" in got["line"]


def test_an_error_in_a_process_is_one_line(case, monkeypatch):
    interrupted(case, monkeypatch, after=1, order="margin")
    shard = case.shards("margin") / "00000.parquet"
    shard.write_bytes(shard.read_bytes()[:-9])
    done = arcal_score(case, "--order", "margin", "--processes", 2).communicate(timeout=120)
    assert done[0] == ""
    lines = done[1].strip().splitlines()
    assert len(lines) == 1, done[1]
    assert lines[0].startswith(f"arcal: {shard} is not a score file")


def arcal_score(case, *options):
    command = [sys.executable, "-m", "arcal", "score", case.folder.path, *options]
    return subprocess.Popen(
        [*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_killed_scoring_continues_to_the_same_bytes(case, whole):
    process = arcal_score(case, "--order", "gradient")
    deadline = time.monotonic() + 120
    while not (found := list(case.shards().glob("*.parquet"))):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not case.file().exists(), "it must have been killed midway"
    modified = {path: path.stat().st_mtime_ns for path in found}
    kept = {}

    def keep(done, total):
        kept.update({p: p.stat().st_mtime_ns for p in modified if p.exists()})

    with watched_closely(keep, case.shards()):
        case.score()
    assert kept == modified, "finished shards are not scored again"
    assert case.file().read_bytes() == whole
