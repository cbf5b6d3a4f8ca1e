"""Calibrators, and temperatures that follow a stream of inputs, as files."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor

from arcal.calibration.posthoc import CALIBRATORS, BatchTemperature, Calibrator, from_state
from arcal.errors import ArcalError
from arcal.store._tensors import read_tensors, save_tensors

CALIBRATOR_FORMAT = "arcal calibrator 1"
"""The format of a calibrator's file; its number increases when older versions cannot read it."""

STREAM_FORMAT = "arcal stream 1"
"""The format of a stream's file, numbered in the same way."""


def save_calibrator(calibrator: Calibrator, path: Path | str) -> None:
    """Write a calibrator's `state_dict()` as safetensors, with its kind in the metadata.

    A calibrator whose class is not in `CALIBRATORS` (`register` adds one of your own) could not be
    read back and raises `ArcalError`.

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
            f"{type(calibrator).__name__} cannot be saved: register it with "
            "arcal.calibration.posthoc.register"
        )
    save_tensors(Path(path), calibrator.state_dict(), format=CALIBRATOR_FORMAT, kind=kind)


def load_calibrator(path: Path | str) -> Calibrator:
    """Read a calibrator that `save_calibrator` wrote, bit for bit, on the CPU.

    In a folder that `arcal calibrate`, or `Calibration.save`, wrote it is the calibrator that was
    picked. A file that is missing or damaged, has another format or kind, or has tensors that are
    out of range raises `ArcalError`.
    """
    if (folder := Path(path)).is_dir():
        path = folder / "calibrator.safetensors"
        if not path.exists():
            raise ArcalError(
                f"{folder} has no calibrator.safetensors, which is only written if a calibrator is "
                "picked: name another folder, or a calibrator's file"
            )
    state, header = _read(path, "calibrator", CALIBRATOR_FORMAT)
    try:
        return from_state(str(header.get("kind")), state)
    except ValueError as error:
        raise ArcalError(f"{path} is not a calibrator of this version: {error}") from None


def save_stream(stream: BatchTemperature, path: Path | str) -> None:
    """Write a `BatchTemperature` with the inputs in its window, to go on after a restart.

    >>> import torch
    >>> from arcal.calibration.posthoc import fit_batch_temperature
    >>> log_p = torch.tensor([[0.9, 0.1], [0.6, 0.4]]).log().repeat(50, 1)
    >>> save_stream(fit_batch_temperature(log_p, [0, 1] * 50), "stream.safetensors")
    >>> load_stream("stream.safetensors").accuracy
    0.5
    """
    save_tensors(Path(path), stream.state_dict(), format=STREAM_FORMAT)


def load_stream(path: Path | str) -> BatchTemperature:
    """Read a stream that `save_stream` or `arcal calibrate` wrote, bit for bit.

    `ArcalError` is raised for the same reasons as in `load_calibrator`.
    """
    state, _ = _read(path, "stream", STREAM_FORMAT)
    try:
        return BatchTemperature.from_state_dict(state)
    except ValueError as error:
        raise ArcalError(f"{path} is not a stream of this version: {error}") from None


def _read(path: Path | str, what: str, format: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the header of a file of this format."""
    try:
        state, header = read_tensors(Path(path))
    except FileNotFoundError:
        raise ArcalError(f"{path} is missing: fit a {what} and save it there") from None
    except (SafetensorError, IsADirectoryError, ValueError) as error:
        raise ArcalError(
            f"{path} is not a {what} ({error}): name a file that save_{what} wrote"
        ) from None
    if header.get("format") != format:
        raise ArcalError(
            f"{path} is not a {what} of this version: its format is {header.get('format')}, "
            f'not "{format}"; name another file, or update arcal'
        )
    return state, header
