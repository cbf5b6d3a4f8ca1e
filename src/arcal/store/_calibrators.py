"""A calibrator on disk."""

from pathlib import Path

from safetensors import SafetensorError

from arcal.calibration.posthoc import CALIBRATORS, Calibrator, from_state
from arcal.errors import ArcalError
from arcal.store._tensors import read_tensors, save_tensors

CALIBRATOR_FORMAT = "arcal calibrator 1"
"""The format of a calibrator's file; its number increases when older versions cannot read it."""


def save_calibrator(calibrator: Calibrator, path: Path | str) -> None:
    """Write a calibrator's `state_dict()` as safetensors, with its kind in the metadata.

    A calibrator whose class is not in `CALIBRATORS` could not be read back and raises `ArcalError`.

    >>> from tempfile import TemporaryDirectory
    >>> from arcal.calibration.posthoc import Temperature
    >>> with TemporaryDirectory() as folder:
    ...     save_calibrator(Temperature(2.5), f"{folder}/calibrator.safetensors")
    ...     load_calibrator(f"{folder}/calibrator.safetensors")
    Temperature(T=2.5)
    """
    kind = getattr(calibrator, "kind", None)
    if CALIBRATORS.get(str(kind)) is not type(calibrator):
        raise ArcalError(
            f"{type(calibrator).__name__} cannot be saved: add it to "
            "arcal.calibration.posthoc.CALIBRATORS under its kind"
        )
    save_tensors(Path(path), calibrator.state_dict(), format=CALIBRATOR_FORMAT, kind=kind)


def load_calibrator(path: Path | str) -> Calibrator:
    """Read a calibrator that `save_calibrator` wrote, bit for bit, on the CPU.

    A file that is missing or damaged, has another format or kind, or has tensors that are out of
    range raises `ArcalError`.
    """
    try:
        state, header = read_tensors(Path(path))
    except FileNotFoundError:
        raise ArcalError(f"{path} is missing: fit a calibrator and save it there") from None
    except (SafetensorError, IsADirectoryError, ValueError) as error:
        raise ArcalError(
            f"{path} is not a calibrator ({error}): name a file that save_calibrator wrote"
        ) from None
    if header.get("format") != CALIBRATOR_FORMAT:
        raise ArcalError(
            f"{path} is not a calibrator of this version: its format is {header.get('format')}, "
            f'not "{CALIBRATOR_FORMAT}"; name another file, or update arcal'
        )
    try:
        return from_state(str(header["kind"]), state)
    except (KeyError, ValueError) as error:
        raise ArcalError(f"{path} is not a calibrator of this version: {error}") from None
