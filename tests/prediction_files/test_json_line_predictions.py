"""Predictions as services log them: JSON lines, and objects or lists in columns of tables."""

import gzip
import json
import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from arcal.audits import split_names
from arcal.errors import ArcalError
from arcal.prediction_files import ColumnNames, read_predictions

ROWS = [{"cat": 0.75, "dog": 0.25}, {"cat": 0.5, "dog": 0.5}, {"cat": 0, "dog": 1}]
LABELS = ["cat", "dog", "dog"]


def lines(path: Path, rows: list, **more: list) -> Path:
    """A line for each label, with these outputs and what more is logged."""
    named = zip(LABELS, rows, strict=True)
    objects = [{"label": label, "probabilities": row} for label, row in named]
    for name, values in more.items():
        objects = [one | {name: value} for one, value in zip(objects, values, strict=True)]
    text = "".join(json.dumps(one) + "\n" for one in objects).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def scored(row: dict) -> list:
    """As pipelines of transformers return it, the best class first."""
    best = sorted(row, key=row.__getitem__, reverse=True)
    return [{"label": name, "score": row[name]} for name in best]


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.jsonl.gz"])
@pytest.mark.parametrize("as_logged", [dict, scored, json.dumps])
def test_an_object_for_each_input_names_the_classes(tmp_path, name, as_logged):
    path = lines(tmp_path / name, [*map(as_logged, ROWS)], id=["007", "x", "7"], ms=[3, 4, 5])
    saved = read_predictions(path)
    assert saved.classes == ("cat", "dog")
    assert saved.names == ("007", "x", "7")
    assert saved.unused == ("ms",)
    assert saved.predictions.labels.tolist() == [0, 1, 1]
    expected = torch.tensor([[0.75, 0.25], [0.5, 0.5], [0, 1]], dtype=torch.float64)
    assert torch.equal(saved.predictions.log_probabilities.exp(), expected)
    assert split_names([str(path)]) == ([str(path)], None)


def test_the_scores_of_a_pipeline_keep_their_name(tmp_path):
    path = lines(tmp_path / "a.jsonl", [*map(scored, ROWS)])
    path.write_text(path.read_text().replace("probabilities", "scores"))
    saved = read_predictions(path)
    assert saved.classes == ("cat", "dog")
    assert saved.predictions.labels.tolist() == [0, 1, 1]
    assert saved.unused == ()
    assert split_names([str(path)] * 2) == ([str(path)] * 2, None)
    other = lines(tmp_path / "b.jsonl", [*map(dict, ROWS)], scores=[*map(scored, ROWS)])
    assert read_predictions(other).unused == ("scores",)


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ([*ROWS[:2], {"cat": 1}], "probabilities.dog is missing in row 2"),
        ([*ROWS[:2], None], "probabilities.cat is missing in row 2"),
        ([*ROWS[:2], [0.5, 0.5]], "probabilities has values of several types"),
        ([[0.5, 0.5], [1.0], [0, 1]], "probabilities of row 1 is not a list of 2 numbers"),
        ([[0.5, 0.5], None, [0, 1]], "probabilities of row 1 is not a list of 2 numbers"),
        ([[[0.5, 0.5]], [[0.5, 0.5], [1, 0]], [[0, 1]]], "probabilities has lists of lists: give"),
        (
            [[[0.5, 0.5], [1, 0]]] * 3,
            "each word of a sentence, and name the column of its",
        ),
        ([[0.5, 0.5]] * 3, 'give objects such as {"cat": 0.9, "dog": 0.1}'),
        ([{}] * 3, "there are no logits or probabilities"),
    ],
)
def test_what_does_not_fit_is_one_line_that_names_the_file_once(tmp_path, rows, line):
    path = lines(tmp_path / "a.jsonl", rows)
    with pytest.raises(ArcalError) as raised:
        read_predictions(path)
    assert line in str(raised.value)
    assert str(raised.value).count(str(path)) == 1


def test_a_file_that_is_cut_off_or_missing_is_refused(tmp_path):
    path = lines(tmp_path / "a.jsonl", ROWS)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ArcalError, match=r"a\.jsonl: row 2 is not a JSON object"):
        read_predictions(path)
    with pytest.raises(ArcalError, match=r"b\.jsonl is missing"):
        read_predictions(tmp_path / "b.jsonl")
    (tmp_path / "c.jsonl.gz").write_bytes(b"\x1f\x8bno")
    with pytest.raises(ArcalError, match=r"c\.jsonl\.gz: cannot be read as UTF-8"):
        read_predictions(tmp_path / "c.jsonl.gz")


