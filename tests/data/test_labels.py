import pyarrow as pa
import pytest

from arcal.data.labels import encode_labels
from arcal.errors import ArcalError


def encoded(values, **options):
    column = values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
    labels, classes = encode_labels(column, "label", "row {}".format, **options)
    return labels.tolist(), classes


@pytest.mark.parametrize(
    "values",
    [
        pa.array([2, 0, 2]),
        pa.array([2, 0, 2], pa.uint8()),
        pa.array([2.0, 0.0, 2.0]),
        pa.array(["2", " 0", "2 "]),
        pa.array(["2.0", "0.0", "2.0"]),
        pa.array(["2", "0", "2"], pa.large_string()),
        pa.array(["2", "0", "2"]).dictionary_encode(),
    ],
    ids=lambda values: str(values.type),
)
def test_numbers_of_any_type_are_class_numbers(values):
    assert encoded(values) == ([2, 0, 2], ("0", "1", "2"))
    assert encoded(values, names=["a", "b", "c"]) == ([2, 0, 2], ("a", "b", "c"))
    assert encoded(values, classes=["a", "b", "c", "d"]) == ([2, 0, 2], ("a", "b", "c", "d"))


def test_names_decide_where_text_could_be_numbers():
    assert encoded(pa.array(["7", "3"]), names=["3", "7"]) == ([1, 0], ("3", "7"))
    assert encoded(pa.array(["7", "3"]), classes=["7", "3", "5"]) == ([0, 1], ("7", "3", "5"))


def test_numbers_are_the_models_names_for_its_classes():
    lexical = ["0", "1", "10", "2"]  # as a folder of numbered classes is sorted
    for kind in (pa.int8(), pa.int64(), pa.float64(), pa.string()):
        values = pa.array([10, 2, 0], pa.int64()).cast(kind)
        assert encoded(values, classes=lexical) == ([2, 3, 0], tuple(lexical))
    for values in (pa.array([2.0, 0.0]), pa.array([" 2", "0"]), pa.array(["2.0", "0.0"])):
        assert encoded(values, classes=lexical)[0] == [3, 0]
    assert encoded(pa.array([3, 0]), classes=lexical)[0] == [3, 0]  # 3 is no name
    decimals = pa.array([2, 0]).cast(pa.decimal128(19, 0))
    assert encoded(decimals, classes=lexical)[0] == [3, 0]
    assert encoded(decimals) == ([2, 0], ("0", "1", "2"))
    assert encoded(pa.array([1, 0]), names=["1", "0"], classes=["0", "1"])[0] == [0, 1]


def test_the_models_classes_give_the_order():
    """A part that lacks a class, or sorts otherwise than the model, is not shifted in silence."""
    classes = ["eel", "dog", "cat"]
    assert encoded(pa.array(["cat", "dog", "cat"]), classes=classes)[0] == [2, 1, 2]
    assert encoded(pa.array([0, 1]), names=["cat", "dog"], classes=classes)[0] == [2, 1]


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (pa.array([0, None]), {}, "row 1: label is missing"),
        (pa.array([0, -2]), {}, r"row 1: label -2 is not in \[0, 1\): number the classes from 0"),
        (pa.array([-1, -1]), {}, r"label -1 is not in \[0, 0\): such a part has no labels"),
        (pa.array([0, 2**40]), {}, r"label 1099511627776 is not in \[0, 1000000\)"),
        (pa.array([0, 2**64 - 1], pa.uint64()), {}, r"row 1: label -1 is not in"),
        (pa.array([0, 3]), {"names": ["a", "b", "c"]}, r"row 1: label 3 is not in \[0, 3\)"),
        (pa.array([0, 3]), {"classes": ["a", "b"]}, r"row 1: label 3 is not in \[0, 2\)"),
        (pa.array([0.0, 1.5]), {}, "row 1: label is 1.5, which is not a class"),
        (pa.array([0.0, float("nan")]), {}, "row 1: label is nan, which is not a class"),
        (pa.array(["a", "b"]), {"names": ["a", "c"]}, r"row 1: label is 'b', .* none of the 2"),
        (pa.array([1, 0]), {"names": ["a", "b"], "classes": ["a", "c"]}, "row 0: the class 'b' is"),
        (pa.array(["a", "b"]), {"classes": ["a", "c"]}, "row 1: the class 'b' is none of"),
        (pa.array([[1], [2]]), {}, "row 0: label is of type list"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_row(values, options, message):
    with pytest.raises(ArcalError, match=message) as raised:
        encoded(values, **options)
    assert "\n" not in str(raised.value)


def test_the_data_may_write_the_models_classes_in_another_case():
    values = pa.array(["Polar_Bear", "CAT", "cat"])
    assert encoded(values[:2], classes=["cat", "polar bear"]) == ([1, 0], ("cat", "polar bear"))
    with pytest.raises(ArcalError, match="'CAT' is none of the model's 2 classes"):  # or 'cat' is
        encoded(values, classes=["cat", "Polar_Bear"])
    assert encoded(pa.array(["a", "A"]), classes=["A", "a"])[0] == [1, 0]
