"""Scores of a run: in shards, resumed, shared by processes, and the same bits in every case."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

import pyarrow.parquet as pq
import pytest
import torch
from tiny_data import tiny

from arcal.attacks import CarliniWagner, attack_named, name_of
from arcal.cli import main
from arcal.data import InMemory, load
from arcal.errors import ArcalError
from arcal.files import locked
from arcal.robustness import score
from arcal.store import RunFolder, load_scores, load_tensors, save_tensors
from arcal.training import scoring
from arcal.training._train import train
from arcal.training.recipes import RECIPES
from arcal.training.run import Run
from arcal.training.saved_run import model_of
from arcal.training.scoring import SHARD, score_run
from tiny_files import write_tiny

pytestmark = pytest.mark.processor

QUICK = CarliniWagner(search_steps=1, iterations=3)
SIXTEEN = "boundary-projection-quick"
"""Long enough, at some half second a shard, to be stopped midway."""


@dataclass
class Case:
    """A trained run, the 500 images of its test part (3 shards), and where their scores lie."""

    folder: RunFolder
    test: InMemory

    def score(self, order="attack", part=None, attack=None, **options):
        if order == "attack":
            options["attack"] = attack or attack_named(SIXTEEN)
        return score_run(self.folder, self.test if part is None else part, "test", order, **options)

    def file(self, name=SIXTEEN):
        return self.folder.scores("test", name)

    def shards(self, name=SIXTEEN):
        return self.file(name).with_suffix(".shards")

    @property
    def command(self):
        """`arcal score` in a process of its own."""
        path = str(self.folder.path)
        return [sys.executable, "-m", "arcal", "score", path, "--attack", SIXTEEN]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    torch.set_num_threads(1)
    source = str(write_tiny(tmp_path_factory.mktemp("data"), test=500))
    data = load(source, validation=40)
    recipe = RECIPES["demo"].shortened(1)
    run = Run(data=source, recipe=recipe, validation=40)
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

    def saved(path, *rest, **how):
        if len(written) >= written.limit:
            raise OSError("disk full")
        save(path, *rest, **how)
        written.append(path)

    monkeypatch.setattr(scoring, "save_scores", saved)
    return written


def interrupted(case, written, after, *arguments):
    written.limit = len(written) + after
    with pytest.raises(OSError, match="disk full"):
        case.score(*arguments)
    written.limit = 1000


def test_a_shard_is_a_block_of_ids_and_the_file_is_their_sum(case, written):
    name = name_of(QUICK)
    case.score(attack=QUICK)
    whole = case.file(name).read_bytes()
    case.file(name).unlink()
    written.clear()
    interrupted(case, written, 2, "attack", None, QUICK)
    assert written == sorted(case.shards(name).iterdir())
    assert not case.file(name).exists()
    ids = case.test.ids.sort().values
    for number, path in enumerate(written):
        block = ids[number * SHARD : (number + 1) * SHARD]
        assert torch.equal(load_scores(path).ids, block)
    written[0].unlink()
    written.clear()
    told = []
    found = case.score(attack=QUICK, progress=lambda *done: told.append(done))
    assert [path.stem for path in written] == ["00000", "00002"], "a finished shard is kept"
    assert told[-1] == (500, 500)
    assert case.file(name).read_bytes() == whole
    assert not case.shards(name).exists()
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
    part = tiny(250, seed=1, Z=3)
    shuffled = part.subset(part.ids[torch.randperm(250, generator=generator)])
    found = case.score("margin", shuffled)
    assert torch.equal(found.ids, shuffled.ids), "in the order of the part"
    assert torch.equal(found.labels, shuffled.labels)
    assert torch.equal(case.score("margin", shuffled).robustness, found.robustness)
    table = pq.read_table(case.file("margin"))
    assert table["id"].to_pylist() == part.ids.tolist(), "the file is ascending"
    case.file("margin").unlink()
    case.score("margin", part)
    assert pq.read_table(case.file("margin")).equals(table)


def test_no_more_than_a_batch_of_images_is_read_at_a_time(case, monkeypatch):
    read, images = [], InMemory.images

    def counted(part, positions):
        read.append(len(positions))
        return images(part, positions)

    monkeypatch.setattr(InMemory, "images", counted)
    case.score("random")
    assert max(read) == scoring.BATCH
    assert sum(read) == 500


@pytest.mark.slow
def test_processes_write_the_same_bytes(case, whole, written, monkeypatch, capfd):
    interrupted(case, written, 1)
    monkeypatch.setattr(sys, "argv", ["arcal", *case.command[3:], "--devices", "2", "--json"])
    main()
    output, error = capfd.readouterr()
    assert json.loads(output)["file"] == str(case.file())
    assert error.count("500 inputs") == 1, "one process tells"
    assert case.file().read_bytes() == whole
    assert not case.shards().exists()


@pytest.mark.slow
def test_a_killed_scoring_continues_to_the_same_bytes(case, whole, written):
    process = subprocess.Popen(case.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 300
    while not list(case.shards().glob("*.parquet")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not case.file().exists(), "it must have been killed midway"
    found = {path.stem for path in case.shards().glob("*.parquet")}
    case.score()
    assert found.isdisjoint(path.stem for path in written), "finished shards are not repeated"
    assert len(found) + len(written) == 3
    assert case.file().read_bytes() == whole


@pytest.mark.parametrize("kept", ["file", "shard"])
def test_scores_of_another_model_data_or_code_are_refused(case, kept, monkeypatch):
    few = case.test.subset(case.test.ids[:4])
    case.score("attack", few, attack=QUICK)
    name = name_of(QUICK)
    assert name == "carlini-wagner-search_steps-1-iterations-3"
    path = case.file(name)
    if kept == "shard":
        shards = case.shards(name)
        shards.mkdir()
        path = path.rename(shards / "00000.parquet")

    def refused(says, part=few):
        with pytest.raises(ArcalError) as error:
            case.score("attack", part, attack=QUICK)
        line = str(error.value)
        to_delete = "it" if kept == "file" else path.parent
        assert line.startswith(f"{path} is stale: its {says}"), line
        assert line.endswith(f"; delete {to_delete} and score again")
        assert line.count(" is ") == 2, "it names only what changed"

    with monkeypatch.context() as changed:
        later = scoring.FORMAT + 1
        changed.setattr(scoring, "FORMAT", later)
        refused(f"format is {later - 1}, not {later};")
    refused("data is ", part=case.test.subset(case.test.ids[1:5]))
    checkpoint = case.folder.checkpoint
    content = checkpoint.read_bytes()
    tensors, header = load_tensors(checkpoint)
    try:
        save_tensors(checkpoint, {name: 2 * t for name, t in tensors.items()}, **header)
        refused("model is ")
    finally:
        checkpoint.write_bytes(content)
    if kept == "shard":
        torch.set_num_threads(2)
        refused("threads is 1, not 2;")
        torch.set_num_threads(1)
    case.score("attack", few, attack=QUICK)
    torch.set_num_threads(2)
    case.score("attack", few, attack=QUICK)  # what is finished holds for any number of threads


def test_a_damaged_shard_and_one_of_other_ids_are_refused(case, written):
    interrupted(case, written, 2, "random")
    first, second = (path.read_bytes() for path in written)
    written[0].write_bytes(second)
    with pytest.raises(ArcalError, match=r"00000.parquet has different ids: delete .*shards and"):
        case.score("random")
    written[0].write_bytes(first[:-20])
    with pytest.raises(ArcalError, match=r"00000.parquet is not a score file .* delete it"):
        case.score("random")
    written[0].unlink()
    case.score("random")


def test_who_needs_the_same_file_waits_and_reads_it(case, whole, written):
    got = []
    other = threading.Thread(target=lambda: got.append(case.score()))
    with locked(case.file().with_name(f".test-{SIXTEEN}.lock")):
        other.start()
        other.join(0.5)
        assert other.is_alive(), "it waits for whoever is scoring"
        case.file().write_bytes(whole)
    other.join(30)
    assert written == []
    assert torch.equal(got[0].robustness, case.score().robustness)
