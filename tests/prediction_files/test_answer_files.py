"""Files of answers: a confidence, and whether the answer was right."""

import gzip
import json
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest

from arcal.audits import Audit, NamedPredictions, Uses, open_predictions
from arcal.cli import main
from arcal.errors import ArcalError
from arcal.prediction_files import ColumnNames, read_predictions

ROWS = [("a", 0.95, True), ("b", 0.4, False), ("c", 0.8, False), ("d", 0.3, True)]


def written(path, text):
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def table(told: Callable[[bool], str] = str, mark=","):
    lines = [mark.join(("id", "confidence", "correct"))]
    lines += [mark.join((id, str(c), told(right))) for id, c, right in ROWS]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mine.csv", table()),
        ("mine.csv.gz", table(lambda right: str(int(right)))),
        ("mine.tsv", table(lambda right: str(right).lower(), "\t")),
        ("mine.csv", table(mark=";").replace(".", ",")),
        ("mine.csv", table().replace("confidence", "Confidence").replace("correct", "is_correct")),
        (
            "mine.jsonl",
            "\n".join(json.dumps({"id": i, "confidence": c, "correct": r}) for i, c, r in ROWS),
        ),
        ("mine.csv", table(lambda right: "Yes " if right else "no")),
        ("mine.csv", table(lambda right: "Y" if right else "N", ";").replace(".", ",")),
        ("mine.csv", table(lambda right: "right" if right else "WRONG")),
        ("mine.csv", table(lambda right: "correct" if right else "incorrect")),
        ("mine.tsv", table(lambda right: "t" if right else "f", "\t")),
        ("mine.csv", table(lambda right: f"{right:.1f}")),
        (
            "mine.csv",
            "id,confidence,predicted,label\na,.95,4,4\nb,.4,blue,red\nc,.8,1,2\nd,.3,x,x",
        ),
        (
            "mine.csv",
            "id,score,confidence,correct,label\na,1,.95,1,x\nb,2,.4,0,y\nc,3,.8,0,z\nd,0,.3,1,x",
        ),
        (  # a judge may know more than two texts
            "mine.csv",
            "id,confidence,correct,predicted,label\na,.95,1,x,X.\nb,.4,0,b,y\nc,.8,0,c,z\nd,.3,1,d,d",
        ),
    ],
)
def test_a_confidence_and_what_was_right_are_read(tmp_path, name, text):
    saved = read_predictions(written(tmp_path / name, text))
    assert saved.predictions.answers
    assert saved.classes == ("right", "wrong")
    assert saved.names == ("a", "b", "c", "d")
    assert saved.predictions.confidence.tolist() == pytest.approx([c for _, c, _ in ROWS])
    assert saved.predictions.correct.tolist() == [right for *_, right in ROWS]


def test_probabilities_of_every_class_come_first(tmp_path):
    text = (
        "label,p_cat,p_dog,confidence,predicted,correct\ncat,.75,.25,.75,cat,1\ndog,.5,.5,.5,cat,0"
    )
    saved = read_predictions(written(tmp_path / "mine.csv", text))
    assert saved.classes == ("cat", "dog")
    assert not saved.predictions.answers


def test_grades_that_come_later_are_found_by_id(tmp_path):
    answers = written(tmp_path / "answers.csv", "id,confidence\n1,.5\n2,.75\n3,.25")
    grades = written(tmp_path / "grades.csv", "id,correct\n3,true\n1,false")
    saved = read_predictions(answers, ColumnNames(labels_from=grades))
    assert saved.predictions.ids.tolist() == [1, 3]
    assert saved.predictions.correct.tolist() == [False, True]
    assert saved.labelled == "2 of 3 inputs have a label in grades.csv; the others are left out"


def test_labels_that_come_later_are_held_against_what_was_predicted(tmp_path):
    answers = written(tmp_path / "answers.csv", "id,confidence,predicted\n1,.5,cat\n2,.75,dog")
    labels = written(tmp_path / "labels.csv", "id,gold\n1,dog\n2,dog")
    saved = read_predictions(answers, ColumnNames(label="gold", labels_from=labels))
    assert saved.predictions.correct.tolist() == [False, True]


def many(path, of=lambda c: 0.1 + 0.3 * c, N=600, seed=0):
    draw = np.random.default_rng(seed)
    c = draw.choice([0.3, 0.5, 0.7, 0.9, 1.0], N)
    columns = {
        "id": [f"q{i}" for i in range(N)],
        "confidence": c,
        "correct": draw.random(N) < of(c),
    }
    columns["topic"] = draw.choice(["sums", "words"], N)
    columns["question"] = [f"What is {i} + {i}?" for i in range(N)]
    csv.write_csv(pa.table(columns), path)
    return path


