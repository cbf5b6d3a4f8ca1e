"""Files of predictions: the same from every format, and one line for each that cannot be read."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from arcal.audits import read_predictions
from arcal.audits._open import open_predictions
from arcal.audits._prediction_files import holds_predictions
from arcal.errors import ArcalError

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
    (audited,) = open_predictions([str(tmp_path / "p.npz")], ["p"], R=10)
    assert (p[np.arange(600), labels] == 0).any()
    exact = -np.log(softmax(z)[np.arange(600), labels]).mean()
    assert audited.overall.nll.value == pytest.approx(exact, rel=0.1)
    assert audited.posthoc.recommended is not None
    assert "probabilities are 0, as if they were rounded" in audited.facts["Probabilities"]


TWO = "label,logits_0,logits_1\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", r"cannot be read \(Empty CSV file\)"),
        (TWO, "there are no rows"),
        ("label,x\n0,1\n", "there are no logits or probabilities, only label, x"),
        ("logits_0,logits_1\n1,2\n", "there are no labels, only logits_0, logits_1: add them"),
        (TWO + "0,1,2\n,1,2\n", "label is missing in row 1"),
        (TWO + "0,1,2\n1,,2\n", "logits_0 is missing in row 1"),
        (TWO + "0,1,x\n1,1,2\n", "logits_1 is no number in row 0 .'x'.: give numbers alone"),
        (TWO + "0,1,2\n2,1,2\n", "the label of row 1 is 2, and the 2 classes are 0 .. 1"),
        (TWO + "0,.25,.75\n1,.5,.5\n", "give them as prob"),
        ("label,probability_0,probability_1\n0,.25,.85\n", "do not sum to 1 in row 0"),
        ("label,cat,dog\n0,.5,.5\n", "only label, cat, dog: name a column a class"),
        ("label,probability\n1,75\n", "in row 0: name logits `logits`, and divide per cent"),
        (TWO + "yes,1,2\n", "labels are names, and the classes are not named"),
        ("label,logits_a,logits_b\nc,1,2\n", "the label 'c' of row 0 is none of a, b"),
        ("id,label,logits_0,logits_1\nx,0,1,2\nx,0,1,2\n", "id 'x' is there twice"),
        ("id,label,logits_0,logits_1\n5,0,1,2\n5,0,1,2\n", "id 5 of row 1 is there twice"),
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
    np.savez(tmp_path / "objects.npz", logits=np.array([object()]), labels=[0])
    with pytest.raises(
        ArcalError, match=r"cannot be read .* save names as text, by `numpy.asarray"
    ):
        read_predictions(tmp_path / "objects.npz")  # nothing is unpickled
    assert not holds_predictions(Path("net.py"))


def test_labels_are_the_names_of_columns_that_are_numbers(tmp_path, logits):
    p = softmax(logits)
    columns = {f"probabilities_{name}": p[:, i] for i, name in enumerate(("0", "10", "2"))}
    labels = np.array([0, 10, 2])[LABELS]
    pq.write_table(pa.table({"label": labels, **columns}), tmp_path / "mine.parquet")
    saved = read_predictions(tmp_path / "mine.parquet")
    assert saved.classes == ("0", "10", "2")
    assert saved.predictions.labels.tolist() == LABELS.tolist()
    pq.write_table(pa.table({"label": labels + 1, **columns}), tmp_path / "other.parquet")
    with pytest.raises(ArcalError, match="the label '1' of row 0 is none of 0, 10, 2"):
        read_predictions(tmp_path / "other.parquet")
