"""A kill in the middle of a re-scoring loses a shard: not the epoch before it, nor other shards."""

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