def test_the_audit_speaks_of_answers_and_shows_their_questions(tmp_path):
    path = many(tmp_path / "answers.csv")
    uses = Uses(by=["topic"], text=["question"])
    audited = open_predictions([NamedPredictions(str(path), "mine")], uses)
    audit = Audit("answers.csv", tuple(audited))
    summary = audit.summary(None)
    assert "of 600 answers" in summary
    assert "wrong answers to look at, the surest first" in summary
    assert "beta calibration" in summary
    assert "confidences are 0 or 1, probably rounded" in summary
    assert "when it says" not in summary
    page = audit.report(tmp_path / "out")
    assert "What is 17 + 17?" in page.read_text()
    assert "What is 17 + 17?" not in audit.report(tmp_path / "none", images=False).read_text()
    (worst,) = audit.inputs().slice(0, 1).to_pylist()
    assert not worst["correct"]
    assert not {"label", "predicted", "label_probability"} & worst.keys()
    assert worst["confidence"] == max(audit.inputs()["confidence"].to_pylist())


def test_two_systems_on_the_same_questions_are_compared(tmp_path):
    paths = [many(tmp_path / "one.csv"), many(tmp_path / "two.csv", of=lambda c: c, seed=1)]
    files = [NamedPredictions(str(path), path.stem) for path in paths]
    audit = Audit("predictions", tuple(open_predictions(files)))
    (apart,) = audit.differences
    assert apart.accuracy.sign == 1
    assert "; it alone is right on " in audit.summary(None)
    assert f"AURC lower by {-apart.aurc.value:.4f} [" in audit.summary(None)
    assert f"AURC lower by {-apart.aurc.value:.4f}" in audit.markdown()


def test_new_confidences_are_calibrated_from_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    many(tmp_path / "answers.csv")
    written(tmp_path / "new.csv", "id,confidence\nx,0.9\ny,0.3\nz,1")
    monkeypatch.setattr("sys.argv", ["arcal", "calibrate", "answers.csv", "--apply", "new.csv"])
    main()
    assert "picked: vector, beta calibration" in capsys.readouterr().out
    rows = csv.read_csv("calibrated/calibrated.csv").to_pylist()
    assert [row["id"] for row in rows] == ["x", "y", "z"]
    mended = [row["confidence"] for row in rows]
    assert mended == pytest.approx([0.1 + 0.3 * c for c in (0.9, 0.3, 1)], abs=0.08)


