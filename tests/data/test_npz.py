import numpy as np
import pytest
import torch
from toy_images import random_images

from arcal.data import InMemory, load_part
from arcal.data.listings import load_columns
from arcal.errors import ArcalError

GREY = random_images(5, 6, 8)
COLOUR = random_images(5, 6, 8, 3)


def load_arrays(tmp_path, options=None, **arrays) -> InMemory:
    np.savez(tmp_path / "pets.npz", **arrays)
    part = load_part(str(tmp_path / "pets.npz"), **(options or {}))
    assert isinstance(part, InMemory)
    return part


@pytest.mark.parametrize("layout", ["NHW", "NHWC1", "NCHW1", "NHWC", "NCHW"])
def test_every_layout_is_the_same_images(tmp_path, layout):
    images, expected = {
        "NHW": (GREY, GREY[:, None]),
        "NHWC1": (GREY[..., None], GREY[:, None]),
        "NCHW1": (GREY[:, None], GREY[:, None]),
        "NHWC": (COLOUR, COLOUR.transpose(0, 3, 1, 2)),
        "NCHW": (COLOUR.transpose(0, 3, 1, 2), COLOUR.transpose(0, 3, 1, 2)),
    }[layout]
    part = load_arrays(tmp_path, images=images, labels=np.array([0, 1, 2, 0, 1]))
    assert torch.equal(part.pixels, torch.from_numpy(expected.copy()))
    assert (part.name, part.classes, part.how) == ("pets", ("0", "1", "2"), "as they are")
    assert part.ids.tolist() == [0, 1, 2, 3, 4]


def test_names_ids_weights_and_classes(tmp_path):
    part = load_arrays(
        tmp_path,
        {"image": "pictures", "label": "diagnosis", "weight": "w", "size": 4, "channels": 3},
        pictures=GREY,
        diagnosis=np.array(["b", "a", "b", "c", "a"]),
        ids=np.array([9, 7, 5, 3, 1], np.uint16),
        w=np.array([0, 1, 2, 3, 4]),
    )
    assert part.labels.tolist() == [1, 0, 1, 2, 0]
    assert part.classes == ("a", "b", "c")
    assert part.ids.tolist() == [9, 7, 5, 3, 1]
    assert part.weights is not None
    assert part.weights.tolist() == [0, 1, 2, 3, 4]
    assert part.shape == (3, 4, 4)
    assert part.how == (
        "short side resized to 5, centre 4 x 4 cropped; all images grey, repeated to 3 channels"
    )
    named = load_arrays(tmp_path, x=GREY, y=np.ones((5, 1), int), classes=np.array(["cat", "dog"]))
    assert (named.classes, named.labels.tolist()) == (("cat", "dog"), [1] * 5)


def test_images_without_labels_are_of_no_class(tmp_path):
    part = load_arrays(tmp_path, {"labelled": False}, images=GREY)
    assert (part.labels.tolist(), part.classes) == ([0] * 5, ("unlabelled",))


def test_labels_that_are_classes_named_by_numbers_are_these_classes(tmp_path):
    """As in files of predictions; the number of a class in the array is told apart or refused."""

    def classes_of(labels, classes):
        images = random_images(len(labels), 8, 8)
        np.savez(tmp_path / "x.npz", images=images, labels=labels, classes=classes)
        part = load_part(str(tmp_path / "x.npz"))
        return [part.classes[label] for label in part.labels.tolist()]

    for labels in ([10, 2, 1], [10.0, 2.0, 1.0], ["10", "2", "1"]):
        for classes in (["10", "2", "1"], [10, 2, 1], [10.0, 2.0, 1.0], [b"10", b"2", b"1"]):
            assert classes_of(labels, classes) == ["10", "2", "1"]
    assert classes_of([0, 1, 2], ["10", "2", "1"]) == ["10", "2", "1"]  # 0 is no name
    assert classes_of([1, 0], ["0", "1"]) == ["1", "0"]
    assert classes_of(["1", "0"], ["1", "0"]) == ["1", "0"]
    assert classes_of([1, 0], [b"cat", b"dog"]) == ["dog", "cat"]
    for labels, classes in (([1, 0], ["1", "0"]), ([1.0, 2.0], ["1", "2", "3"])):
        with pytest.raises(ArcalError, match="row 0: labels is a number, and so are the classes"):
            classes_of(labels, classes)


