from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from arcal.data import Folder, InMemory, OnDemand, ReadAhead, batches, load_part
from arcal.errors import ArcalError


def part(N: int) -> InMemory:
    ids = torch.arange(N).flip(0) * 3
    pixels = (ids % 256).to(torch.uint8).view(N, 1, 1, 1).expand(N, 3, 2, 2)
    return InMemory("toy/train", ids, ids % 4, ("a", "b", "c", "d"), pixels)


@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 2**30))
def test_every_position_once_in_the_order_given_with_what_belongs_to_it(N, size, seed):
    whole = part(N)
    order = torch.randperm(N, generator=torch.Generator().manual_seed(seed))
    walk = list(batches(whole, size, order=order))
    assert [len(ids) for ids, _, _ in walk[:-1]] == [size] * (len(walk) - 1)
    ids = torch.cat([ids for ids, _, _ in walk])
    assert torch.equal(ids, whole.ids[order])
    assert torch.equal(torch.cat([labels for _, _, labels in walk]), ids % 4)
    images = torch.cat([images for _, images, _ in walk])
    assert images.dtype == torch.uint8
    assert torch.equal(images, (ids % 256).byte().view(N, 1, 1, 1).expand(N, 3, 2, 2))


def test_the_default_order_ascends_and_part_of_the_positions_will_do():
    assert torch.cat([ids for ids, _, _ in batches(part(7), 3)]).tolist() == part(7).ids.tolist()
    assert [i.tolist() for i, _, _ in batches(part(7), 2, order=torch.tensor([6, 0, 6]))] == (
        [[0, 18], [0]]
    )
    assert list(batches(part(7), 2, order=torch.tensor([], dtype=torch.int64))) == []


@pytest.mark.parametrize("piece", [64, 2])
@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # where there is one core only
def test_workers_give_the_same_batches_and_no_global_generator_is_touched(
    tmp_path, monkeypatch, piece
):
    monkeypatch.setattr("arcal.data._batches.PIECE", piece)
    for at in range(23):
        path = tmp_path / f"c{at % 3}" / f"{at}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((10, 12, 3), at, np.uint8)).save(path)
    lazy = Folder(tmp_path, size=8)
    order = torch.randperm(23, generator=torch.Generator().manual_seed(3))
    torch.manual_seed(9)
    before = torch.get_rng_state()
    walks = [list(batches(lazy, 5, order=order, workers=workers)) for workers in (0, 2)]
    assert torch.equal(torch.get_rng_state(), before)
    assert len(walks[0]) == len(walks[1]) == 5
    for plain, ahead in zip(*walks, strict=True):
        assert isinstance(ahead, tuple)
        for left, right in zip(plain, ahead, strict=True):
            assert torch.equal(left, right)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size of 1 or more"),
        ({"workers": -1}, "0 or more workers"),
        ({"order": torch.tensor([0, 5])}, r"outside \[0, 5\)"),
        ({"order": torch.tensor([-1])}, r"outside \[0, 5\)"),
        ({"order": torch.tensor([True] * 5)}, "must be int64"),
    ],
)
def test_bad_requests_raise_at_once(options, message):
    with pytest.raises(ArcalError, match=message):
        batches(part(5), **{"size": 2} | options)


def files(tmp_path, N=12):
    part = folder_of(tmp_path, N)
    return load_part(str(part), size=16)


def folder_of(tmp_path, N):
    generator = np.random.default_rng(0)
    for i in range(N):
        path = tmp_path / "pets" / ("cat", "dog")[i % 2] / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 255, (20, 24, 3), np.uint8)).save(path)
    return tmp_path / "pets"


@pytest.mark.parametrize("workers", [0, 2])
def test_what_is_read_ahead_is_what_is_there(tmp_path, workers):
    part = files(tmp_path)
    blocks = torch.randperm(len(part), generator=torch.Generator().manual_seed(0)).split(5)
    ahead = ReadAhead(part, blocks, workers)
    unexpected = torch.tensor([3, 1])
    for positions in (blocks[0], unexpected, *blocks[1:], blocks[0]):
        assert torch.equal(ahead.images(positions), part.images(positions))


def test_a_damaged_file_is_said_when_its_block_is_needed(tmp_path):
    part = files(tmp_path)
    assert isinstance(part, OnDemand)
    where = part.where(7)
    Path(where).write_bytes(b"no image")
    ahead = ReadAhead(part, torch.arange(12).split(4), 1)
    ahead.images(torch.arange(4))
    with pytest.raises(ArcalError, match="cannot be read") as caught:
        ahead.images(torch.arange(4, 8))
    assert str(caught.value).startswith(where)
