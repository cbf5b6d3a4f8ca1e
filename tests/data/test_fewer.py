"""Fewer images and classes: ids stay, draws nest, nothing else changes."""

import pytest
import torch

from arcal.data import InMemory, load
from arcal.data.fewer import drawn, only_classes
from arcal.errors import ArcalError


@pytest.fixture
def part():
    ids = torch.arange(60).flip(0) * 7 + 1
    pixels = torch.arange(60).to(torch.uint8).view(60, 1, 1, 1)
    return InMemory("toy/train", ids, torch.arange(60) % 4, ("a", "b", "c", "d"), pixels)


def test_draws_nest_and_keep_their_images(part):
    few, more = drawn(part, 10, split_seed=0), drawn(part, 30, split_seed=0)
    assert set(few.ids.tolist()) < set(more.ids.tolist())
    assert torch.equal(few.ids, few.ids.sort().values)
    assert set(few.ids.tolist()) != set(drawn(part, 10, split_seed=1).ids.tolist())
    at = [part.ids.tolist().index(id) for id in few.ids.tolist()]
    assert torch.equal(few.images(torch.arange(10)), part.pixels[at])
    assert drawn(part, None, split_seed=0) is part
    with pytest.raises(ArcalError, match="choose from 1 to 60"):
        drawn(part, 61, split_seed=0)


def test_classes_are_renumbered(part):
    some = only_classes(part, (3, 1))
    assert some.classes == ("d", "b")
    assert len(some) == 30
    of_id = dict(zip(part.ids.tolist(), part.labels.tolist(), strict=True))
    assert [of_id[id] for id in some.ids.tolist()] == [(3, 1)[z] for z in some.labels.tolist()]
    for bad in ((1,), (1, 1), (1, 4), (-1, 2)):
        with pytest.raises(ArcalError, match="give two or more of 0 to 3"):
            only_classes(part, bad)


def test_a_smaller_data_set():
    data = load("fashion", validation=100, images=500, test_images=200, classes=(0, 1, 7))
    assert [len(part) for part in (data.train, data.validation, data.test)] == [500, 100, 200]
    assert data.classes == tuple(load("fashion").classes[z] for z in (0, 1, 7))
    whole = load("fashion", validation=100, classes=(0, 1, 7))
    assert torch.equal(whole.validation.ids, data.validation.ids)


def test_of_two_embedded_classes_a_tenth_is_for_validation():
    """They have fewer images than the 3,000 of all classes."""
    data = load("fashion", classes=(0, 1))
    assert (len(data.train), len(data.validation)) == (1620, 180)
