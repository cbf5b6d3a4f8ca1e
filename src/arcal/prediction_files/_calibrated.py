"""Calibrated predictions, written to a file of the kinds that predictions are read from."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

from arcal.auditing import Predictions, calibrated, without_zeros
from arcal.calibration.posthoc import Calibrator
from arcal.errors import ArcalError
from arcal.files import write_text, write_whole
from arcal.prediction_files._files import SavedPredictions


def write_calibrated(
    path: Path, saved: SavedPredictions, calibrator: Calibrator, fitted_to: Predictions
) -> None:
    """Write one row per input, in the order of the file that was read: CSV, Parquet, JSON lines.

    The columns are `id`, `predicted` (the name of the most probable class), and one column per
    class, such as `probabilities_cat`; JSON lines have an object `probabilities` instead. For
    answers the columns are `id` and `confidence`. Probabilities of 0 and logits of -inf are treated
    as in the predictions that the calibrator was `fitted_to`. A calibrator that needs logits
    refuses probabilities.

    >>> from arcal.auditing import as_predictions
    >>> from arcal.calibration.posthoc import Temperature
    >>> one = as_predictions(probabilities=[[0.5, 0.5]], labels=[1])
    >>> saved = SavedPredictions(one, ("cat", "dog"))
    >>> write_calibrated(Path("a.csv"), saved, Temperature(2.0), fitted_to=one)
    >>> print(Path("a.csv").read_text().strip())
    "id","predicted","probabilities_cat","probabilities_dog"
    0,"cat",0.5,0.5
    """
    predictions, _ = without_zeros(saved.predictions, like=fitted_to)
    if calibrator.needs_energy and not predictions.energy.any():
        raise ArcalError(
            f"{calibrator.kind} needs logits, and these are probabilities: give logits"
        )
    p = calibrated(calibrator, predictions).log_probabilities.exp()
    if fitted_to.impossible:
        p = p.where(~saved.predictions.logits.isneginf().all(0), 0)
        p /= p.sum(dim=1, keepdim=True)
    ids = predictions.ids.tolist() if saved.names is None else list(saved.names)
    if predictions.answers:
        columns: dict[str, Any] = {"id": ids, "confidence": p[:, 0].tolist()}
    else:
        predicted = [saved.classes[z] for z in p.argmax(dim=1).tolist()]
        columns = {"id": ids, "predicted": predicted}
        if path.suffix == ".jsonl":
            rows = p.tolist()
            columns["probabilities"] = [dict(zip(saved.classes, row, strict=True)) for row in rows]
        else:
            of = enumerate(saved.classes)
            columns |= {f"probabilities_{name}": p[:, z].numpy() for z, name in of}
    if path.suffix == ".jsonl":
        values = zip(*columns.values(), strict=True)
        lines = (dict(zip(columns, row, strict=True)) for row in values)
        write_text(path, "".join(json.dumps(line) + "\n" for line in lines))
    elif path.suffix == ".csv":
        write_whole(path, lambda temporary: csv.write_csv(pa.table(columns), temporary))
    else:
        write_whole(path, lambda temporary: pq.write_table(pa.table(columns), temporary))
