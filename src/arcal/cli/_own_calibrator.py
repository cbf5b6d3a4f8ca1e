"""A user's own calibrator, by its name in Python code."""

import inspect
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arcal.calibration.posthoc import CALIBRATORS, Calibrator, register
from arcal.classifiers import check_name, named_in_code, one_line
from arcal.errors import ArcalError, a_type, prefixing_errors


@dataclass(frozen=True)
class OwnCalibrator:
    """A calibrator from `spec`, registered under its `kind`, with a digest of its code.

    Made by `open_calibrator`.
    """

    kind: str
    spec: str
    code: str
    file: Path | None


def open_calibrator(spec: str) -> OwnCalibrator:
    """Open and register the calibrator that `file.py:name` or `package.module:name` stands for.

    The name is a subclass of `Calibrator` that the file registers by
    `arcal.calibration.posthoc.register`, or that has a `fit`, a `staticmethod` or `classmethod`
    called with log-probabilities and labels. The code is run. Any problem raises `ArcalError`
    with one line.

    >>> code = '''
    ... from arcal.calibration.posthoc import Calibrator
    ... class Flattened(Calibrator):
    ...     kind = "flattened"
    ...     def __init__(self, share):
    ...         super().__init__(share=share)
    ...     def calibrate(self, log_p):
    ...         return (log_p.exp() * (1 - self.share) + self.share / log_p.shape[1]).log()
    ...     @classmethod
    ...     def fit(cls, log_p, labels):
    ...         return cls(2 * (log_p.argmax(1) != labels).double().mean())
    ... '''
    >>> _ = Path("mine.py").write_text(code)
    >>> open_calibrator("mine.py:Flattened").kind
    'flattened'
    >>> from arcal.calibration.posthoc import EVALUATED, POSTHOC
    >>> del POSTHOC["flattened"], EVALUATED["flattened"], CALIBRATORS["flattened"]
    """
    check_name(spec, "a class in it")
    named = named_in_code(spec)
    value = named.value
    if not isinstance(value, type) or not issubclass(value, Calibrator):
        is_class = isinstance(value, type)
        what = f"the class {value.__name__}" if is_class else a_type(value)
        raise ArcalError(
            f"{spec} is {what}: name a subclass of `arcal.calibration.posthoc.Calibrator`"
        )
    if CALIBRATORS.get(getattr(value, "kind", "")) is not value:
        _register(spec, value)
    return OwnCalibrator(value.kind, spec, named.code, named.file)


def _register(spec: str, value: type[Calibrator]) -> None:
    fit: Any = getattr(value, "fit", None)
    if not callable(fit):
        raise ArcalError(
            f"{spec} does not say how it is fitted: write a classmethod `fit(cls, log_p, labels)` "
            "in it, or call `arcal.calibration.posthoc.register` in the file"
        )
    try:
        inspect.signature(fit).bind(None, None)
    except (TypeError, ValueError):
        raise ArcalError(
            f"{spec}.fit cannot be called with log-probabilities and labels alone: make it a "
            "classmethod `fit(cls, log_p, labels)`"
        ) from None
    with prefixing_errors(spec):
        register(value, fit)  # pyright: ignore[reportArgumentType]


@contextmanager
def blamed_on(calibrators: Sequence[OwnCalibrator]) -> Iterator[None]:
    """Turn what the code of these calibrators raises in the block into one line, with its place.

    `ArcalError`, which arcal raises itself, and all other errors stay as they are.
    """
    try:
        yield
    except (ArcalError, MemoryError):
        raise
    except Exception as error:
        files = {frame.filename for frame in traceback.extract_tb(error.__traceback__)}
        for one in calibrators:
            if one.file is not None and str(one.file) in files:
                with one_line(one.spec, "while it was fitted or applied"):
                    raise
        raise
