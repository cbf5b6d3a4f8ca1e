"""The figures of a method's runs on a set, kept in a run folder with what they follow from.

They are read as long as that is the same: of 25,000 images and 1,000 classes they take seconds a
run and set.
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
"""What figures follow from, as JSON."""

FORMAT = 3
"""Raised when a change of the code changes the figures; those of another one are made anew."""

OVER_RUNS = ("ensemble", "stability", "stability_by_level")
"""What `Measures` has beside the figures of each run."""


def basis_of(
    predictions: Sequence[str],
    scores: Sequence[str],
    known: Sequence[Mapping[str, float]],
    posthoc: str | None,
    validation: Sequence[str],
) -> Basis:
    """What the figures of n runs on a set follow from, so that kept ones are known to hold.

    `predictions`, `scores` and, for a post-hoc method, `validation` are digests of what the runs
    said and were scored, an entry a run; `known` is what `measure_set` takes.
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
    """The figures in a file, if they follow from `basis`; None if not, or if there is no file.

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
    """Write figures with what they follow from.

    A folder that cannot be written to, such as somebody else's, is no reason to lose them.
    """
    over_runs = {name: getattr(measures, name) for name in OVER_RUNS}
    try:
        write_json(path, {"basis": basis, "runs": measures.runs, **over_runs})
    except OSError as error:
        log.info(f"figures are not kept in {path}: {error.strerror or error}")
