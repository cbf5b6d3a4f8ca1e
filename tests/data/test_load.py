import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_images import encode, random_images

from arcal.data import InMemory, load, load_test
from arcal.data.fewer import split
from arcal.errors import ArcalError
from tiny_files import write_tiny


def part(N: int, name: str = "toy/train") -> InMemory:
    """Sparse ids that do not ascend."""
    ids = torch.arange(N).flip(0) * 35 + 3
    pixels = (ids % 251).to(torch.uint8).view(N, 1, 1, 1)
    return InMemory(name, ids, ids % 3, ("a", "b", "c"), pixels)


@settings(max_examples=50)
@given(st.integers(2, 60), st.data(), st.integers(0, 2**40))
def test_a_split_is_two_disjoint_ascending_halves_of_the_whole(N, data, seed):
    size = data.draw(st.integers(1, N - 1))
    whole = part(N)
    drawn, rest = split(whole, size, split_seed=seed, names=("drawn", "rest"))
    assert (len(drawn), len(rest)) == (size, N - size)
    assert (drawn.name, rest.name) == ("drawn", "rest")
    ids = [some.ids.tolist() for some in (drawn, rest)]
    assert ids == [sorted(some) for some in ids]
    assert sorted(ids[0] + ids[1]) == sorted(whole.ids.tolist())
    for some in (drawn, rest):
        assert torch.equal(some.labels, some.ids % 3)
        assert torch.equal(some.images(torch.arange(len(some))).flatten(), some.ids % 251)


def test_the_draw_is_the_split_seeds_alone():
    """Written down, so that no release changes a split that scores on disk rely on."""

    def drawn(seed: int) -> list[int]:
        ids = torch.arange(50_000)
        labels, pixels = torch.zeros_like(ids), torch.zeros(50_000, 1, 1, 1, dtype=torch.uint8)
        whole = InMemory("toy", ids, labels, ("a",), pixels)
        return split(whole, 5000, split_seed=seed, names=("a", "b"))[0].ids.tolist()

    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = drawn(0)
    assert torch.equal(torch.get_rng_state(), before)
    assert first[:6] == [22, 24, 31, 33, 36, 61]
    assert abs(np.mean(first) - 25_000) < 5 * 50_000 / np.sqrt(12 * 5000)
    assert abs(len(set(first) & set(drawn(1))) - 500) < 5 * np.sqrt(500)


def test_what_is_no_data_set_is_one_line_that_lists_what_was_looked_for(tmp_path):
    for source in (str(tmp_path), str(tmp_path / "missing"), "fashoin"):
        with pytest.raises(ArcalError) as raised:
            load(source)
        message = str(raised.value)
        assert re.match(f"{re.escape(source)} (is not there|holds no data set): give 'f", message)
        assert "\n" not in message
        for word in ("fashion", "train*.parquet", "cifar-100-python", "train/CLASS/IMAGE"):
            assert word in message
    (tmp_path / "train" / "cat").mkdir(parents=True)
    (tmp_path / "train" / "cat" / "0.png").touch()
    with pytest.raises(
        ArcalError, match="has only train, in the format folder"
    ):  # no test/ nor val/
        load(str(tmp_path))


def test_parquet_by_folder_and_by_prefix(tmp_path, write_parquet):
    images = [encode(image) for image in random_images(9, 4, 4)]
    write_parquet("toy-train.parquet", images, [0, 1, 2] * 3, id=[9, 8, 7, 6, 5, 4, 3, 2, 1])
    write_parquet("toy-test.parquet", images[:2], [0, 1])
    by_prefix, by_folder = (
        load(str(tmp_path / "toy"), validation=4),
        load(str(tmp_path), validation=4),
    )
    assert by_prefix.train.name == "toy/train"
    assert by_folder.name == tmp_path.name
    for name in ("train", "validation", "test"):
        assert by_prefix.part(name).fingerprint() == by_folder.part(name).fingerprint()
    ids = by_prefix.train.ids.tolist() + by_prefix.validation.ids.tolist()
    assert sorted(ids) == list(range(1, 10))
    pixels = torch.from_numpy(random_images(9, 4, 4))
    some = by_prefix.validation
    assert torch.equal(some.images(torch.arange(4))[:, 0], pixels[9 - some.ids])


def test_a_validation_part_of_the_data_is_the_validation_part(tmp_path, write_parquet):
    """As in the layout of Hugging Face, unless images are to be drawn from the training part."""
    images = [encode(image) for image in random_images(15, 4, 4)]
    write_parquet("train.parquet", images[:9], [0, 1, 2] * 3)
    write_parquet("validation.parquet", images[9:13], [0, 1, 2, 0])
    write_parquet("test.parquet", images[13:], [0, 1])
    data = load(str(tmp_path))
    assert data.own_validation
    assert [len(data.part(name)) for name in ("train", "validation", "test")] == [9, 4, 2]
    assert data.validation.name == f"{tmp_path.name}/validation"
    assert torch.equal(
        data.validation.images(torch.arange(4))[:, 0],
        torch.from_numpy(random_images(15, 4, 4)[9:13]),
    )
    drawn = load(str(tmp_path), validation=4)
    assert not drawn.own_validation
    assert [len(drawn.part(name)) for name in ("train", "validation", "test")] == [5, 4, 2]
    with pytest.raises(ArcalError, match="have a size already, and --size 8 is for folders"):
        load(str(tmp_path), size=8)


def test_the_test_part_alone_needs_no_split(tmp_path):
    prefix = write_tiny(tmp_path)
    part = load_test(str(prefix))
    assert part.name == "tiny/test"
    assert part.fingerprint() == load(str(prefix), validation=40).test.fingerprint()
    with pytest.raises(ArcalError, match="nowhere is not there"):
        load_test(str(tmp_path / "nowhere"))


def test_a_test_set_needs_nothing_to_train_on_and_no_labels(tmp_path, write_parquet):
    images = random_images(3, 4, 4)
    write_parquet("toy-test.parquet", [encode(image) for image in images], [0, 1, 1])
    np.savez(tmp_path / "drawn.npz", x_test=images)
    for name in ("toy-test.parquet", "toy", "drawn.npz"):
        part = load_test(str(tmp_path / name))
        assert torch.equal(part.images(torch.arange(3))[:, 0], torch.from_numpy(images)), name
