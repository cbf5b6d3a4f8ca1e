"""Class names of a model against those of the data."""

from itertools import permutations
from types import SimpleNamespace

import pytest

from arcal.classifiers import check_class_names, check_order_given, reorder
from arcal.errors import ArcalError

IMAGENET = ["tench, Tinca tinca", "goldfish, Carassius auratus", "crane", "jay", "crane"]


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (["cat", "dog"], ["cat", "dog"]),
        (["Great White-Shark", "jay"], ["great_white_shark", "JAY"]),
        (["LABEL_0", "LABEL_1"], ["cat", "dog"]),
        (["cat", "dog"], ["class 0", "class 1"]),
        (["0", "1"], ["cat", "dog"]),
        (["cat", "dog"], ["0", "1"]),
        (["0", "1", "2"], ["0", "1", "2"]),
        (["LABEL_0", "LABEL_1", "LABEL_2"], ["0", "10", "2"]),
        (IMAGENET, ["tench", "goldfish", "crane", "jay", "crane"]),
        (IMAGENET[:2], ["n01440764", "n01443537"]),
        (["n01440764", "n01443537"], ["n01440764", "n01443537"]),
    ],
)
def test_names_that_agree(model, data):
    check_class_names(model, data)
    assert reorder(model, data) == tuple(range(len(model)))


@pytest.mark.parametrize(
    ("model", "data", "says"),
    [
        (["cat", "dog", "fox"], ["cat", "fox", "dog"], "class 1 is 'dog' .* in another order"),
        ([str(z) for z in range(11)], sorted(map(str, range(11))), "class 2 is '2' .* and '10'"),
        (["n01443537", "n01440764"], ["n01440764", "n01443537"], "another order"),
        (
            ["cat", "dog"],
            ["cat", "cow"],
            "class 1 is 'dog' for the model and 'cow' in the data: gi",
        ),
        (["cat", "dog", "fox"], ["cat", "dog"], "has 3 classes and the data 2"),
        (["cat", "cat"], ["dog", "cat"], "class 0"),
        (["7", "8"], ["8", "7"], "another order"),
    ],
)
def test_names_that_differ_are_one_line_with_the_first_difference(model, data, says):
    with pytest.raises(ArcalError, match=says) as caught:
        check_class_names(model, data)
    assert "\n" not in str(caught.value)


def test_the_order_brings_the_models_classes_into_the_datas():
    names = ["ant", "bee", "cat", "dog"]
    for model in permutations(names):
        order = reorder([name.upper() for name in model], names)
        assert order is not None
        assert [model[number] for number in order] == names


class Named:
    def __init__(self, names):
        self.config = SimpleNamespace(id2label=dict(enumerate(names)))


def test_names_in_another_order_than_the_models_are_refused():
    line = "model's own names of its outputs are cat, dog, and those given .* dog, cat"
    with pytest.raises(ArcalError, match=line):
        check_order_given(Named(["cat", "dog"]), ["dog", "cat"])
