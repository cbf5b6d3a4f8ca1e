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


def test_a_label_in_other_capitals_than_its_column_is_to_be_written_like_it(tmp_path):
    (tmp_path / "a.csv").write_text("label,probability_Cat,probability_Dog\ncat,.5,.5\n")
    line = "the label 'cat' of row 0 is none of Cat, Dog: write 'Cat', as that class is called"
    with pytest.raises(ArcalError, match=line):
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
