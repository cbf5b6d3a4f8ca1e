"""What is found at a path, and which part of it is read."""

import numpy as np
import pytest
from toy_images import encode, random_images

from arcal.data.sources import find_source
from arcal.errors import ArcalError

IMAGE = encode(random_images(1, 4, 4)[0])


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(IMAGE if path.suffix == ".png" else b"")
    return root


def chosen(path, part=None):
    source = find_source(str(path))
    name, title, paths = source.choose(part)
    return source.format, name, title, [p.relative_to(path).as_posix() for p in paths]


@pytest.mark.parametrize(
    ("names", "part", "expected"),
    [
        (["train.csv", "val.csv", "test.csv"], None, ("csv", "test", ["test.csv"])),
        (["train.csv", "val.csv"], None, ("csv", "validation", ["val.csv"])),
        (["Training/a.csv", "Testing/b.csv"], None, ("csv", "test", ["Testing/b.csv"])),
        (["train.csv", "valid.csv"], "valid", ("csv", "validation", ["valid.csv"])),
        (["train.csv", "dev.csv"], "validation", ("csv", "validation", ["dev.csv"])),
        (["train.csv"], None, ("csv", "train", ["train.csv"])),
        (["train.csv", "test.csv"], "train", ("csv", "train", ["train.csv"])),
        (["rows.csv"], None, ("csv", "", ["rows.csv"])),
        (
            ["test_1.csv.gz", "test_2.csv.gz"],
            None,
            ("csv", "test", ["test_1.csv.gz", "test_2.csv.gz"]),
        ),
        (["latest-train.parquet"], None, ("parquet", "train", ["latest-train.parquet"])),
        (["data/my_Test.parquet"], None, ("parquet", "test", ["data/my_Test.parquet"])),
        (
            ["default/test-00001-of-00002.parquet", "default/test-00000-of-00002-ab12.parquet"],
            None,
            (
                "parquet",
                "test",
                ["default/test-00000-of-00002-ab12.parquet", "default/test-00001-of-00002.parquet"],
            ),
        ),
        (
            ["test/0001.parquet", "test/0000.parquet", "train/0000.parquet"],
            None,
            ("parquet", "test", ["test/0000.parquet", "test/0001.parquet"]),
        ),
        (
            ["val-000001.tar", "val-000002.tar", "train-000000.tar"],
            None,
            ("tar", "validation", ["val-000001.tar", "val-000002.tar"]),
        ),
        (["shard_10.tar", "shard_09.tar"], None, ("tar", "", ["shard_09.tar", "shard_10.tar"])),
        (["a/1.png", "b/1.png"], None, ("folder", "", ["."])),
        (["test/a/1.png", "val/a/1.png"], None, ("folder", "test", ["test"])),
        (["test/1.png", "val/a/1.png"], None, ("folder", "validation", ["val"])),  # no labels
        (["Valid/a/1.png", "train/a/1.png"], None, ("folder", "validation", ["Valid"])),
        (["train/1.png", "car/1.png"], None, ("folder", "", ["."])),  # train is a class
        (["images/1.png", "labels.csv"], None, ("csv", "", ["labels.csv"])),
        (["a/1.png", "b/1.png", "notes.csv"], None, ("folder", "", ["."])),
        (["test.parquet", "dataset_info.json"], None, ("parquet", "test", ["test.parquet"])),
        (["test.jsonl", ".hidden.csv"], None, ("jsonl", "test", ["test.jsonl"])),
    ],
    ids=str,
)
def test_the_part_that_is_read(tmp_path, names, part, expected):
    root = touch(tmp_path / "pets", *names)
    format, name, paths = expected
    title = f"pets/{name}" if name else "pets"
    assert chosen(root, part) == (format, name, title, paths)


def test_a_file_a_prefix_and_the_folder_of_a_part_have_names_too(tmp_path):
    names = ["cifar10-test.csv", "cifar10-train.csv", "cifar10-c-test.csv", "cifar100-test.csv"]
    touch(tmp_path, *names, "rows.jsonl", "pets/val/a/1.png")
    title = {
        "cifar10": "cifar10/test",
        "cifar10-train.csv": "cifar10/train",
        "cifar10-c": "cifar10-c/test",
        "rows.jsonl": "rows",
        "pets/val": "pets/validation",
    }
    for name, expected in title.items():
        assert find_source(str(tmp_path / name)).choose(None)[1] == expected


def test_npz_names_its_parts_in_its_keys(tmp_path):
    file = tmp_path / "blood.npz"
    np.savez(file, train_images=0, val_images=0, val_labels=0)
    assert find_source(str(file)).choose(None)[:2] == ("validation", "blood/validation")
    np.savez(file, x_test=0, x_train=0)
    assert find_source(str(tmp_path)).choose(None)[0] == "test"
    np.savez(tmp_path / "blood-test.npz", x=0, y=0)
    assert find_source(str(tmp_path / "blood-test.npz")).choose(None)[1] == "blood/test"


@pytest.mark.parametrize(
    ("names", "part", "message"),
    [
        ([], None, "holds no data set: give 'fashion'"),
        (["notes.txt"], None, "holds no data set"),
        (["rows.csv"], "test", "has no part 'test': nothing in it names a part"),
        (["train.csv", "val.csv"], "test", "no part 'test': it has train, validation"),
        (
            ["train.csv", "more.csv"],
            None,
            "has the parts train: choose one with --part, or name a file",
        ),
        (["a-test.csv", "b-test.csv"], None, r"several files that are test \(a-test.csv, b-test"),
        (["a.csv", "b.csv"], None, r"several files that are one part \(a.csv, b.csv\)"),
        (["test-1.tar", "test-3.tar"], None, "the numbered files of test are incomplete"),
        (["test-00000-of-00002.parquet"], None, "the numbered files of test are incomplete"),
        (["test.csv", "test.parquet"], None, r"several formats \(parquet, csv\): name the file"),
        (["x/test.parquet", "y/test.parquet"], None, "in more than one folder"),
        (["val/a/1.png", "dev/a/1.png"], None, "holds dev and val, which are one part"),
    ],
    ids=str,
)
def test_what_is_unclear_is_one_line(tmp_path, names, part, message):
    root = touch(tmp_path / "pets", *names)
    root.mkdir(exist_ok=True)
    with pytest.raises(ArcalError, match=message) as raised:
        find_source(str(root)).choose(part)
    assert "\n" not in str(raised.value)


def test_a_path_that_is_missing_and_a_file_of_another_kind(tmp_path):
    with pytest.raises(ArcalError, match="nowhere is not there: give"):
        find_source(str(tmp_path / "nowhere"))
    (tmp_path / "photos").mkdir()
    with pytest.raises(ArcalError, match=r"phtos is not there: did you mean \S+photos\?"):
        find_source(str(tmp_path / "phtos"))
    with pytest.raises(ArcalError, match="x/y is not there"):
        find_source(str(tmp_path / "x" / "y"))
    touch(tmp_path, "notes.txt")
    with pytest.raises(ArcalError, match=r"notes\.txt is a file of no known kind"):
        find_source(str(tmp_path / "notes.txt"))
