"""A `torch.export` program from its `.pt2` file, opened as a classifier."""

import hashlib
import io
import logging
import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

from arcal.classifiers._class_names import read_entries
from arcal.classifiers._libraries import versions
from arcal.classifiers._opened_classifier import Loaded, kind_of_shape
from arcal.errors import ArcalError, first_line
from arcal.files import parse_json

PLAIN = re.compile(
    r"(.*\.json|(.*/)?(archive_format|archive_version|byteorder|version|\.data/.*)"
    r"|.*data/weights/weight_\d+|.*data/constants/tensor_\d+)"
)
"""Entries of a `.pt2` file that are text or the bytes of a tensor."""


def load_exported(path: Path) -> Loaded:
    """A `torch.export` program from its file, with the shape of its inputs.

    A `.pt2` file counts as code and must come from a trusted source: `torch.export.load` evaluates
    expressions of sizes in it (sympy) and runs conditions on them as Python. Objects that torch
    would unpickle without limits (tensor subclasses, custom classes) and compiled libraries are not
    trusted: a file that holds any of these raises `ArcalError` before torch sees it, as does a
    damaged file.
    """
    if not path.is_file():
        raise ArcalError(f"{path} is missing: give the file that torch.export.save wrote")
    content = path.read_bytes()
    try:
        _check_entries(path, content)
        with quietly():
            program = torch.export.load(io.BytesIO(content))
    except ArcalError:
        raise
    except Exception as error:  # torch raises all kinds of errors on damaged or foreign files
        raise ArcalError(
            f"{path} cannot be read as an exported program ({first_line(error)}): write it by "
            f"torch.export.save, with a torch no newer than {torch.__version__}"
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    shape = _input_shape(program)
    class_names, calibrated_on = read_entries(partial(_entry, content))
    return Loaded(
        path.stem,
        program,
        identity=f"exported {digest}",
        facts={
            "Network": "a program of torch.export",
            "Weights": f"{path.name}, SHA-256 {digest[:16]}",
        },
        library=versions(),
        normalized="none added: what there is, is inside the program",
        kind=kind_of_shape(shape),
        class_names=class_names,
        calibrated_on=calibrated_on,
        input_shape=shape,
    )


def _entry(content: bytes, name: str) -> bytes | None:
    """The archive's entry with this name, beside the program itself; None if there is none."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = [one for one in archive.namelist() if one.endswith(f"/{name}")]
        return archive.read(entries[0]) if entries else None


@contextmanager
def quietly() -> Iterator[None]:
    """Silence the warnings, progress, logs and listings of writing and reading programs."""
    loggers = [logging.getLogger(name) for name in ("torch.export", "torch.onnx", "onnxscript")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        said = io.StringIO()
        with warnings.catch_warnings(), redirect_stdout(said), redirect_stderr(said):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _check_entries(path: Path, content: bytes) -> None:
    """Refuse entries of the archive that `torch.export.load` would unpickle or link."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            if name.endswith(".pt"):  # example inputs; in older files the weights, too
                data = archive.read(name)
                if data and not _is_plain(data):
                    raise _refused(path, name)
            elif not PLAIN.fullmatch(name):
                raise _refused(path, name)
            elif name.endswith("_config.json"):
                entries: dict[str, Any] = parse_json(archive.read(name)).get("config", {})
                for entry in entries.values():
                    if entry.get("use_pickle"):
                        raise _refused(path, f"{name}, {entry.get('path_name')}")


def _is_plain(data: bytes) -> bool:
    try:
        torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError):
        return False
    return True


def _refused(path: Path, name: str) -> ArcalError:
    return ArcalError(
        f"{path} holds {name}, which is compiled code or would be unpickled, and is not opened: "
        "export a network of plain tensors"
    )


def _input_shape(program: ExportedProgram) -> tuple[int, ...] | None:
    """The shape of one input without the batch, if the program takes one tensor of known shape."""
    names = program.graph_signature.user_inputs
    values = [
        node.meta.get("val")
        for node in program.graph.nodes
        if node.op == "placeholder" and node.name in names
    ]
    if len(values) != 1 or not isinstance(values[0], Tensor):
        return None
    lengths: list[Any] = list(values[0].shape[1:])
    return tuple(lengths) if all(isinstance(length, int) for length in lengths) else None
