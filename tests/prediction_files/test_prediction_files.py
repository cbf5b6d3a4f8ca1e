"""Files of predictions: the same from every format, and one line for each that cannot be read."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from arcal.audits import NamedPredictions, split_names
from arcal.audits._open_predictions import open_predictions
from arcal.errors import ArcalError
from arcal.prediction_files import ColumnNames, read_predictions
from arcal.prediction_files._files import holds_predictions

CLASSES = ("cat", "dog", "fox")


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(size=(20, 3)) * 3


def softmax(z):
    return np.exp(z) / np.exp(z).sum(1, keepdims=True)


LABELS = np.arange(20) % 3


def test_all_formats_say_the_same(tmp_path, logits):
    p, labels = softmax(logits), LABELS
    names = [CLASSES[y] for y in labels]
    np.savez(tmp_path / "logits.npz", logits=logits, labels=labels, classes=CLASSES)
    np.savez(tmp_path / "p.npz", probabilities=p, labels=names, classes=CLASSES, ids=range(20))
    columns = {f"probabilities_{name}": p[:, i] for i, name in enumerate(CLASSES)}
    pq.write_table(pa.table({"label": names, **columns}), tmp_path / "columns.parquet")
    lists = pa.table({"logits": logits.tolist(), "labels": labels, "weight": np.ones(20)})
    pq.write_table(lists, tmp_path / "lists.parquet")
    header = "id,label," + ",".join(f"logits.{name}" for name in CLASSES)
    rows = [f"{i},{names[i]}," + ",".join(map(repr, map(float, logits[i]))) for i in range(20)]
    (tmp_path / "table.csv").write_text("\n".join([header, *rows]))
    expected = torch.tensor(p)
    for path in sorted(tmp_path.iterdir()):
        assert holds_predictions(path), path
        saved = read_predictions(path)
        got = saved.predictions.log_probabilities.exp()
        assert torch.allclose(got, expected, atol=1e-6), path
        assert saved.predictions.labels.tolist() == labels.tolist()
        assert saved.classes == (CLASSES if "lists" not in path.name else ("0", "1", "2"))
    weights = read_predictions(tmp_path / "lists.parquet").weights
    assert weights is not None
    assert weights.tolist() == [1.0] * 20


def test_parquet_in_parts_as_spark_writes_it(tmp_path):
    rows = pa.table(
        {"id": [*range(6)], "probability": [0.1 * i for i in range(6)], "label": [0, 1] * 3}
    )
    pq.write_table(rows, tmp_path / "whole.parquet")
    parts = tmp_path / "p.parquet"
    parts.mkdir()
    assert not holds_predictions(parts)
    for i in range(3):
        pq.write_table(rows.slice(2 * i, 2), parts / f"part-0000{i}.snappy.parquet")
    (parts / "_SUCCESS").write_bytes(b"")
    assert holds_predictions(parts)
    assert split_names([str(parts)]) == ([str(parts)], None)
    whole, found = (
        read_predictions(one).predictions for one in (tmp_path / "whole.parquet", parts)
    )
    assert torch.equal(found.logits, whole.logits)
    assert found.ids.tolist() == whole.ids.tolist() == [*range(6)]


def test_ids_that_are_names_stay_names(tmp_path):
    (tmp_path / "a.csv").write_text("id,label,probability\nx.png,1,.75\ny.png,0,.5\n")
    saved = read_predictions(tmp_path / "a.csv")
    assert saved.names == ("x.png", "y.png")
    assert saved.predictions.ids.tolist() == [0, 1]
    assert torch.allclose(
        saved.predictions.log_probabilities.exp(),
        torch.tensor([[0.25, 0.75], [0.5, 0.5]]).double(),
    )


def test_rounded_probabilities_have_a_log_loss_and_a_calibrator_that_lowers_it(tmp_path):
    generator = np.random.default_rng(0)
    z = generator.normal(size=(600, 3)) * 6
    labels = (z / 3 + generator.gumbel(size=z.shape)).argmax(1)
    p = softmax(z).round(3)
    np.savez(tmp_path / "p.npz", probabilities=p, labels=labels)
    (audited,) = open_predictions([NamedPredictions(str(tmp_path / "p.npz"), "p")])
    assert (p[np.arange(600), labels] == 0).any()
    exact = -np.log(softmax(z)[np.arange(600), labels]).mean()
    assert audited.overall.nll.value == pytest.approx(exact, rel=0.1)
    assert audited.posthoc.recommended is not None
    assert "probabilities are 0, probably rounded" in audited.caveats[0].sentence


@pytest.mark.parametrize(
    "text",
    [
        "note;label;probabilities_a;probabilities_b;weight\n1,5;a;0,75;0,25;1,5\n;b;1;0,0e0;2\n",
        "label\tprobabilities_a\tprobabilities_b\tweight\na\t0.75\t0.25\t1.5\nb\t1\t0\t2\n",
        "label, probabilities_a, probabilities_b, weight\na, 0.75, 0.25, 1.5\nb, 1, 0, 2\n",
        "probabilities_a, probabilities_b, weight, label\n0.75, 0.25, 1.5, a  \n1, 0, 2, b  \n",
    ],
    ids=["decimal commas", "tabs", "spaces", "padded"],
)
@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "tsv", "CSV"])
def test_columns_may_be_separated_by_other_than_commas(tmp_path, text, suffix):
    path = tmp_path / f"mine.{suffix}"
    path.write_bytes(gzip.compress(text.encode()) if suffix == "csv.gz" else text.encode())
    assert holds_predictions(path)
    saved = read_predictions(path)
    assert saved.classes == ("a", "b")
    assert saved.weights is not None
    assert saved.weights.tolist() == [1.5, 2]
    assert saved.predictions.labels.tolist() == [0, 1]
    p = saved.predictions.log_probabilities.exp()
    assert p[0].tolist() == pytest.approx([0.75, 0.25])


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_file_that_is_not_utf_8_is_refused(tmp_path, encoding):
    for rows in (1, 5000):
        path = tmp_path / "mine.csv"
        path.write_bytes((TWO.replace("label", "labels") + "0,1,2\n" * rows).encode(encoding))
        path.write_bytes(path.read_bytes() + "caf\xe9,1,2\n".encode(encoding))
        with pytest.raises(ArcalError, match="it is not UTF-8: save it as UTF-8"):
            read_predictions(path)


TWO = "label,logits_0,logits_1\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "it is empty: give a header and a row for each input"),
        ("# a\n# b\n", "it is empty: give a header and a row for each input"),
        ("sep=;\n", "it is empty: give a header and a row for each input"),
        (TWO, "there are no rows"),
        ("label,x\n0,1\n", "there are no logits or probabilities, only label, x"),
        ("confidence,label\n.9,1\n", "nothing says which answers are right: give a column"),
        ("y,y_pred\n0,1\n", "only y, y_pred: y_pred does not say how sure the model is; give each"),
        ("label,a,b\n0,.5,.5\n", "there are no logits or probabilities, only label, a, b"),
        ("label,a,b\na,1.5,.5\n", r"columns are called as the labels \(a\), but hold no probabil"),
        ("label,a,b\na,1.5,-.5\n", "call them logits_a and so on"),
        ("logits_0,logits_1\n1,2\n", "there are no labels, only logits_0, logits_1: name them"),
        ("logits_0,logits_1\n1,2\n", "or which file they are in, with --labels-from"),
        (TWO + "0,1,2\n,1,2\n", "label is missing in row 1"),
        (TWO + "0,1,2\n1,,2\n", "logits_0 is missing in row 1"),
        (TWO + "0,1,x\n1,1,2\n", "logits_1 is not a number in row 0 .'x'.: give numbers alone"),
        (TWO + "0,1,2\n2,1,2\n", "the label of row 1 is 2, and the 2 classes are 0 .. 1"),
        (TWO + "0,.25,.75\n1,.5,.5\n", "give them as prob"),
        ("label,probability_0,probability_1\n0,.25,.85\n", "do not sum to 1 in row 0"),
        ("cat,dog,verdict\n.7,.3,cat\n.1,.9,dog\n", "no labels, .* of which cat, dog sum to 1, as"),
        ("label,cat,dog\n0,.5,.5\n", "only label, cat, dog: give each class a column"),
        ("label,probability\n1,75\n", "in row 0: if they are logits, .* divide per cent"),
        (TWO + "yes,1,2\n", "labels are names, and the classes are not named"),
        ("label,logits_a,logits_b\nc,1,2\n", "the label 'c' of row 0 is none of a, b"),
        ("label,logits_a,logits_b\na,1,2\n,1,2\n", "the label of row 1 is blank: fill it in or"),
        ("id,label,logits_0,logits_1\nx,0,1,2\nx,0,1,2\n", "id 'x' occurs twice"),
        ("id,label,logits_0,logits_1\n5,0,1,2\n5,0,1,2\n", "id 5 of row 1 occurs twice"),
        ("label;logits_0;logits_1\n0;1.200,5;2\n", "logits_0 is not a number in row 0"),
        ('label,logits_0,logits_1\n0,"1,5",2\n', "logits_0 is not a number in row 0"),
        ("label,labels,logits_0,logits_1\n0,1,1,2\n", "columns label and labels: keep one"),
        ("label,probability_0\n0,.9\n", "every label is 0: add a column"),
        ("label,predicted,probability\n1,0,.9\n1,1,.8\n", "0.9 in row 0, where 0 is predicted"),
        ("weight,label,logits_0,logits_1\n-1,0,1,2\n", "weights must be 0 or more, found -1 at 0"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_file(tmp_path, text, line):
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(ArcalError, match=line) as error:
        read_predictions(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_other_files(tmp_path):
    with pytest.raises(ArcalError, match="is missing"):
        read_predictions(tmp_path / "none.npz")
    with pytest.raises(ArcalError, match="are read from"):
        read_predictions(tmp_path / "mine.txt")
    for name in ("broken.npz", "broken.parquet"):
        (tmp_path / name).write_bytes(b"PK\x03\x04 not this")
        with pytest.raises(ArcalError, match="cannot be read"):
            read_predictions(tmp_path / name)
        assert not holds_predictions(tmp_path / name)
    np.savez(tmp_path / "outputs.npz", outputs=np.eye(2), y=[0, 1])
    with pytest.raises(ArcalError, match="only outputs, y: name their array `logits` or `prob"):
        read_predictions(tmp_path / "outputs.npz")
    np.savez(tmp_path / "objects.npz", logits=np.array([object()]), labels=[0])
    with pytest.raises(
        ArcalError, match=r"cannot be read .* save names as text, by `numpy.asarray"
    ):
        read_predictions(tmp_path / "objects.npz")  # nothing is unpickled
    assert not holds_predictions(Path("net.py"))


SURE = np.array([0.875, 0.75, 0.25, 0.375, 0.125])  # of the class "yes"
YES = np.array([True, True, False, True, False])


def log_loss(saved):
    """Of the label, from the numbers that were read, however the classes are ordered."""
    of = saved.predictions
    return -of.log_probabilities[torch.arange(len(of.labels)), of.labels].mean().item()


@pytest.mark.parametrize(
    ("no", "yes", "labels"),
    [
        ("False", "True", YES),
        ("false", "true", YES.astype(str)),
        ("0", "1", YES.astype(int)),
        ("-1", "1", 2 * YES.astype(int) - 1),
        ("0.0", "1.0", YES.astype(float)),
        ("0.0", "1.0", YES.astype(int)),
        ("1", "other", np.where(YES, "other", "1")),
        ("2020-01-01", "2020-01-02", np.where(YES, "2020-01-02", "2020-01-01")),
    ],
)
@pytest.mark.parametrize("both", [True, False])
def test_a_label_is_its_column_in_whatever_order_the_columns_are(tmp_path, no, yes, labels, both):
    expected = -np.log(np.where(YES, SURE, 1 - SURE)).mean()
    columns = {f"probability_{yes}": SURE, f"probability_{no}": 1 - SURE}
    for name, order in (("a", list(columns)), ("b", list(columns)[::-1])):
        kept = order if both else order[:1]
        rows = zip(labels, *(columns[column] for column in kept), strict=True)
        lines = [",".join(["label", *kept]), *(",".join(map(str, row)) for row in rows)]
        path = tmp_path / f"{name}.csv"
        path.write_text("\n".join(lines))
        assert log_loss(read_predictions(path)) == pytest.approx(expected, abs=1e-6)
        if labels.dtype.kind in "bif":
            table = pa.table({"label": labels} | {column: columns[column] for column in kept})
            pq.write_table(table, path := tmp_path / f"{name}.parquet")
            assert log_loss(read_predictions(path)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("head", "sep"),
    [("age,dog,cat,label", ","), ("dog,fox,cat,label", ","), ("dog,cat,label", ";")],
)
def test_columns_of_probabilities_may_be_called_by_the_classes_alone(tmp_path, head, sep):
    rows = {"age": [31.5, 40.5], "dog": [0.25, 0.75], "cat": [0.75, 0.25], "fox": [0.0, 0.0]}
    names = head.split(",")[:-1]
    lines = [[f"{rows[name][i]}" for name in names] + ["cat"] for i in (0, 1)]
    lines[1][-1] = "dog"
    text = "\n".join(["\t".join(head.split(",")), *map("\t".join, lines)])
    text = text.replace("\t", sep).replace(".", "," if sep == ";" else ".")
    path = tmp_path / "mine.csv"
    path.write_text(text)
    saved = read_predictions(path)
    classes = tuple(name for name in names if name in rows and name != "age")
    assert (saved.classes, saved.unused) == (classes, ("age",) if "age" in names else ())
    expected = torch.tensor([rows[name] for name in classes]).T
    assert torch.allclose(saved.predictions.log_probabilities.exp().float(), expected, atol=1e-6)
    assert saved.predictions.labels.tolist() == [classes.index("cat"), classes.index("dog")]
    path.write_text("\n".join(line.rpartition(sep)[0] for line in text.splitlines()))
    if "age" not in names:
        assert read_predictions(path, labelled=False).classes == classes


def test_the_names_that_scikit_learn_has(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("y_true,y_pred,y_score\n1,1,0.75\n0,1,0.625\n")
    saved = read_predictions(path)
    assert holds_predictions(path)
    p = saved.predictions.log_probabilities.exp()
    assert torch.allclose(p, torch.tensor([[0.25, 0.75], [0.375, 0.625]], dtype=p.dtype))
    assert saved.predictions.labels.tolist() == [1, 0]
    assert saved.unused == ()
    path.write_text("y_true,y_score\n1,2.5\n0,-0.5\n")
    with pytest.raises(ArcalError, match="probabilities"):
        read_predictions(path)


def test_capitals_and_names_of_ones_own(tmp_path):
    text = "ID,Exposure,Churned,PROBABILITY_yes,note\n7,2,yes,.75,a\n9,1,no,.5,b\n"
    (tmp_path / "a.csv").write_text(text)
    saved = read_predictions(tmp_path / "a.csv", ColumnNames(label="Churned", weight="Exposure"))
    assert saved.classes == ("no", "yes")
    assert saved.predictions.ids.tolist() == [7, 9]
    assert saved.predictions.labels.tolist() == [1, 0]
    assert saved.weights is not None
    assert saved.weights.tolist() == [2, 1]
    assert saved.unused == ("note",)
    (tmp_path / "b.csv").write_text(text.replace("Exposure", "Weight"))
    weights = read_predictions(tmp_path / "b.csv", ColumnNames(label="Churned")).weights
    assert weights is not None
    assert weights.tolist() == [2, 1]
    with pytest.raises(ArcalError, match=r"nothing is called churned, only ID, Exposure, Churned"):
        read_predictions(tmp_path / "a.csv", ColumnNames(label="churned"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'label,probability,weight\n1,.5,"1,200.5"\n',
            r"weight .* row 0 \('1,200.5'\): .*thousands",
        ),
        ("label,probability\nyes,.5\n", "such as probability_yes"),
        ("label,probability,probability\n1,.5,.5\n", "2 columns probability: keep one"),
        ("label,probability,label\n1,.5,1\n", "a.csv: there are 2 columns label: keep one$"),
        (
            "exported\nlabel,probability\n1,.5\n",
            "as many fields as the header, which comes first; begin a title above it with #",
        ),
        ("label,pd\n1,.5\n", "the probability of class 1 `probability`"),
        ("churned,probability\n1,.5\n", "--label"),
    ],
)
def test_what_spreadsheets_and_exports_do_is_named(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ArcalError, match=message):
        read_predictions(tmp_path / "a.csv")


@pytest.mark.parametrize("name", ["prob", "probs", "proba", "y_prob", "y_score"])
def test_arrays_may_be_called_as_columns_are(tmp_path, name):
    p = np.array([[0.75, 0.25], [0.5, 0.5]])
    arrays: dict[str, Any] = {name: p, "y_true": [0, 1], "logits_of_old": p}
    np.savez(tmp_path / "a.npz", **arrays)
    saved = read_predictions(tmp_path / "a.npz")
    assert np.allclose(saved.predictions.log_probabilities.exp(), p)
    assert saved.unused == ("logits_of_old",)
    np.savetxt(
        tmp_path / "a.csv", [[0.25, 1], [0.5, 0]], "%g", ",", header=f"{name},label", comments=""
    )
    assert np.allclose(
        read_predictions(tmp_path / "a.csv").predictions.log_probabilities.exp()[0], p[0]
    )
