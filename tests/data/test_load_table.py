"""Tables of numbers, against NumPy's own reader of text and against what was written."""

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.datasets import load_wine

from arcal.data import kind_of, load_part, load_table, load_texts
from arcal.errors import ArcalError

FLOATS = st.floats(-1e6, 1e6, width=32)


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_compressed_file_is_what_is_in_it(tmp_path):
    text = "age,label\n31,1\n58,0\n"
    plain = load_table(write(tmp_path / "loans.csv", text))
    (tmp_path / "loans.CSV.gz").write_bytes(gzip.compress(text.encode()))
    table = load_table(str(tmp_path / "loans.CSV.gz"))
    assert table.name == plain.name == "loans"
    assert table.fingerprint() == plain.fingerprint()
    (tmp_path / "loans.tar.gz").write_bytes(gzip.compress(b"..."))
    with pytest.raises(ArcalError, match=r"loans\.tar\.gz is a file of no known kind"):
        load_table(str(tmp_path / "loans.tar.gz"))


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=arrays.arrays(
        np.float32, st.tuples(st.integers(1, 8), st.integers(1, 4)), elements=FLOATS
    ),
    format=st.sampled_from(["%.9g", " %.9g ", "%.12e", "%+.9g"]),
)
def test_csv_is_read_as_numpy_reads_it(tmp_path, rows, format):
    """Nine digits give back every float32."""
    names = [f"column {d}" for d in range(rows.shape[1])]
    labels = np.arange(len(rows)) % 3
    file = io.StringIO()
    np.savetxt(file, rows, format, ",", header=",".join(names), comments="")
    lines = file.getvalue().splitlines()
    ends = ["y", *map(str, labels)]
    text = "\n".join(f"{line},{end}" for line, end in zip(lines, ends, strict=True))
    table = load_table(write(tmp_path / "rows.csv", text))
    assert np.array_equal(table.rows.numpy(), rows)
    peer = np.loadtxt(tmp_path / "rows.csv", delimiter=",", skiprows=1, ndmin=2)
    assert np.array_equal(table.rows.numpy(), peer[:, :-1].astype(np.float32))
    assert (table.columns, table.labels.tolist()) == (tuple(names), labels.tolist())
    least, greatest = table.bounds
    assert torch.equal(least, torch.from_numpy(rows.min(0)))
    assert torch.equal(greatest, torch.from_numpy(rows.max(0)))


@pytest.mark.parametrize("format", ["csv", "tsv", "semicolons", "bars", "parquet", "jsonl"])
def test_a_real_table_in_every_format(tmp_path, format):
    wine: Any = load_wine()
    columns = {name: wine.data[:, d] for d, name in enumerate(wine.feature_names)}
    columns["class"] = np.array(["first", "second", "third"])[wine.target]
    rows = pa.table(columns)
    path = tmp_path / f"wine-test.{'csv' if format in ('semicolons', 'bars') else format}"
    if format == "parquet":
        pq.write_table(rows, path)
    elif format == "jsonl":
        lines = [str(row).replace("'", '"') for row in rows.to_pylist()]
        path.write_text("\n".join(lines))
    else:
        mark = {"csv": ",", "tsv": "\t", "semicolons": ";", "bars": "|"}[format]
        with path.open("w", newline="") as file:
            writer = csv.writer(file, delimiter=mark)
            writer.writerow(rows.column_names)
            writer.writerows(zip(*rows.to_pydict().values(), strict=True))
    table = load_table(str(path))
    assert np.array_equal(table.rows.numpy(), wine.data.astype(np.float32))
    assert table.labels.tolist() == wine.target.tolist()
    assert table.classes == ("first", "second", "third")
    assert table.columns == tuple(wine.feature_names)
    assert (table.name, table.shape, len(table)) == ("wine/test", (13,), 178)
    assert table.ids.tolist() == list(range(178))


