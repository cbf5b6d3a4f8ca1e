"""Columns called True and False beside labels, or a calibrator's classes, that are 1 and 0."""

from pathlib import Path

import pytest

from arcal.cli._unlabelled import Labelled, predictions_like
from arcal.prediction_files import ColumnNames, read_predictions

POSITIVE = (0.75, 0.125)


def written(path: Path, header: str, labels: tuple[str, ...] = ()) -> Path:
    """A file of the two probabilities of what is positive, and the rest of those to 1."""
    names = header.split(",")
    rows = [header + ",label" * bool(labels)]
    for i, p in enumerate(POSITIVE):
        values = [1 - p if name.lower().endswith(("false", "0")) else p for name in names]
        rows.append(",".join([*map(str, values), *labels[i : i + 1]]))
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize(
    "header",
    [
        "probability_False",
        "probability_true",
        "probability_True,probability_False",
        "probability_False,probability_True",
        "p_True,p_False",
    ],
)
def test_true_is_the_label_1(tmp_path, header):
    saved = read_predictions(written(tmp_path / "mine.csv", header, ("1", "0")))
    assert saved.predictions.correct.tolist() == [True, True]
    assert saved.predictions.log_probabilities.exp()[:, saved.classes.index("1")].tolist() == [
        pytest.approx(p) for p in POSITIVE
    ]


@pytest.mark.parametrize("classes", [("0", "1"), ("1", "0"), ("False", "True"), ("true", "false")])
@pytest.mark.parametrize(
    "header",
    [
        "probability",
        "score",
        "probability_0",
        "probability_1",
        "probability_False",
        "probability_1,probability_0",
        "probability_True,probability_False",
        "p_True,p_False",
    ],
)
def test_unlabelled_columns_are_of_the_classes_that_they_say(tmp_path, capsys, header, classes):
    path = written(tmp_path / "new.csv", header)
    saved = predictions_like("--apply", path, Labelled("mine.csv", classes), ColumnNames())
    positive = next(z for z, name in enumerate(classes) if name.lower() in ("1", "true"))
    assert saved.predictions.log_probabilities.exp()[:, positive].tolist() == [
        pytest.approx(p) for p in POSITIVE
    ]
    assert saved.classes == classes
    assert capsys.readouterr().err == ""