def test_the_confidence_in_the_predicted_class_alone_is_of_an_answer(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"label": "cat", "predicted": "dog", "confidence": 0.75}\n')
    said = read_predictions(path).predictions
    assert said.answers
    assert (said.confidence.tolist(), said.correct.tolist()) == ([pytest.approx(0.75)], [False])


DEEP = [
    {
        "id": i,
        "meta": {"site": site, "a": {"truth": truth}},
        "probabilities": {"cat": p, "dog": 1 - p},
    }
    for i, site, truth, p in ((1, "x", "cat", 0.75), (2, "y", "dog", 0.5), (3, "x", "dog", 0.25))
]


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_a_key_within_an_object_is_named_by_dots(tmp_path, name):
    path = tmp_path / name
    if name.endswith("jsonl"):
        path.write_text("".join(json.dumps(one) + "\n" for one in DEEP))
    else:
        pq.write_table(pa.Table.from_pylist(DEEP), path)
    saved = read_predictions(path, ColumnNames(label="meta.a.truth", by=["meta.site"]))
    assert saved.predictions.labels.tolist() == [0, 1, 1]
    assert saved.by["meta.site"].to_pylist() == ["x", "y", "x"]
    assert saved.classes == ("cat", "dog")
    with pytest.raises(ArcalError, match=r"called meta\.site\.truth, only id, ") as raised:
        read_predictions(path, ColumnNames(label="meta.site.truth"))
    _, there = str(raised.value).split("only ")  # in the order in which pyarrow reads them
    assert {"meta.site", "meta.a.truth"} < {*there.partition(":")[0].split(", ")}


TOKENS = [{"A": -1.5, "B": -0.5}, {"A": 2.0, "B": -3.0}, {"A": 0.25, "B": 0.5}]


@pytest.mark.parametrize("key", ["logits", "logprobs", "log_probabilities"])
def test_logits_within_an_object_are_read_as_logits_where_they_are_named(tmp_path, key):
    rows = [
        {"label": label, "output": {key: {f" {name}": z for name, z in row.items()}, "ms": 3}}
        for label, row in zip("ABB", TOKENS, strict=True)
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    saved = read_predictions(path, ColumnNames(probabilities=[f"output.{key}"]))
    assert saved.classes == ("A", "B")  # without the space that the tokens begin with
    assert saved.predictions.logits[0].tolist() == [[*row.values()] for row in TOKENS]
    with pytest.raises(ArcalError, match=f"seem to be in output.{key}: say --probabilities output"):
        read_predictions(path)


def test_where_every_row_has_only_its_largest_outputs_the_line_says_what_can_be_done(tmp_path):
    three = [{"a": 0.6, "b": 0.3}, {"b": 0.5, "c": 0.4}, {"c": 0.7, "a": 0.2}]
    path = lines(tmp_path / "a.jsonl", [*map(scored, three)])
    with pytest.raises(
        ArcalError, match=r"every row lacks some of the 3 .*row 0 has 2.*confidence"
    ):
        read_predictions(path)
    three[1] |= {"a": 0.1}
    path = lines(tmp_path / "b.jsonl", [*map(scored, three)])
    with pytest.raises(ArcalError, match="is missing in row"):
        read_predictions(path)


@pytest.mark.parametrize("listed", [False, True])
def test_the_log_probability_of_class_1_alone_is_no_logit(tmp_path, listed):
    p, path = [0.9, 0.2, 0.55, 0.01], tmp_path / "a.jsonl"
    rows = [
        {"label": int(one > 0.5), "out": {"logprob": [math.log(one)] if listed else math.log(one)}}
        for one in p
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    saved = read_predictions(path, ColumnNames(probabilities=["out.logprob"]))
    read = saved.predictions.log_probabilities.exp()
    assert read[:, 1].tolist() == pytest.approx(p)
    assert saved.predictions.correct.all()
    path.write_text(json.dumps({"label": 1, "out": {"logprob": 0.5}}) + "\n")
    with pytest.raises(
        ArcalError, match=r"is 0\.5 in row 0, and the logarithm of a probability is"
    ):
        read_predictions(path, ColumnNames(probabilities=["out.logprob"]))
