"""Columns of files of predictions, as spreadsheets and other programs write them."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arcal.calibration.posthoc import EnsembleTemperature
from arcal.errors import ArcalError
from arcal.prediction_files import ColumnNames, read_predictions, write_calibrated


@pytest.mark.parametrize("suffix", ["csv", "tsv", "tsv.gz"])
@pytest.mark.parametrize("mark", ["\t", ";"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_a_comma_within_the_name_of_a_class_separates_nothing(tmp_path, mark, quote, suffix):
    name = f"{quote}probabilities_Paris, France{quote}"
    first = f"{quote}Paris, France{quote}"
    rows = [["label", name, "probabilities_Rome"], [first, "0.75", "0.25"], ["Rome", "0", "1"]]
    text = "\n".join(map(mark.join, rows))
    path = tmp_path / f"mine.{suffix}"
    path.write_bytes(gzip.compress(text.encode()) if suffix == "tsv.gz" else text.encode())
    saved = read_predictions(path)
    assert saved.classes == ("Paris, France", "Rome")
    assert saved.predictions.labels.tolist() == [0, 1]


def test_numbers_with_zeros_before_them_are_names(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("id,label,probability, zip\n007,1,0.75,02139\n7,0,0.25,10001\n12,0,0.5,2139\n")
    saved = read_predictions(path, ColumnNames(by=["zip"]))
    assert saved.names == ("007", "7", "12")
    assert saved.predictions.labels.tolist() == [1, 0, 0]
    assert saved.by["zip"].to_pylist() == ["02139", "10001", "2139"]
    path.write_text("ID,label,probability\n10,01,0.75\n20,00,0.25\n")
    saved = read_predictions(path)
    assert saved.predictions.ids.tolist() == [10, 20]
    assert saved.predictions.labels.tolist() == [1, 0]


def test_numbers_of_a_parquet_file_may_be_texts(tmp_path):
    path = tmp_path / "mine.parquet"
    columns = {"label": ["0", "1"], "probability": ["0.25", ".75"], "weight": ["2", "1e0"]}
    pq.write_table(pa.table(columns), path)
    saved = read_predictions(path)
    assert saved.predictions.labels.tolist() == [0, 1]
    assert saved.predictions.log_probabilities.exp()[:, 1].tolist() == pytest.approx([0.25, 0.75])
    assert saved.weights is not None
    assert saved.weights.tolist() == [2, 1]
    pq.write_table(pa.table(columns | {"probability": ["0.25", "0,75"]}), path)
    with pytest.raises(ArcalError, match=r"in row 1 \('0,75'\): .* with decimal points"):
        read_predictions(path)


@pytest.mark.parametrize(
    ("header", "first", "classes"),
    [
        ("p0,p1", "1", ("0", "1")),
        ("prob0,Proba1", "1", ("0", "1")),
        ("p_cat,p_dog", "dog", ("cat", "dog")),
        (".pred_cat,.pred_dog", "dog", ("cat", "dog")),
        ("p.1,p.2", "2", ("1", "2")),
        ("prob. cat,prob. dog", "dog", ("cat", "dog")),
    ],
)
def test_short_names_of_columns_whose_rows_sum_to_1(tmp_path, header, first, classes):
    path = tmp_path / "mine.csv"
    path.write_text(f"label,{header},p\n{first},0.25,0.75,3\n{classes[0]},0.5,0.5,4\n")
    saved = read_predictions(path)
    assert saved.classes == classes
    assert saved.predictions.labels.tolist() == [1, 0]
    assert saved.unused == ("p",)


@pytest.mark.parametrize(
    ("header", "labels", "classes"),
    [
        ("False,True", ("True", "False"), ("False", "True")),
        ("0.0,1.0", ("1.0", "0.0"), ("0", "1")),
        ("0.0,1.0", ("1", "0"), ("0", "1")),
        ("2.0,1.0", ("1.0", "2.0"), ("2", "1")),
        ("0.0,1.0", ("1", "1"), ("0", "1")),
    ],
)
def test_columns_called_as_pandas_calls_those_of_numbers_and_of_what_is_true(
    tmp_path, header, labels, classes
):
    path = tmp_path / "mine.csv"
    rows = [f"0.25,0.75,{labels[0]},3", f"0.875,0.125,{labels[1]},4"]
    path.write_text("\n".join([f"{header},label,age", *rows]) + "\n")
    if len({*labels}) == 1:  # and other numbers: age could be a class, too
        with pytest.raises(ArcalError, match="columns are called as the labels"):
            read_predictions(path)
        path.write_text("\n".join([f"{header},label", *(row[:-2] for row in rows)]) + "\n")
    saved = read_predictions(path)
    assert saved.classes == classes
    assert saved.predictions.labels.tolist() == [1, classes.index(labels[1].removesuffix(".0"))]
    assert saved.predictions.log_probabilities.exp()[0].tolist() == pytest.approx([0.25, 0.75])
    unlabelled = read_predictions(path, labelled=False, classes=classes)
    assert unlabelled.classes == classes


def test_a_score_is_the_probability_of_class_1_where_nothing_else_could_be(tmp_path):
    path = tmp_path / "fraud.csv"
    path.write_text("amount,is_fraud,score\n20,1,0.75\n30,0,0.25\n")
    saved = read_predictions(path, ColumnNames(label="is_fraud"))
    p = saved.predictions.log_probabilities.exp()
    assert p.tolist() == [[0.25, 0.75], [0.75, 0.25]]
    path.write_text("label,p0,p1,score\n1,0.25,0.75,0.5\n0,0.75,0.25,0.5\n")
    assert read_predictions(path).unused == ("score",)


def test_without_labels_the_classes_tell_which_columns_are_theirs(tmp_path):
    path, both = tmp_path / "new.csv", ("fraud", "ok")
    path.write_text("fraud,ok,age\n0.75,0.25,40\n0.5,0.5,30\n")
    saved = read_predictions(path, labelled=False, classes=both)
    assert (saved.classes, saved.unused) == (both, ("age",))
    path.write_text("proba_fraud\n0.75\n")
    saved = read_predictions(path, labelled=False, classes=both).with_classes_like(both)
    assert (saved.classes, saved.predictions.confidence.item()) == (both, pytest.approx(0.75))
    assert saved.predictions.predicted.tolist() == [0]
    for classes, column in ((("0", "1"), "probability"), (both, "probability_1")):
        path.write_text(f"{column}\n0.75\n")
        saved = read_predictions(path, labelled=False, classes=classes)
        assert saved.predictions.predicted.tolist() == [1]
    for column in ("probability", "score", "probability_spam", "logit"):
        path.write_text(f"{column}\n0.75\n")
        says = f"new.csv: {column} is the only column of the outputs, and does not say which class"
        with pytest.raises(ArcalError, match=f"{says}.* probability_fraud or probability_ok$"):
            read_predictions(path, labelled=False, classes=both)


def test_classes_that_an_input_cannot_have_stay_without_probability(tmp_path):
    (tmp_path / "a.csv").write_text(
        "label,logits_A,logits_B,logits_C\n" + "B,0,2,1\nA,1,0,-inf\n" * 3
    )
    saved = read_predictions(tmp_path / "a.csv")
    assert saved.predictions.impossible
    uniform = EnsembleTemperature(2.0, (0.5, 0.0, 0.5))
    write_calibrated(tmp_path / "a.parquet", saved, uniform, fitted_to=saved.predictions)
    found = pq.read_table(tmp_path / "a.parquet").to_pydict()
    assert found["probabilities_C"][1] == 0 < found["probabilities_C"][0]
    assert found["probabilities_A"][1] + found["probabilities_B"][1] == pytest.approx(1)


HUNDREDTHS = "cat,.33,.33,.33\ndog,.34,.34,.33\nowl,.2,.2,.6\n"


@pytest.mark.parametrize("prefix", ["", "p_", ".pred_", "probabilities_"])
def test_two_decimals_that_sum_to_99_or_101_hundredths_are_divided_by_their_sum(tmp_path, prefix):
    path = tmp_path / "mine.csv"
    path.write_text(f"label,{prefix}cat,{prefix}dog,{prefix}owl\n{HUNDREDTHS}")
    saved = read_predictions(path)
    p = saved.predictions.log_probabilities.exp()
    assert p[:2].tolist() == [
        pytest.approx([1 / 3] * 3),
        pytest.approx([34 / 101] * 2 + [33 / 101]),
    ]
    assert saved.scaled is not None
    assert "2 of 3 rows do not sum to 1 (0.99 to 1.01)" in saved.scaled


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("p_cat,p_dog", "label, p_cat, p_dog: p_cat, p_dog sum to 0.9 in row 1, and probabilities"),
        ("cat,dog", r"no probabilities whose rows sum to 1 \(cat, dog sum to 0.9 in row 1\): give"),
    ],
)
def test_columns_that_do_not_sum_to_1_are_said_to(tmp_path, header, says):
    (tmp_path / "a.csv").write_text(f"label,{header}\ncat,.75,.25\ndog,.25,.65\n")
    with pytest.raises(ArcalError, match=says):
        read_predictions(tmp_path / "a.csv")
