"""The figures that tables and pictures are made of, as rows of a CSV file.

A row belongs to a method on a setting of a scale, that is a data set and a network (`scales`). Its
`set` is `test`, one type of corruption of one intensity, `shift` (the mean over all corrupted
sets), `shift-standard` or `shift-extra` (the mean over those of the types of ImageNet-C, or of the
four extra types), or other data. Its `run` is

    a run's name   the figures of this run
    mean           the mean over the method's runs, for sets of one type and intensity
    all runs       of the averaged predictions of all runs, and how much the runs differ

What is computed from the predictions of all runs together cannot be computed from the other rows.
A `part` is a part of the set: a level of robustness, a bin of confidence or of entropy, or a member
of an ensemble. Figures have six significant digits, in the file and in everything made from it.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from arcal.auditing import STABILITY
from arcal.errors import ArcalError, first_line
from arcal.files import write_text

Row = dict[str, Any]
"""By column: text, or a number in those of `NUMBERS`. What a row does not have is left out."""

MEASURES = ("accuracy", "confidence", "ece", "nll", "brier")
DRAWN = ("accuracy", "ece")
"""Those that are kept for each type and intensity, to be drawn."""
NUMBERS = (
    "images",
    *MEASURES,
    "smoothing",
    *STABILITY,
    "attacked",
    "sure",
    "auroc_confidence",
    "auroc_entropy",
    "low_entropy",
    "value",
)
COLUMNS = (
    *("setting", "method", "run", "seed", "set", "intensity", "part"),
    *NUMBERS,
)
TEST, SHIFT, STANDARD, EXTRA = "test", "shift", "shift-standard", "shift-extra"
OTHER = "other data: "
MEAN, ALL = "mean", "all runs"
R = 10
"""How many levels of robustness are shown."""
LOW = 0.1
"""An entropy is low below this share of log Z, its greatest value."""
SURE = 0.99
"""A confidence above which a network is sure."""
SAMPLE = 1000
"""Training images of each run, evenly spaced over the set, whose confidence is looked at."""
FEW = 10
"""A bin with fewer images of one model is left out."""


def rounded(row: Row) -> Row:
    """The row with the digits of the file."""
    return {name: float(f"{v:.6g}") if name in NUMBERS else v for name, v in row.items()}


def joined(rows: Iterable[Row]) -> list[Row]:
    """The rows of runs that were evaluated one by one, as of all runs.

    What needs the predictions of all runs together is left out.
    """
    by_key: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        if row["run"] != ALL:
            key = ("method", "run", "seed", "set", "intensity", "part")
            by_key.setdefault(tuple(row.get(name, "") for name in key), []).append(row)
    return [
        some[0] | rounded({m: sum(r[m] for r in some) / len(some) for m in NUMBERS if m in some[0]})
        for some in by_key.values()
    ]


def merged(old: Sequence[Row], new: Sequence[Row]) -> list[Row]:
    """The rows of a file after some methods of one setting were evaluated again.

    Old rows stay if they are of another setting, or of the same seeds and, for a method that was
    evaluated again, of the same runs.
    """
    (setting,) = {row["setting"] for row in new}
    before = [row for row in old if row["setting"] == setting]
    others = [row for row in old if row["setting"] != setting]
    if seeds_of(before) != seeds_of(new):
        before = []
    was, now = _runs_by_method(before), _runs_by_method(new)
    before = [row for row in before if now.get(m := row.get("method", ""), was[m]) == was[m]]
    by_place: dict[tuple[str, ...], Row] = {}
    for row in (*before, *new):
        place = tuple(row.get(n, "") for n in ("method", "run", "seed", "set", "intensity", "part"))
        by_place[place] = by_place.get(place, {}) | row
    return [*others, *by_place.values()]


def _runs_by_method(rows: Iterable[Row]) -> dict[str, set[str]]:
    runs: dict[str, set[str]] = {}
    for row in rows:
        runs.setdefault(row.get("method", ""), set()).update(
            [row["run"]] if row.get("seed") else []
        )
    return runs


def seeds_of(rows: Iterable[Row]) -> tuple[int, ...]:
    """The seeds that occur, in their order."""
    named = (seed for row in rows for seed in row.get("seed", "").split("+") if seed)
    return tuple(dict.fromkeys(map(int, named)))


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write a file of figures."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({n: f"{v:.6g}" if n in NUMBERS else v for n, v in row.items()})
    write_text(path, text.getvalue())


def read_rows(path: Path) -> list[Row]:
    """Read a file of figures; one that is none raises `ArcalError`."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise ValueError("its columns are others")
            return [
                {n: float(v) if n in NUMBERS else v for n, v in row.items() if v} for row in reader
            ]
    except (OSError, ValueError) as error:
        raise ArcalError(
            f"{path} is not a file of figures that arcal reproduce wrote ({first_line(error)})"
        ) from None