def test_types_of_numbers_in_parquet(tmp_path):
    columns = {
        "byte": pa.array([1, 2], pa.uint8()),
        "long": pa.array([2**40, -1]),
        "half": pa.array(np.array([0.5, 1.5], np.float16)),
        "money": pa.array([1, 2]).cast(pa.decimal128(21, 2)),
        "text": pa.array(["3", "4.5"]),
        "bits": pa.array(["0", "1"]).dictionary_encode(),
        "target": [1.0, 0.0],
        "__index_level_0__": [5, 6],  # of pandas
    }
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    table = load_table(str(tmp_path / "rows.parquet"))
    assert table.columns == ("byte", "long", "half", "money", "text", "bits")
    assert table.rows.tolist() == [[1, 2.0**40, 0.5, 1, 3, 0], [2, -1, 1.5, 2, 4.5, 1]]
    assert table.labels.tolist() == [1, 0]


def test_columns_label_ids_and_weights_that_are_named(tmp_path):
    text = "id,age,name,income,label,y,w\n9,31,Ann,2,0,b,1\n4,58,Bo,1,1,a,0.5\n"
    source = write(tmp_path / "rows.csv", text)
    table = load_table(source, columns=["income", "age"], label="y", weight="w")
    assert table.rows.tolist() == [[2, 31], [1, 58]]
    assert (table.ids.tolist(), table.labels.tolist()) == ([9, 4], [1, 0])
    assert table.classes == ("a", "b")
    assert table.weights is not None
    assert table.weights.tolist() == [1, 0.5]
    turned = load_table(source, columns=["income"], label="y", classes=["b", "c", "a"])
    assert (turned.classes, turned.labels.tolist()) == (("b", "c", "a"), [0, 2])
    with pytest.raises(ArcalError, match="has the columns label and y: say which is the label"):
        load_table(source)


def test_a_subset_and_the_fingerprint(tmp_path):
    source = write(tmp_path / "rows.csv", "a,b,label\n1,2,0\n3,4,1\n5,6,0\n")
    table = load_table(source)
    some = table.subset(torch.tensor([2, 0]))
    assert some.rows.tolist() == [[5, 6], [1, 2]]
    assert some.bounds[1].tolist() == [5, 6]
    with pytest.raises(ArcalError, match="has no id 1"):
        some.subset(torch.tensor([1]))
    others = {
        some.fingerprint(),
        load_table(source, columns=["b", "a"]).fingerprint(),
        load_table(source, columns=["a"]).fingerprint(),
        load_table(write(tmp_path / "c.csv", "a,c,label\n1,2,0\n3,4,1\n5,6,0\n")).fingerprint(),
    }
    assert len(others | {table.fingerprint()}) == 5
    again = load_table(write(tmp_path / "d.csv", "a,b,label\n1.0,2,0\n3,4,1\n5,6,0\n"))
    assert again.fingerprint() == table.fingerprint()


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            "a,label\n1,0\nx,1\n",
            {},
            "rows.csv, row 1: a is 'x', not a number: leave the column out .--columns .*audit a",
        ),
        ("a,label\n1,0\n,1\n", {}, "row 1: a is missing: fill it in"),
        ('a,label\n1,0\n" ",1\n', {}, "row 1: a is missing"),
        ("a,label\n1,0\nnan,1\n", {}, "row 1: a is nan: give a finite number"),
        ("a,label\n1,0\n-inf,1\n", {}, "row 1: a is -inf: give a finite number"),
        ("a,label\n1,0\n1e39,1\n", {}, r"row 1: a is 1e\+39, too large for float32"),
        ("a,label\nTrue,0\nFalse,1\n", {}, "row 0: a is True: write 1 and 0"),
        ("a,label\n1,0\n2,\n", {}, "row 1: label is missing"),
        ("a,label\n1,0\n2,1,5\n", {}, "cannot be read as CSV .*Expected 2 columns, got 3"),
        (
            "a,b\n1,0\n",
            {},
            "has no column label or labels or target or class or y: its columns are",
        ),
        ("label\n1\n", {}, "has no columns besides label"),
        (",a,label\n0,1,1\n", {}, r"column 0 has no name \(as pandas writes an index\)"),
        ("a,a,label\n0,1,1\n", {}, "has 2 columns a: keep one"),
        ("a,label\n0,1\n", {"columns": ["b"]}, "has no column b: .* --columns"),
        ("a,label\n0,1\n", {"columns": ["a", "a"]}, "repeat one, or include the label"),
        ("a,label\n0,1\n", {"columns": ["a", "label"]}, "repeat one, or include the label"),
        ("a,label\n0,3.7\n", {}, "row 0: label is 3.7, which is not a class: labels are whole"),
        ("a,label\n", {}, "has no rows"),
        ("", {}, "rows.csv is empty"),
    ],
)
def test_what_is_wrong_is_one_line_with_column_and_row(tmp_path, text, options, message):
    source = write(tmp_path / "rows.csv", text)
    with pytest.raises(ArcalError, match=message) as raised:
        load_table(source, **options)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([True, False]), "row 0: a is True or False: write 1 and 0"),
        (pa.array([[1], [2]]), "row 0: a is of type list.*: leave the column out"),
        (pa.array([1, None]), "row 1: a is missing"),
        (pa.array([0, 1], pa.timestamp("s")), "row 0: a is of type timestamp"),
        (pa.array(["1", "b"]).dictionary_encode(), "row 1: a is 'b', not a number"),
    ],
)
def test_types_that_are_no_numbers(tmp_path, column, message):
    pq.write_table(pa.table({"a": column, "label": [0, 1]}), tmp_path / "rows.parquet")
    with pytest.raises(ArcalError, match=message):
        load_table(str(tmp_path / "rows.parquet"))


