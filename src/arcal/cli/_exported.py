"""What `arcal calibrate` writes besides its figures: the calibrated model or predictions."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from arcal.cli._paths import check_folder
from arcal.cli.output import say
from arcal.errors import ArcalError

if TYPE_CHECKING:
    from arcal.auditing import Choice, Predictions
    from arcal.audits import Calibration, Job
    from arcal.prediction_files import SavedPredictions

EXPORTED = (
    "calibrated.safetensors",
    "calibrated.pt2",
    "calibrated.onnx",
    "calibrated.csv",
    "calibrated.parquet",
    "calibrated.jsonl",
)
"""Files that may be written besides those of `Calibration.save`. Only the first tells who wrote it;
the others count as arcal's if arcal's figures are in the same folder."""


def formats_named(words: tuple[str, ...], model: str) -> tuple[str, ...]:
    """The formats that these words name; a format that the model cannot have is refused.

    >>> formats_named(("pt2,safetensors",), "net.pt2")
    ('pt2', 'safetensors')
    """
    formats = tuple(one for word in words for one in word.split(",") if one)
    if words and not formats:
        raise ArcalError("--export names no format: give pt2, onnx or safetensors")
    if model.endswith(".onnx") and set(formats) - {"onnx"}:
        raise ArcalError(
            f"--export {' '.join(formats)}: a model from {model} can only be exported as "
            "onnx; leave the other formats out"
        )
    if formats:
        from arcal.classifiers import check_formats

        check_formats(formats)
    return formats


def check_out(out: Path) -> None:
    """Refuse a folder that cannot be written, or where such files are not arcal's."""
    from arcal.audits import CALIBRATION_FILES

    check_folder(out, (*CALIBRATION_FILES, EXPORTED[0]))
    if not (out / CALIBRATION_FILES[0]).exists():
        check_folder(out, EXPORTED)


def applied_name(file: Path) -> str:
    """The name of the file for the calibrated probabilities, by the format of the predictions.

    >>> applied_name(Path("may.csv.gz")), applied_name(Path("may.npz"))
    ('calibrated.csv', 'calibrated.parquet')
    """
    endings = {part.lower() for part in file.suffixes}
    if endings & {".csv", ".tsv"}:
        return "calibrated.csv"
    return "calibrated.jsonl" if endings & {".jsonl", ".ndjson"} else "calibrated.parquet"


def check_exportable(job: "Job") -> None:
    """Refuse a model that is not a module."""
    from torch import nn

    if not isinstance(job.model, nn.Module):
        raise ArcalError(
            f"{job.name} is a function, and --export needs a torch module: leave it out"
        )


def write(calibration: "Calibration", formats: tuple[str, ...], out: Path) -> list[Path]:
    """Write the calibrator first, so that it is there even if the export of the model fails."""
    from arcal.audits import save_calibration

    for name in EXPORTED:  # files of an earlier calibration must not be mistaken for this one's
        (out / name).unlink(missing_ok=True)
    written = save_calibration(calibration, out)
    if formats:
        if calibration.choice.calibrator is None:
            no = " nor ".join(f"calibrated.{one}" for one in formats)
            say(f"arcal: no {no} is written: no calibrator is picked, the model stays as it is")
        else:
            try:
                written += calibration.export(out, formats)
            except ArcalError as error:
                raise ArcalError(f"{error}; the calibrator is written") from error
    shutil.rmtree(out / ".work", ignore_errors=True)
    return written


def apply(
    choice: "Choice", saved: "SavedPredictions", fitted_to: "Predictions", file: Path, out: Path
) -> list[Path]:
    """Write the calibrated probabilities of predictions from a `file`, if there is a calibrator."""
    from arcal.prediction_files import write_calibrated

    if choice.calibrator is None:
        say(f"arcal: nothing is written for {file}: the model stays as it is")
        return []
    path = out / applied_name(file)
    write_calibrated(path, saved, choice.calibrator, fitted_to)
    return [path]