def test_parts_in_the_keys(tmp_path):
    arrays = {
        "train_images": GREY,
        "train_labels": np.zeros((5, 1), int),
        "val_images": GREY[:2],
        "val_labels": np.array([[1], [0]]),
        "test_images": GREY[2:],
        "test_labels": np.array([[0], [1], [1]]),
    }
    part = load_arrays(tmp_path, **arrays)
    assert (part.name, part.labels.tolist()) == ("pets/test", [0, 1, 1])
    part = load_arrays(tmp_path, {"part": "val"}, **arrays)
    assert (part.name, part.labels.tolist()) == ("pets/validation", [1, 0])
    part = load_arrays(
        tmp_path, x_train=GREY, y_train=[0] * 5, x_test=GREY[1:], y_test=[0, 0, 1, 0]
    )
    assert torch.equal(part.pixels[:, 0], torch.from_numpy(GREY[1:]))
    assert part.labels.tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": GREY}, "has no array labels or label or y: its arrays are images; .* --label"),
        ({"labels": np.zeros(5)}, "has no array images or image or x: its .* --image"),
        ({"x": GREY / 255.0, "y": np.zeros(5)}, "x is of type float64: give uint8 from 0 to 255"),
        (
            {"x": np.ones((5, 1, 9)), "y": np.zeros(5)},
            r"`arcal\.calibrate` or `arcal\.score`, .*\(model, \(x, y\), bounds=\(-1, 1\)\)`",
        ),
        ({"x": GREY[0], "y": np.zeros(5)}, r"x has the shape \(6, 8\): give \(N, H, W\)"),
        (
            {"x": np.zeros((5, 3, 6, 3), np.uint8), "y": np.zeros(5)},
            r"\(5, 3, 6, 3\), which may be",
        ),
        ({"x": np.zeros((5, 2, 6, 4), np.uint8), "y": np.zeros(5)}, "in which neither"),
        ({"x": GREY, "y": np.zeros(4)}, r"y has the shape \(4,\) but there are 5 images"),
        ({"x": GREY, "y": np.eye(5)}, r"\(5, 5\) .* one each$"),
        ({"x": GREY, "y": np.ones((5, 2), int)}, r"there are 5 images: give one each$"),
        ({"x": GREY, "y": np.zeros(5), "ids": np.zeros(5)}, "ids are of type float64"),
        ({"x": GREY, "y": np.zeros(5), "ids": np.zeros(5, int)}, "id 0 occurs more than once"),
        ({"x": GREY, "y": np.array([0, 0, 0, -3, 0])}, r"row 3: y -3 is not in \[0, 1\)"),
        ({"x": GREY, "y": np.zeros(5, complex)}, "y is of type complex128: give numbers"),
        (
            {"x": GREY, "y": np.array([{}] * 5)},
            r"cannot be read as \.npz .*an array of it holds Python objects; save",
        ),
        ({"x": GREY[:0], "y": np.zeros(0)}, "has no images: give a part with data"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, arrays, message):
    with pytest.raises(ArcalError, match=message) as raised:
        load_arrays(tmp_path, **arrays)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_no_archive(tmp_path):
    (tmp_path / "pets.npz").write_bytes(b"no archive")
    with pytest.raises(ArcalError, match=r"pets\.npz cannot be read as \.npz"):
        load_part(str(tmp_path / "pets.npz"))


def test_columns_to_group_by_are_read_without_pickles(tmp_path):
    path, sites = tmp_path / "toy.npz", np.array(["north", "south", "north", "south", "north"])
    np.savez(path, images=GREY, ids=np.arange(5) + 7, site=sites, broken=np.array(5 * [None]))
    ids, columns = load_columns(str(path), ["site"])
    assert ids.tolist() == [7, 8, 9, 10, 11]
    assert columns["site"].to_pylist() == sites.tolist()
    with pytest.raises(ArcalError, match=r"cannot be read as \.npz"):
        load_columns(str(path), ["broken"])
