"""A kill in the middle of a re-scoring loses a shard: not the epoch before it, nor other shards."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from test_fit import RECIPE, levelled, run
from tiny_data import tiny_data

from arcal.methods import ARAdaLS
from arcal.store import RunFolder, load_header
from arcal.training import _rescoring

SHARD = 20


class StopError(Exception):
    pass


class Ranking:
    """Scores by id, and stops after so many shards."""

    def __init__(self, shards=1000):
        self.left, self.done = shards, []

    def __call__(self, models, part, positions):
        if not self.left:
            raise StopError
        self.left -= 1
        self.done.append((part.name.rpartition("/")[2], int(positions[0]) // SHARD))
        rows = part.ids[positions].float()
        return torch.stack([(7 * rows + m) % 11 for m, _ in enumerate(models)])


@pytest.fixture
def data(monkeypatch):
    monkeypatch.setattr(_rescoring, "SHARD", SHARD)
    return tiny_data()


def train(data, folder, ranking):
    method = levelled(data, ARAdaLS(4, alpha=0.1, R=3, rescore=[1]))
    weights, records = run(
        data, method, (0, 1), recipe=RECIPE.shortened(2), rescore=ranking, folder=folder
    )
    return method.smoothing.state_dict(), weights, records


def folder_in(path):
    return RunFolder.create(path, "toy", {})


def test_what_was_done_is_not_done_again_and_the_bits_are_the_same(data, tmp_path):
    whole, every = folder_in(tmp_path / "whole"), Ranking()
    train(data, whole, every)
    assert len(every.done) > 5
    cut = folder_in(tmp_path / "cut")
    for shards in (3, 1):  # twice
        with pytest.raises(StopError):
            train(data, cut, Ranking(shards))
        assert load_header(cut.checkpoint) == {"epoch": 1, "run": cut.digest, "unscored": True}
        assert len(cut.epochs()) == 1, "the epoch is kept"
    rest = Ranking()
    _, _, records = train(data, cut, rest)
    assert rest.done == every.done[4:]
    assert cut.checkpoint.read_bytes() == whole.checkpoint.read_bytes()
    assert not cut.rescoring.exists()
    assert ["rescoring_seconds" in record for record in records] == [True, False]


@pytest.mark.parametrize("spoil", ["other", "damaged"])
def test_shards_of_something_else_are_done_again(data, tmp_path, spoil):
    whole, every = folder_in(tmp_path / "whole"), Ranking()
    train(data, whole, every)
    folder = folder_in(tmp_path / "cut")
    with pytest.raises(StopError):
        train(data, folder, Ranking(2))
    first, _ = sorted((folder.rescoring / "train").iterdir())
    if spoil == "damaged":
        first.write_bytes(first.read_bytes()[:-1])
    else:
        _rescoring.save_tensors(first, {"robustness": torch.zeros(2, SHARD)}, state="other")
    rest = Ranking()
    train(data, folder, rest)
    assert rest.done == [every.done[0], *every.done[2:]]
    assert folder.checkpoint.read_bytes() == whole.checkpoint.read_bytes()


def command(folder, devices):
    size = ["--images", 600, "--validation", 60, "--epochs", 2, "--rescore", 1]
    levels = ["--method", "ar-adals", "--order", "attack", "--levels", 2, "--alpha", 0.1]
    options = ["--devices", devices, "--runs", folder, "-v"]
    return [sys.executable, "-m", "arcal", "train", *map(str, [*size, *levels, *options])]


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 2])
def test_a_killed_rescoring_goes_on(tmp_path, devices):
    process = subprocess.Popen(
        command(tmp_path / "cut", devices), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 300
    while not (shards := list(tmp_path.glob("cut/*/rescoring/train/0*.safetensors"))):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    (folder,) = {path.parents[2] for path in shards}
    assert load_header(folder / "checkpoint.safetensors")["unscored"]
    done = subprocess.run(command(tmp_path / "cut", devices), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if devices == 1:
        assert "images of train were re-scored before" in done.stderr.replace("\n", " ")
    whole = subprocess.run(command(tmp_path / "whole", devices), capture_output=True, text=True)
    assert whole.returncode == 0, whole.stderr
    (expected,) = tmp_path.glob(f"whole/{folder.name}/checkpoint.safetensors")
    assert (folder / "checkpoint.safetensors").read_bytes() == expected.read_bytes()
