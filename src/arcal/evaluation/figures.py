"""The figures of a method's runs on a set, kept in a run folder together with their basis.

They are read as long as the basis is the same, because for 25,000 images and 1,000 classes they
take seconds per run and set.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from arcal._version import __version__
from arcal.auditing import Measures
from arcal.errors import ArcalError
from arcal.files import parse_json, write_json

log: logging.Logger = logging.getLogger(__name__)

Basis = dict[str, Any]
"""What figures are computed from, as JSON."""

FORMAT = 3
"""Increased when a change to the code changes the figures; others are computed again."""

OVER_RUNS = ("ensemble", "stability", "stability_by_level")
"""The fields of `Measures` besides the figures of each run."""


def basis_of(
    predictions: Sequence[str],
    scores: Sequence[str],
    known: Sequence[Mapping[str, float]],
    posthoc: str | None,
    validation: Sequence[str],
) -> Basis:
    """What the figures of n runs on a set are computed from, to tell whether kept ones still hold.

    `predictions`, `scores` and, for a post-hoc method, `validation` are digests of the runs'
    predictions and scores, one per run; `known` is as for `measure_set`.
    """
    return {
        "version": __version__,
        "format": FORMAT,
        "predictions": list(predictions),
        "scores": list(scores),
        "known": [dict(run) for run in known],
        "posthoc": posthoc,
        "validation": list(validation) if posthoc else [],
    }


def read_figures(path: Path, basis: Basis) -> Measures | None:
    """The figures in a file if they have this `basis`; None if not, or if there is no file.

    A damaged file raises `ArcalError`.
    """
    if not path.exists():
        return None
    try:
        read = parse_json(path.read_bytes())
        if read["basis"] != basis:
            return None
        return Measures(tuple(read["runs"]), **{name: read[name] for name in OVER_RUNS})
    except (ValueError, TypeError, KeyError) as error:
        raise ArcalError(f"{path} is damaged ({error}): delete it and evaluate again") from None


def write_figures(path: Path, basis: Basis, measures: Measures) -> None:
    """Write figures with their basis.

    If the folder cannot be written, such as one of another user, this is only logged.
    """
    over_runs = {name: getattr(measures, name) for name in OVER_RUNS}
    try:
        write_json(path, {"basis": basis, "runs": measures.runs, **over_runs})
    except OSError as error:
        log.info(f"figures are not kept in {path}: {error.strerror or error}")
