import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from toy_images import SHARED, encode, random_images

from arcal.data import load, load_table
from arcal.data.parquet import read_parquet, read_pixels
from arcal.data.parquet_columns import ParquetColumns
from arcal.data.sources import find_source
from arcal.errors import ArcalError

GREY = [encode(image) for image in random_images(6, 5, 7)]
COLOUR = [encode(image) for image in random_images(6, 5, 7, 3)]


def huggingface(names, label="label"):
    feature = {"names": names, "_type": "ClassLabel"}
    return {"huggingface": json.dumps({"info": {"features": {label: feature}}})}


def find(path):
    there = find_source(str(path), formats=["parquet"])
    return {part: there.choose(part)[2] for part in ("train", "test")}


def read(tmp_path):
    return tuple(read_parquet(find(tmp_path), "toy").values())


def test_pixels_labels_ids_and_names(tmp_path, write_parquet):
    names = huggingface(["cat", "dog"], "fine_label")
    more = {"column": "img", "label_name": "fine_label", "metadata": names}
    write_parquet("plain_text/train-00000-of-00001.parquet", COLOUR, [0, 1, 0, 1, 1, 0], **more)
    write_parquet("plain_text/test-00000-of-00001.parquet", COLOUR[:2], [1, 0], id=[5, 2], **more)
    train, test = read(tmp_path)
    expected = torch.from_numpy(random_images(6, 5, 7, 3)).permute(0, 3, 1, 2)
    assert torch.equal(train.pixels, expected)
    assert torch.equal(test.pixels, expected[:2])
    assert train.labels.tolist() == [0, 1, 0, 1, 1, 0]
    assert (train.ids.tolist(), test.ids.tolist()) == ([0, 1, 2, 3, 4, 5], [5, 2])
    assert train.classes == test.classes == ("cat", "dog")
    assert (train.name, test.name) == ("toy/train", "toy/test")


def test_grey_images_have_one_channel_and_classes_are_numbered_without_names(
    tmp_path, write_parquet
):
    write_parquet("train.parquet", GREY, [0, 1, 0, 1, 1, 0])
    write_parquet("test.parquet", GREY[:1], [2], id=["a"])  # no integer: not an id
    train, test = read(tmp_path)
    assert torch.equal(train.pixels[:, 0], torch.from_numpy(random_images(6, 5, 7)))
    assert train.shape == (1, 5, 7)
    assert train.classes == test.classes == ("0", "1", "2")
    assert test.ids.tolist() == [0]


def test_labels_that_are_text_are_the_same_classes_in_both_parts(tmp_path, write_parquet):
    write_parquet("train.parquet", GREY[:3], ["fox", "cat", "dog"])
    write_parquet("test.parquet", GREY[:2], ["dog", "fox"])
    train, test = read(tmp_path)
    assert train.classes == test.classes == ("cat", "dog", "fox")
    assert (train.labels.tolist(), test.labels.tolist()) == ([2, 0, 1], [1, 2])
    write_parquet("test.parquet", GREY[:1], ["owl"])
    with pytest.raises(ArcalError, match=r"test\.parquet, row 0: label is 'owl', which is none"):
        read(tmp_path)


def test_shards_are_read_in_order_with_running_ids(tmp_path, write_parquet):
    for n in (1, 0, 2):
        some = slice(2 * n, 2 * n + 2)
        name = f"data/train-0000{n}-of-00003-a09b74b3ef9c3b5{n}.parquet"
        write_parquet(name, GREY[some], [n, 0])
    write_parquet("data/test-00000-of-00001.parquet", GREY[:1], [0])
    train, _ = read(tmp_path)
    assert torch.equal(train.pixels[:, 0], torch.from_numpy(random_images(6, 5, 7)))
    assert train.ids.tolist() == list(range(6))
    assert train.labels.tolist() == [0, 0, 1, 0, 2, 0]
    (tmp_path / "data" / "train-00001-of-00003-a09b74b3ef9c3b51.parquet").unlink()
    with pytest.raises(ArcalError, match="files of train are incomplete"):
        find(tmp_path)


def test_all_shards_must_have_the_shape_of_the_first(tmp_path, write_parquet):
    write_parquet("train-00000-of-00002.parquet", GREY, [0] * 6)
    write_parquet("train-00001-of-00002.parquet", COLOUR, [0] * 6)
    write_parquet("test.parquet", GREY[:1], [0])
    with pytest.raises(ArcalError, match=r"00001-of-00002\.parquet, row 0: the image has shape"):
        read(tmp_path)


def test_a_prefix_takes_its_own_files_only(tmp_path):
    names = ["cifar10-train", "cifar10-test", "cifar100-train-25000", "cifar100-test"]
    for name in names:
        (tmp_path / f"{name}.parquet").touch()
    paths = [tmp_path / f"{name}.parquet" for name in names]
    assert find(tmp_path / "cifar10") == {"train": (paths[0],), "test": (paths[1],)}
    assert find(tmp_path / "cifar100") == {"train": (paths[2],), "test": (paths[3],)}
    for nothing in (tmp_path / "cifar", tmp_path / "missing" / "cifar10"):
        with pytest.raises(ArcalError, match="is not there"):
            find(nothing)
    with pytest.raises(ArcalError, match=r"several files that are train \(cifar10-train\.parquet"):
        find(tmp_path)