def test_json_lines_are_written_as_they_were_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    many(tmp_path / "answers.csv")
    lines = ({"id": "x", "confidence": 0.9}, {"id": "y", "confidence": 0.5})
    written(tmp_path / "new.jsonl", "\n".join(map(json.dumps, lines)))
    monkeypatch.setattr("sys.argv", ["arcal", "calibrate", "answers.csv", "--apply", "new.jsonl"])
    main()
    text = (tmp_path / "calibrated" / "calibrated.jsonl").read_bytes().decode()
    lines = list(map(json.loads, text.splitlines()))
    assert [{*line} for line in lines] == [{"id", "confidence"}] * 2


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("confidence,correct\n95,1", "divide per cent by 100"),
        ("confidence,correct\n95,1", "found 95 in row 0"),
        (
            "confidence,correct\n.9,perhaps",
            "correct is 'perhaps' in row 0: give true or false, yes",
        ),
        ("confidence,correct\n.9,yes\n.8,", "correct is '' in row 1"),
        (
            "confidence,correct\n.9,1\n.8,0.5",
            "correct is 0.5 in row 1: an answer is right or wrong",
        ),
        ("confidence,correct\n.9,1\n,0\n,1", "confidence is missing in row 1 and in 1 more"),
        ("confidence,correct\n.9,", "correct is missing in row 0"),
        ("confidence,correct\nhigh,1", "confidence is not a number in row 0"),
        ("confidence,predicted\n.9,cat", "nothing says which answers are right: give a column"),
        ("Confidence\n.9", "there is Confidence, but nothing says which answers are right"),
        ("id,is_correct,sure\n1,1,.9", "there is is_correct, but no confidence: give it"),
        ("Fall,Konfidenz\n1,.9", "name it `confidence`, and whether it was right `correct`"),
        ("image,score,tp\n1,.9,1", "there are no labels, only image, score, tp"),
        ("image,score,tp\n1,.9,1", "name it `confidence`, and whether it was right `correct`"),
        ("probability,correct\n.9,1", "name it `confidence`"),
        (
            "confidence,predicted,label\n.9,cat,0\n.8,dog,1",
            "predicted has 'cat' and label '0', of which one is a number",
        ),
        ("confidence,correct,is_correct\n.9,1,1", "keep one of them"),
        (
            "confidence,predicted,label" + "\n.9,Paris,Paris." * 30,
            "no value of predicted is one of label, such as 'Paris' and 'Paris.' in row 0: write",
        ),
    ],
)
def test_what_is_no_file_of_answers_is_refused_in_a_line(tmp_path, text, line):
    with pytest.raises(ArcalError) as refused:
        read_predictions(written(tmp_path / "mine.csv", text))
    assert line in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("id,sure,told\na,.95,1\nb,.4,0\nc,.8,no\nd,.3,yes", "told"),
        ("id,sure,predicted,told\na,.95,x,1\nb,.4,y,0\nc,.8,z,0\nd,.3,w,1", "told"),
        ("id,sure,predicted,gold\na,.95,x,x\nb,.4,y,z\nc,.8,z,x\nd,.3,w,w", "gold"),
        ("id,sure,predicted,gold\na,.95,1,1\nb,.4,0,1\nc,.8,1,0\nd,.3,0,0", "gold"),
        ("id,sure,p_x,p_y,correct\na,.95,1,0,1\nb,.4,1,0,0\nc,.8,1,0,0\nd,.3,0,1,1", None),
    ],
)
def test_a_confidence_and_what_was_right_may_be_called_otherwise(tmp_path, text, label):
    path = written(tmp_path / "mine.csv", text)
    said = read_predictions(path, ColumnNames(confidence="sure", label=label)).predictions
    assert said.answers
    assert said.confidence.tolist() == pytest.approx([c for _, c, _ in ROWS])
    assert said.correct.tolist() == [right for *_, right in ROWS]


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"confidence": "sure"}, "nothing says which answers are right"),
        ({"confidence": "nowhere"}, "nothing is called nowhere"),
        ({"confidence": "sure", "label": "nowhere"}, "nothing is called nowhere"),
        ({"confidence": "sure", "label": "perhaps"}, "perhaps is 'so' in row 0: give true or"),
    ],
)
def test_what_is_named_and_not_there_is_said(tmp_path, more, line):
    path = written(tmp_path / "mine.csv", "sure,perhaps\n.5,so\n")
    with pytest.raises(ArcalError) as refused:
        read_predictions(path, ColumnNames(**more))
    assert line in str(refused.value)


def test_capitals_alone_make_no_wrong_answer_without_a_word(tmp_path):
    head = "confidence,predicted,label\n"
    path = written(tmp_path / "mine.csv", head + ".9,cat ,cat\n.8,Dog,dog")
    with pytest.raises(ArcalError, match=r"'Dog' and label 'dog' in row 1, which differ in capit"):
        read_predictions(path)
    blanks = written(tmp_path / "blanks.csv", head + ".9,cat , cat\n.8,dog,cat")
    assert read_predictions(blanks).predictions.correct.tolist() == [True, False]
    letters = written(tmp_path / "letters.csv", head + ".9,A,a\n.8,A,A\n.7,a,a")
    assert read_predictions(letters).predictions.correct.tolist() == [False, True, True]


def test_true_classes_beside_a_confidence_need_the_predicted_ones(tmp_path):
    path = written(tmp_path / "a.csv", "intent,best,p\npay,pay,.9\nsend,pay,.6\n")
    line = "intent is 'pay' in row 0: .*call the column of predicted classes `predicted`"
    with pytest.raises(ArcalError, match=line):
        read_predictions(path, ColumnNames(label="intent", confidence="p"))
    path = written(tmp_path / "b.csv", "intent,predicted,p\npay,pay,.9\nsend,pay,.6\n")
    predictions = read_predictions(path, ColumnNames(label="intent", confidence="p")).predictions
    assert (predictions.predicted == predictions.labels).tolist() == [True, False]


def test_labels_counted_from_another_number_are_refused(tmp_path):
    rows = [f"0.9,{i % 3},{i % 3 + (i > 5)}" for i in range(40)]
    file = written(tmp_path / "a.csv", "\n".join(["confidence,predicted,label", *rows]))
    with pytest.raises(ArcalError, match="label is predicted plus 1 in 34 of 40 rows"):
        read_predictions(file)


def test_parquet_and_npz_say_the_same(tmp_path):
    ids, c, right = (list(column) for column in zip(*ROWS, strict=True))
    pq.write_table(pa.table({"id": ids, "confidence": c, "correct": right}), tmp_path / "a.parquet")
    np.savez(tmp_path / "a.npz", ids=ids, confidence=c, correct=right)
    for name in ("a.parquet", "a.npz"):
        saved = read_predictions(tmp_path / name)
        assert saved.names == tuple(ids)
        assert saved.predictions.correct.tolist() == right
