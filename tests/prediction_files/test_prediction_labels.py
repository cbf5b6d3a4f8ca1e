"""Labels against what columns of predictions are called: the class of one, and numbers."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arcal.errors import ArcalError
from arcal.prediction_files import read_predictions

ROWS = "yes,.875\nno,.25\nyes,.75\n{},.375\nno,.125\n"


@pytest.mark.parametrize("column", ["probability_yes", "probability", "logit_yes"])
def test_a_blank_label_beside_one_column_is_named_first(tmp_path, column):
    for label in ('""', "  "):
        (tmp_path / "a.csv").write_text(f"label,{column}\n" + ROWS.format(label) + "maybe,.5\n")
        with pytest.raises(ArcalError, match="the label of row 3 is blank: fill it in"):
            read_predictions(tmp_path / "a.csv")


def test_a_blank_label_is_not_the_other_class(tmp_path):
    (tmp_path / "a.csv").write_text('label,probability_yes\nyes,.75\n"",.5\n')
    with pytest.raises(ArcalError, match="the label of row 1 is blank: fill it in"):
        read_predictions(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("label", "says"),
    [
        ("Yes", r"there are 3 labels \(yes, Yes, no\), such as 'Yes' in row 3: correct it"),
        ("maybe", r"there are 3 labels \(yes, maybe, no\), such as 'maybe' in row 3: correct it"),
        ("nö", r"there are 3 labels \(yes, no, nö\), such as 'nö' in row 3: correct it, drop the"),
    ],
)
def test_a_third_label_beside_one_column_that_names_its_class_is_named(tmp_path, label, says):
    (tmp_path / "a.csv").write_text("label,probability_yes\n" + ROWS.format(label))
    with pytest.raises(ArcalError, match=f"probability_yes is the only column .*{says}"):
        read_predictions(tmp_path / "a.csv")


def test_one_column_in_other_capitals_than_its_label_is_one_line(tmp_path):
    (tmp_path / "a.csv").write_text("label,probability_Yes\n" + ROWS.format("no"))
    line = "probability_Yes is of the class 'Yes', and the labels have 'yes': write both alike"
    with pytest.raises(ArcalError, match=line):
        read_predictions(tmp_path / "a.csv")


def test_of_many_labels_one_in_other_capitals_comes_before_rarer_ones(tmp_path):
    rows = "yes,.5\nno,.5\nmaybe,.5\n" + "Yes,.5\n" * 2 + "no,.5\n" * 2
    (tmp_path / "a.csv").write_text("label,probability_yes\n" + rows)
    with pytest.raises(ArcalError, match="such as 'Yes' in row 3"):
        read_predictions(tmp_path / "a.csv")


def test_a_label_in_other_capitals_than_its_column_is_to_be_written_like_it(tmp_path):
    (tmp_path / "a.csv").write_text("label,probability_Cat,probability_Dog\ncat,.5,.5\n")
    line = "the label 'cat' of row 0 is none of Cat, Dog: write 'Cat', as that class is called"
    with pytest.raises(ArcalError, match=line):
        read_predictions(tmp_path / "a.csv")


CLASSES = [("1e3", "1e2", "2"), ("0.5", "1.0", "1.5"), ("1.5", "-0.5", "3"), ("0.1", "7", "1e-3")]


@pytest.mark.parametrize("prefix", ["probabilities_", "logits_", ""])
@pytest.mark.parametrize("classes", CLASSES)
def test_labels_are_the_columns_that_are_the_same_numbers(tmp_path, classes, prefix):
    """Only some of them are labels, and in another order than their columns."""
    values = np.array([[0.625, 0.25, 0.125], [0.125, 0.625, 0.25], [0.125, 0.25, 0.625]])
    values = 8 * values if prefix == "logits_" else values
    labels = [2, 0, 2]
    rows = [
        f"{classes[i]}," + ",".join(map(str, row)) for i, row in zip(labels, values, strict=True)
    ]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["label," + ",".join(prefix + one for one in classes), *rows]) + "\n")
    columns = {f"{prefix}{name}": values[:, i] for i, name in enumerate(classes)}
    written = [float(classes[i]) for i in labels]
    for number in (np.float64, np.float32):
        table = pa.table({"label": np.array(written, number)} | columns)
        pq.write_table(table, tmp_path / f"{number.__name__}.parquet")
    for file in (path, tmp_path / "float64.parquet", tmp_path / "float32.parquet"):
        saved = read_predictions(file)
        assert saved.classes == classes
        assert saved.predictions.labels.tolist() == labels


def test_the_next_predictions_of_such_classes_have_the_same_names(tmp_path):
    classes = ("0.5", "1.0", "1.5")
    for prefix in ("probabilities_", ""):
        header = ",".join(prefix + one for one in classes)
        (tmp_path / "next.csv").write_text(f"{header}\n.625,.25,.125\n")
        saved = read_predictions(tmp_path / "next.csv", labelled=False, classes=classes)
        assert saved.classes == classes


def test_the_classes_of_an_npz_may_be_fractions(tmp_path):
    np.savez(tmp_path / "a.npz", logits=9 * np.eye(2), labels=[1.5, 0.5], classes=[1.5, 0.5])
    saved = read_predictions(tmp_path / "a.npz")
    assert saved.predictions.labels.tolist() == [0, 1]


def test_numbers_that_are_too_large_for_floats_are_compared_digit_by_digit(tmp_path):
    names = ("9007199254740992", "5")
    columns = {f"probabilities_{name}": [0.25, 0.75] for name in names}
    columns["probabilities_5"] = [0.75, 0.25]
    pq.write_table(pa.table({"label": [9007199254740993, 5]} | columns), tmp_path / "a.parquet")
    with pytest.raises(ArcalError, match="the label '9007199254740993' of row 0 is none of 9007"):
        read_predictions(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("probabilities_a,probabilities_b", "no whole number and none of the classes a, b: number"),
        ("probabilities_0,probabilities_1", "no whole number: number the labels from 0, or call"),
    ],
)
def test_a_label_that_is_a_fraction_and_no_column_is_one_line(tmp_path, header, says):
    (tmp_path / "a.csv").write_text(f"label,{header}\n1,.25,.75\n0.5,.5,.5\n")
    with pytest.raises(ArcalError, match=f"the label of row 1 is 0.5, which is {says}"):
        read_predictions(tmp_path / "a.csv")


@pytest.mark.parametrize("title", ["y", "actual", "observed", "Outcome"])
def test_the_last_names_of_labels(title, tmp_path):
    """They count where no column has a better name, and where no `p` is better named either."""
    path = tmp_path / "a.csv"
    path.write_text(f"p,{title}\n0.25,0\n0.75,1\n0.5,1\n")
    read = read_predictions(path).predictions
    assert read.labels.tolist() == [0, 1, 1]
    assert read.log_probabilities[:, 1].exp().tolist() == pytest.approx([0.25, 0.75, 0.5])
    path.write_text(f"p,{title},gold,prob\n0.5,0,1,0.25\n0.5,1,0,0.75\n")
    read = read_predictions(path).predictions
    assert read.labels.tolist() == [1, 0]
    assert read.log_probabilities[:, 1].exp().tolist() == pytest.approx([0.25, 0.75])
    path.write_text(f"predicted,confidence,{title}\ncat,0.5,cat\ndog,0.75,cat\n")
    assert read_predictions(path).predictions.correct.tolist() == [True, False]


def test_fractions_are_no_labels_by_their_last_names(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("probability,observed\n0.25,0.5\n0.75,1.5\n")  # such as an amount of rain
    with pytest.raises(ArcalError, match="there are no labels, only probability, observed"):
        read_predictions(path)


def test_numbers_are_those_in_the_names_that_transformers_gives(tmp_path):
    """Columns sorted as text have LABEL_10 before LABEL_2."""
    titles = sorted(f"LABEL_{z}" for z in range(12))
    rows = np.full((12, 12), 0.25 / 11) + np.eye(12) * (0.75 - 0.25 / 11)
    frame = {"label": np.arange(12)}
    frame |= {f"probabilities_{name}": rows[int(name[6:])] for name in titles}
    pq.write_table(pa.table(frame), tmp_path / "a.parquet")
    saved = read_predictions(tmp_path / "a.parquet")
    assert saved.classes == tuple(titles)
    assert saved.predictions.correct.all()
    scores = [[{"label": name, "score": row[int(name[6:])]} for name in titles] for row in rows]
    pq.write_table(pa.table({"label": frame["label"], "scores": scores}), tmp_path / "b.parquet")
    assert read_predictions(tmp_path / "b.parquet").predictions.correct.all()


@pytest.mark.parametrize("first", [0, 1])
def test_numbers_are_places_unless_more_are_right_by_the_names_of_the_classes(first, tmp_path):
    path, titles = tmp_path / "a.parquet", [f"kind_{first + z}" for z in (1, 0, 2)]
    rows = np.array([[0.75, 0.25, 0], [0.25, 0.75, 0], [0.25, 0.75, 0]])
    frame = {f"probabilities_{name}": rows[:, z] for z, name in enumerate(titles)}
    for wrong in (0, 1):
        labels = rows.argmax(1) if not wrong else np.array([1, 0, 0]) + first
        pq.write_table(pa.table({"label": labels} | frame), path)
        if not wrong:
            assert read_predictions(path).predictions.labels.tolist() == labels.tolist()
            continue
        line = "more are right as those in the names of the classes .* write each label as its"
        with pytest.raises(ArcalError, match=line):
            read_predictions(path)


def test_places_in_a_list_of_classes_are_its_own(tmp_path):
    """The classes of a .npz have an order of their own, whatever they are called."""
    probabilities = np.array([[0.75, 0.25, 0], [0.25, 0.75, 0]])
    classes = np.array(["LABEL_0", "LABEL_2", "LABEL_1"])
    np.savez(tmp_path / "a.npz", probabilities=probabilities, labels=[0, 1], classes=classes)
    assert read_predictions(tmp_path / "a.npz").predictions.correct.all()