def test_half_a_data_set_and_two_data_sets_raise(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "latest-train.parquet").touch()  # "latest" holds "test"
    with pytest.raises(ArcalError, match="has only train, in the format parquet: to train, give i"):
        load(str(tmp_path))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "test.parquet").touch()
    with pytest.raises(ArcalError, match="in more than one folder"):
        find(tmp_path)


@pytest.mark.parametrize(
    ("image", "label", "more", "message"),
    [
        ([GREY[0], GREY[1][:50]], [0, 1], {}, "row 1: the image cannot be read"),
        ([GREY[0], b""], [0, 1], {}, "row 1: the image cannot be read"),
        ([GREY[0], None], [0, 1], {}, "row 1: the image has no bytes"),
        (
            [GREY[0], COLOUR[0]],
            [0, 1],
            {},
            r"row 1: the image has shape \(3, 5, 7\), those",
        ),
        (GREY[:2], [0, -1], {}, r"row 1: label -1 is not in \[0, 1\)"),
        (GREY[:2], [0, 2**40], {}, "row 1: label 1099511627776 is not in"),
        (GREY[:2], [0, 2], {"metadata": huggingface(["a", "b"])}, r"row 1: label 2 is not in"),
        (GREY[:2], [0, None], {}, "row 1: label is missing"),
        (GREY[:2], [0.5, 1], {}, r"row 0: label is 0\.5, which is not a class"),
        (GREY[:2], [0, 1], {"label_name": "y"}, "has no column label or fine_label"),
        (GREY[:2], [0, 1], {"column": "picture"}, "has no column image or img"),
        (GREY[:2], [0, 1], {"id": [3, 3]}, "id 3 occurs more than once"),
        (GREY[:2], [0, 1], {"id": [3, None]}, "row 1: id is missing"),
        (
            GREY[:2],
            [0, 1],
            {"metadata": {"huggingface": "{"}},
            "names in its metadata cannot be read",
        ),
        ([], pa.array([], pa.int64()), {}, "has no rows"),
    ],
)
def test_what_is_wrong_is_one_line_that_says_where(
    tmp_path, write_parquet, image, label, more, message
):
    write_parquet("train.parquet", image, label, **more)
    write_parquet("test.parquet", GREY[:1], [0])
    with pytest.raises(ArcalError, match=message) as raised:
        read(tmp_path)
    assert "train" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_two_columns_of_ids_are_told_and_not_taken_for_none(tmp_path, write_parquet):
    two = pa.array([7, 8])
    write_parquet("train.parquet", GREY[:2], [0, 1])
    images = pq.read_table(write_parquet("test.parquet", GREY[:2], [0, 1], id=two))
    pq.write_table(images.append_column("id", two), tmp_path / "test.parquet")
    with pytest.raises(ArcalError, match=r"test\.parquet has 2 columns id: keep one of them"):
        read(tmp_path)
    numbers = pa.table([two, two, two, pa.array([0, 1])], ["id", "id", "age", "label"])
    pq.write_table(numbers, tmp_path / "rows.parquet")
    with pytest.raises(ArcalError, match=r"rows\.parquet.*2 columns id: keep one of them"):
        load_table(tmp_path / "rows.parquet")


def test_files_that_name_their_classes_differently_raise(tmp_path, write_parquet):
    write_parquet("train.parquet", GREY[:2], [0, 1], metadata=huggingface(["cat", "dog"]))
    write_parquet("test.parquet", GREY[:2], [0, 1], metadata={"names": "dog,cat"})
    with pytest.raises(ArcalError, match=r"test\.parquet name their classes differently"):
        read(tmp_path)
    write_parquet("test.parquet", GREY[:2], [0, 1], metadata={"names": "cat,dog"})
    assert read(tmp_path)[1].classes == ("cat", "dog")


@pytest.mark.parametrize("keep", [0, 100, -20])
def test_a_damaged_file_raises(tmp_path, write_parquet, keep):
    write_parquet("test.parquet", GREY[:1], [0])
    path = write_parquet("train.parquet", GREY, [0, 1, 0, 1, 1, 0])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ArcalError, match=r"train\.parquet cannot be read as Parquet") as raised:
        read(tmp_path)
    assert "\n" not in str(raised.value)


@pytest.fixture(scope="module")
def cifar10_test():
    """The columns of the 10,000 real test images, and their pixels."""
    file = SHARED / "data" / "cifar10-test.parquet"
    if not file.exists():
        pytest.skip("the real data is not there: set ARCAL_SHARED")
    columns = ParquetColumns((file,))
    return columns, read_pixels(columns)


def test_real_cifar10_is_the_official_test_set_in_the_official_order(cifar10_test):
    _, pixels = cifar10_test
    oracle = SHARED / "oracles" / "cifar10c-20-images.npz"
    if not oracle.exists():
        pytest.skip("the official images to compare with are not there: set ARCAL_SHARED")
    with np.load(oracle) as images:
        official = torch.from_numpy(images["clean"]).permute(0, 3, 1, 2)
        assert torch.equal(pixels[images["official_test_index"]], official)
