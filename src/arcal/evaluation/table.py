"""Every figure as one row, for tables and pictures of any kind."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from arcal._version import __version__
from arcal.auditing import Subject
from arcal.errors import ArcalError, first_line
from arcal.files import check_replaceable, write_whole

SCHEMA = pa.schema(
    [
        ("method", pa.string()),  # label with settings
        ("run", pa.string()),  # the run folder's name, "ensemble" or "all runs"
        ("seeds", pa.string()),  # such as 0, or 0+1 for members
        ("set", pa.string()),  # test, or ood: and the name of the other data
        ("type", pa.string()),  # of the corruption; null: none
        ("intensity", pa.int8()),
        ("level", pa.int16()),  # of robustness, 0 is the least robust; null: all
        ("measure", pa.string()),
        ("value", pa.float64()),  # null where it is not finite
    ]
)
SMALL: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 12,
    "use_dictionary": [name for name in SCHEMA.names if name != "value"],
    "column_encoding": {"value": "BYTE_STREAM_SPLIT"},
}
"""Options for Parquet: splitting the numbers by bytes compresses them best."""
ENSEMBLE, ALL = "ensemble", "all runs"
"""The `run` of figures for all runs: of their averaged prediction, and on how much they differ."""


def write_table(
    path: Path, subjects: Sequence[Subject], *, keep_others: bool = False, **about: Any
) -> None:
    """Write all figures of subjects as Parquet, with one row per run, set and measure.

    A file that arcal did not write is kept and raises `ArcalError`. With `keep_others`, the rows of
    an existing file on other methods and sets are kept.

    `about` and the version of arcal are written as JSON to the schema's metadata, under `arcal`.

    >>> from arcal.auditing import CLEAN, Provenance, as_predictions
    >>> sure = as_predictions(probabilities=[[0.75, 0.25], [0.25, 0.75]], labels=[0, 1])
    >>> runs = [Provenance("vanilla-s0")]
    >>> subject = Subject.from_predictions("vanilla", {CLEAN: [sure]}, provenance=runs)
    >>> write_table(Path("figures.parquet"), [subject], note="a toy")
    >>> table = pq.read_table("figures.parquet")
    >>> table["measure"][0].as_py(), table["value"][0].as_py()
    ('accuracy', 1.0)
    """
    check_replaceable(path)
    table = table_of(subjects)
    if keep_others and path.exists():
        table = pa.concat_tables([table, _others(path, table)])
    metadata = {"arcal": json.dumps({"version": __version__} | about)}
    write_whole(
        path, lambda to: pq.write_table(table.replace_schema_metadata(metadata), to, **SMALL)
    )


def table_of(subjects: Sequence[Subject]) -> pa.Table:
    """All figures of subjects as an Arrow table, with one row per run, set and measure.

    The columns are those of `SCHEMA`; `.to_pandas()` converts the table. A run without provenance
    is named by its seeds.

    >>> from arcal.auditing import CLEAN, as_predictions
    >>> sure = as_predictions(probabilities=[[0.75, 0.25], [0.25, 0.75]], labels=[0, 1])
    >>> table = table_of([Subject.from_predictions("mine", {CLEAN: [sure, sure]})])
    >>> table["run"].unique().to_pylist()
    ['seed 0', 'seed 1', 'ensemble', 'all runs']
    """
    return pa.Table.from_pylist(list(rows(subjects)), schema=SCHEMA)


def rows(subjects: Sequence[Subject]) -> Iterator[dict[str, Any]]:
    """The rows of `SCHEMA`."""
    for subject in subjects:
        everyone = "+".join(str(seed) for seeds in subject.seeds for seed in seeds)
        each = ["+".join(map(str, seeds)) for seeds in subject.seeds]
        named = [run.name for run in subject.provenance] or [f"seed {seeds}" for seeds in each]
        runs = list(zip(named, each, strict=True))
        for where, measures in subject.measures.items():
            intensity = None if where.corruption is None else where.intensity
            key = {"method": subject.name, "set": where.part}
            key |= {"type": where.corruption, "intensity": intensity}
            for (run, seeds), values in zip(runs, measures.runs, strict=True):
                yield from _rows(key, run, seeds, values)
            yield from _rows(key, ENSEMBLE, everyone, measures.ensemble)
            yield from _rows(key, ALL, everyone, measures.stability)
            for name, by_level in measures.stability_by_level.items():
                for level, value in enumerate(by_level):
                    yield from _rows(key | {"level": level}, ALL, everyone, {name: value})
        for other in subject.ood:
            key = {"method": subject.name, "set": f"ood:{other.name}"}
            for (run, seeds), separation in zip(runs, other.runs, strict=True):
                yield from _rows(key, run, seeds, vars(separation))
            if other.ensemble is not None:
                yield from _rows(key, ENSEMBLE, everyone, vars(other.ensemble))


def _others(path: Path, table: pa.Table) -> pa.Table:
    """The rows of a file whose method and set do not occur in `table`."""
    try:
        there = pq.read_table(path).cast(SCHEMA)
    except (OSError, ValueError) as error:
        raise ArcalError(
            f"{path} is not a table of figures ({first_line(error)}): move it away"
        ) from None
    new = set(zip(*_keys(table), strict=True))
    return there.filter([key not in new for key in zip(*_keys(there), strict=True)])


def _keys(table: pa.Table) -> list[list[Any]]:
    return table.select(["method", "set", "type", "intensity"]).to_pydict().values()


def _rows(
    key: Mapping[str, Any], run: str, seeds: str, values: Mapping[str, float]
) -> Iterator[dict[str, Any]]:
    for measure, value in values.items():
        finite = value if math.isfinite(value) else None
        yield {**key, "run": run, "seeds": seeds, "measure": measure, "value": finite}