@given(st.integers(1, 300), st.data())
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_first_wrong_row_is_named(tmp_path, N, data):
    wrong = data.draw(st.lists(st.integers(0, N - 1), min_size=1, max_size=3))
    values = ["?" if row in wrong else "1" for row in range(N)]
    source = write(tmp_path / "rows.csv", "a,label\n" + "".join(f"{v},0\n" for v in values))
    with pytest.raises(ArcalError, match=f"row {min(wrong)}: a is '\\?', not a number"):
        load_table(source)


def test_decimal_commas_are_read_beside_semicolons_only(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("age;income;label\n31;2,5;yes\n58;-1;no\n")
    assert kind_of(str(path)) == "table"
    table = load_table(str(path))
    assert table.rows.tolist() == [[31, 2.5], [58, -1]]
    assert table.classes == ("no", "yes")
    path.write_text("age\tincome\tlabel\n31\t2,500\tyes\n")  # perhaps of thousands
    with pytest.raises(ArcalError, match="income"):
        load_table(str(path))


@pytest.mark.parametrize(
    ("above", "mark"),
    [
        ("sep=;\n", ";"),
        ("sep=\t\r\n", "\t"),
        ("# of model 3, on monday\n# and tuesday\n", ","),
        ("\n# of model 3\n\n", ","),
        ("\ufeff# of model 3\n", "|"),
        ('# a quote " without end\n', ","),
    ],
)
def test_lines_above_the_header(tmp_path, above, mark):
    rows = [["age", "income", "label"], ["31", "2", "yes"], ["58", "-1", "no"]]
    path = tmp_path / "rows.csv"
    path.write_text(above + "".join(f"{mark.join(row)}\n" for row in rows), encoding="utf-8")
    table = load_table(str(path))
    assert table.rows.tolist() == [[31, 2], [58, -1]]
    assert (table.columns, table.classes) == (("age", "income"), ("no", "yes"))


def test_data_that_need_no_labels(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("rows.csv").write_text("age,label\n1,\n2,yes")
    Path("texts.csv").write_text("text\nNever again.\nSuperb.")
    np.savez("images.npz", images=np.zeros((3, 4, 4), np.uint8))
    table = load_table("rows.csv", labelled=False)
    assert (table.columns, table.labels.tolist(), len(table.classes)) == (("age",), [0, 0], 1)
    assert load_texts("texts.csv", labelled=False).labels.tolist() == [0, 0]
    assert load_part("images.npz", labelled=False).labels.tolist() == [0, 0, 0]
    for load, source in ((load_table, "rows.csv"), (load_texts, "texts.csv")):
        with pytest.raises(ArcalError, match="label"):
            load(source)
