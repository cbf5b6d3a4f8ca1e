"""Outputs whose columns have any names, which the user gives."""

from pathlib import Path

import numpy as np
import pytest

from arcal.audits import NamedPredictions, open_predictions
from arcal.errors import ArcalError
from arcal.prediction_files import ColumnNames, read_predictions
from command_line import arcal as run_arcal

N = 60
P = np.random.default_rng(0).random(N).round(3)
Y = (np.random.default_rng(1).random(N) < P).astype(int)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(head, *columns, name="mine.csv"):
    rows = zip(*(np.asarray(column).tolist() for column in columns), strict=True)
    Path(name).write_text("\n".join([head, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return Path(name)


def classes_of(head, labels, *names, columns=(1 - P, P), **more):
    path = write(head, labels, *(np.round(column, 3) for column in columns))
    called = ColumnNames(label=head.partition(",")[0], probabilities=names, **more)
    saved = read_predictions(path, called)
    assert saved.predictions.log_probabilities.exp()[:, 1].numpy() == pytest.approx(P, abs=1e-6)
    assert saved.predictions.labels.tolist() == Y.tolist()
    return saved.classes


def test_one_column_is_of_class_1_or_of_the_second_class_named():
    assert classes_of("target,p", Y, "p", columns=[P]) == ("0", "1")
    named = np.array(["no", "yes"])[Y]
    assert classes_of("target,p", named, "p", columns=[P], classes=["no", "yes"]) == ("no", "yes")
    assert classes_of("target,yes", named, "yes", columns=[P]) == ("no", "yes")
    assert classes_of("target,True", Y == 1, "True", columns=[P]) == ("false", "true")


def test_several_name_the_classes_in_their_order():
    assert classes_of("label,cat,dog", np.array(["cat", "dog"])[Y], "cat", "dog") == ("cat", "dog")
    for form in ("score_{}", "{}_score", "probabilities_{}", "p_{}"):
        columns = form.format("cat"), form.format("dog")
        head = ",".join(["label", *columns])
        assert classes_of(head, np.array(["cat", "dog"])[Y], *columns) == ("cat", "dog"), form
    assert classes_of("label,score_a,score_b", Y, "score_a", "score_b") == ("score_a", "score_b")
    assert classes_of("label,x,y", Y, "x", "y", classes=["no", "yes"]) == ("no", "yes")
    assert classes_of("label,score_0,score_1", Y, "score_0", "score_1") == ("0", "1")
    swapped = classes_of("label,score_1,score_0", 1 - Y, "score_1", "score_0")
    assert swapped == ("1", "0"), "of labels that are numbers the names decide as well"


def test_no_other_column_is_an_output_and_these_are_nothing_else():
    path = write("label,probability,weight,id", Y, 1 - P, (1 - P).round(3), P)
    saved = read_predictions(path, ColumnNames(probabilities=["weight", "id"]))
    assert (saved.unused, saved.weights) == (("probability",), None)
    assert saved.classes == ("weight", "id")


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (np.array(["no", "yes"])[Y], "such as --classes no yes"),
        (np.arange(N) % 3, "describes two classes, and the labels have 3 (0, 1, 2)"),
    ],
)
def test_one_column_that_may_be_of_any_class_is_refused(labels, says):
    with pytest.raises(ArcalError) as error:
        read_predictions(write("label,p", labels, P), ColumnNames(probabilities=["p"]))
    assert says in str(error.value)


def test_a_probability_of_class_1_that_is_called_a_confidence_is_doubted():
    path = write("target,p,correct", Y, P, Y)
    named = ColumnNames(label="target", confidence="p")
    caveats = open_predictions([NamedPredictions(str(path), "mine", named)])[0].caveats
    assert [one.title for one in caveats] == ["Answers"]
    assert "not how sure an answer is, give --probabilities p" in caveats[0].sentence
    assert (
        "give --probabilities p"
        in run_arcal("calibrate", "mine.csv", "--confidence", "p", "--label", "target").stderr
    )
    for label, p, right in (
        ("correct", P, Y),
        ("target", 0.5 + P / 2, Y),
        ("target", P, np.array(["no", "yes"])[Y]),
    ):
        path = write("target,p,correct", right, p, Y)
        named = ColumnNames(label=label, confidence="p")
        assert not open_predictions([NamedPredictions(str(path), "mine", named)])[0].caveats
