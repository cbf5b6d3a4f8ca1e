"""Columns whose names mislead: statistics called like outputs, and classes sorted as text."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pytest
import torch

from arcal.audits import NamedPredictions, open_predictions
from arcal.errors import ArcalError
from arcal.prediction_files import read_predictions

N = 60


def logits(Z: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits `(N, Z)` and labels, most of which have the highest."""
    rng = np.random.default_rng(Z)
    labels = rng.integers(0, Z, N)
    return rng.normal(size=(N, Z)) + 3 * np.eye(Z)[labels], labels


def write(file: Path, columns: dict[str, Any]) -> None:
    csv.write_csv(pa.table(columns), file)


def softmax(z: np.ndarray) -> np.ndarray:
    return torch.tensor(z).softmax(1).numpy()


def test_labels_of_transformers_hold_the_index(tmp_path: Path):
    z, labels = logits(12)
    file, p = tmp_path / "a.jsonl", softmax(z)
    rows = [
        {"label": int(y), "scores": [{"label": f"LABEL_{k}", "score": row[k]} for k in order]}
        for y, row, order in zip(labels, p, np.argsort(-p), strict=True)
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    read = read_predictions(file)
    assert read.classes[:3] == ("LABEL_0", "LABEL_1", "LABEL_10")
    assert read.predictions.correct.numpy().mean() == (p.argmax(1) == labels).mean()


@pytest.mark.parametrize("prefix", ["logits_", "probabilities_", "p_"])
def test_classes_sorted_as_text_are_told_from_those_of_a_label_encoder(tmp_path: Path, prefix: str):
    z, labels = logits(12)
    order = np.array(sorted(range(12), key=str))
    file, values = tmp_path / "a.csv", z if prefix == "logits_" else softmax(z)
    columns = {f"{prefix}class_{k}": values[:, k] for k in order}
    write(file, {"label": labels} | columns)
    with pytest.raises(ArcalError, match="more are right as those in the names"):
        read_predictions(file)
    right = (z.argmax(1) == labels).mean()
    for given in (order.argsort()[labels], [f"class_{k}" for k in labels]):  # encoded, and by name
        write(file, {"label": given} | columns)
        assert read_predictions(file).predictions.correct.numpy().mean() == right


def test_a_single_column_that_is_never_below_half_may_be_a_confidence(tmp_path: Path):
    z, labels = logits(2)
    file, p = tmp_path / "a.csv", softmax(z)
    write(file, {"label": labels, "probability": p.max(1)})
    said = read_predictions(file).doubt
    assert said is not None
    assert said.startswith("no probability is below one half")
    caveats = open_predictions([NamedPredictions(str(file), "mine")])[0].caveats
    assert any(said in one.sentence for one in caveats)
    write(file, {"label": labels, "probability": p[:, 1]})
    assert read_predictions(file).doubt is None
