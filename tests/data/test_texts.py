import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arcal.data import kind_of, load_texts
from arcal.errors import ArcalError

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=20)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(WORDS, min_size=1, max_size=6), format=st.sampled_from(["csv", "jsonl"]))
def test_any_text_comes_back_as_it_was_written(tmp_path, texts, format):
    path = tmp_path / f"rows.{format}"
    labels = [str(k % 2) for k in range(len(texts))]
    with path.open("w", newline="", encoding="utf-8") as file:
        if format == "csv":
            rows = csv.writer(file, quoting=csv.QUOTE_ALL)
            rows.writerows([("text", "label"), *zip(texts, labels, strict=True)])
        else:
            for text, label in zip(texts, labels, strict=True):
                print(json.dumps({"text": text, "label": label}), file=file)
    part = load_texts(str(path))
    assert part.texts == tuple(texts)
    assert part.labels.tolist() == [k % 2 for k in range(len(texts))]
    assert part.ids.tolist() == list(range(len(texts)))


def saved(folder, rows, features):
    """A folder as `save_to_disk` writes it."""
    folder.mkdir(parents=True)
    name = "data-00000-of-00001.arrow"
    with pa.ipc.new_stream(str(folder / name), rows.schema) as stream:
        stream.write_table(rows)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))
    return str(folder)


@pytest.mark.parametrize("format", ["parquet", "saved"])
def test_columns_and_names_of_classes(tmp_path, format):
    rows = pa.table(
        {
            "sentence": ["Never again.", "Superb.", ""],
            "label": [0, 1, 0],
            "id": [7, 5, 3],
            "w": [1, 2, 3],
        }
    )
    features = {"label": {"names": ["bad", "good"], "_type": "ClassLabel"}}
    if format == "saved":
        source = saved(tmp_path / "sst" / "validation", rows, features)
    else:
        source = str(tmp_path / "sst")
        info = json.dumps({"info": {"features": features}})
        path = tmp_path / "sst-dev.parquet"
        pq.write_table(rows.replace_schema_metadata({"huggingface": info}), path)
    part = load_texts(source, weight="w")
    assert part.name == "sst/validation"
    assert part.texts == ("Never again.", "Superb.", "")
    assert (part.classes, part.labels.tolist()) == (("bad", "good"), [0, 1, 0])
    assert part.ids.tolist() == [7, 5, 3]
    assert part.weights is not None
    assert part.weights.tolist() == [1, 2, 3]
    some = part.subset(torch.tensor([3, 7]))
    assert (some.texts, some.labels.tolist()) == (("", "Never again."), [0, 0])
    prints = {
        part.fingerprint(),
        some.fingerprint(),
        load_texts(source).fingerprint(),
        load_texts(source, classes=["good", "bad"]).fingerprint(),
    }
    assert len(prints) == 4
    with pytest.raises(ArcalError, match="w is of type int64, not text: name another"):
        load_texts(source, text="w")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("text,label\na,0\n,1\n", "rows.csv, row 1: text is missing: fill it in"),
        ("text,label\na,0\nb,\n", "row 1: label is missing"),
        ("words,label\na,0\n", "no column text or sentence or content: .* --text"),
        ("text,stars\na,0\n", "no column label or .* --label"),
        ("text,label\n", "has no rows"),
    ],
)
def test_what_is_wrong_in_csv(tmp_path, text, message):
    (tmp_path / "rows.csv").write_text(text)
    with pytest.raises(ArcalError, match=message):
        load_texts(str(tmp_path / "rows.csv"))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['{"text": "a", "label": 0}', '{"text": "b"}'], "rows.jsonl, row 1: label is missing"),
        (
            ['{"text": "a", "label": 0}', "[]"],
            "row 1 is not a JSON object: write one object a line",
        ),
        (['[{"text": "a", "label": 0}]'], "row 0 is not a JSON object"),
        (['{"text": "a"', "}"], "row 0 is not a JSON object"),
        (['{"text": "a", "label": 0}', '{"text": 1, "label": 0}'], "text has values of several"),
        ([""], "no column text"),
    ],
)
def test_what_is_wrong_in_json_lines(tmp_path, lines, message):
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    with pytest.raises(ArcalError, match=message) as raised:
        load_texts(str(tmp_path / "rows.jsonl"))
    assert "\n" not in str(raised.value)


PAIRED = ("Who?", "Nobody."), ("Where?", "Here.")


def paired(tmp_path, first, second, *more):
    path = tmp_path / "pairs.csv"
    header = ",".join([second, *more, first, "label"])
    rows = [",".join([b, *more, a, str(k)]) for k, (a, b) in enumerate(PAIRED)]
    path.write_text("\n".join([header, *rows]) + "\n")
    return str(path)


@pytest.mark.parametrize(
    "names", [("premise", "hypothesis"), ("Sentence1", "Sentence2"), ("text", "text_pair")]
)
def test_names_that_say_it_make_pairs_in_their_order(tmp_path, names):
    part = load_texts(source := paired(tmp_path, *names))
    assert (part.texts, part.columns) == (PAIRED, names)
    assert part.shown()[1] == f"{names[0]}: Where?\n{names[1]}: Here."
    assert part.subset(torch.tensor([1])).texts == PAIRED[1:]
    assert kind_of(source) == "texts"
    one = load_texts(source, text=names[1])
    assert one.texts == one.shown() == ("Nobody.", "Here.")
    other = load_texts(source, text=names[::-1])
    assert other.texts == tuple((b, a) for a, b in PAIRED)
    assert len({each.fingerprint() for each in (part, one, other)}) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (("premise", "premise"), "--text premise premise: a model reads one text or a pair"),
        (("premise", "hypothesis", "label"), "two in the order in which it reads them"),
        (("premise", "answer"), "no column answer"),
        (("premise", "n"), "n is of type int64, not text"),
    ],
)
def test_what_is_no_pair(tmp_path, text, message):
    rows = {"premise": ["a"], "hypothesis": ["b"], "label": ["no"], "n": [1]}
    pq.write_table(pa.table(rows), tmp_path / "pairs.parquet")
    with pytest.raises(ArcalError, match=message):
        load_texts(str(tmp_path / "pairs.parquet"), text=text)
