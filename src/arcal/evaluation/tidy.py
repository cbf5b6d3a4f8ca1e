"""Every figure as one row: what tables and pictures of any kind can be made of."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from arcal import __version__
from arcal.errors import ArcalError
from arcal.evaluation.collect import MethodRuns
from arcal.files import write_whole

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
"""How it is written: numbers by byte, which compresses them best."""
ENSEMBLE, ALL = "ensemble", "all runs"
"""`run` of what belongs to no single run: their averaged prediction, and how much they differ."""


def write_tidy(
    path: Path, groups: list[MethodRuns], *, keep_others: bool = False, **about: Any
) -> None:
    """Write all figures of evaluated runs as Parquet, one row a run, set and measure.

    With `keep_others`, what a file that is there has of other methods and sets stays in it.

    `about`, and the version of arcal, are kept as JSON in the schema's metadata under `arcal`.
    """
    table = pa.Table.from_pylist(list(rows(groups)), schema=SCHEMA)
    if keep_others and path.exists():
        table = pa.concat_tables([table, _others(path, table)])
    metadata = {"arcal": json.dumps({"version": __version__} | about)}
    write_whole(
        path, lambda to: pq.write_table(table.replace_schema_metadata(metadata), to, **SMALL)
    )


def rows(groups: list[MethodRuns]) -> Iterator[dict[str, Any]]:
    """The rows of `SCHEMA`."""
    for group in groups:
        everyone = "+".join(str(seed) for seeds in group.seeds for seed in seeds)
        of_group = [
            (folder.name, "+".join(map(str, seeds)))
            for folder, seeds in zip(group.folders, group.seeds, strict=True)
        ]
        for name in group.figures:
            at = {"method": group.label} | where(name)
            for (run, seeds), found in zip(of_group, group.figures[name], strict=True):
                yield from _rows(at, run, seeds, found)
            yield from _rows(at, ENSEMBLE, everyone, group.ensemble.get(name, {}))
            yield from _rows(at, ALL, everyone, group.stability.get(name, {}))
            for measure, values in group.stability_by_level.get(name, {}).items():
                for level, value in enumerate(values):
                    yield from _rows(at | {"level": level}, ALL, everyone, {measure: value})
        for other in group.ood:
            at = {"method": group.label, "set": f"ood:{other.name}"}
            for (run, seeds), found in zip(of_group, other.runs, strict=True):
                yield from _rows(at, run, seeds, vars(found))
            if other.ensemble is not None:
                yield from _rows(at, ENSEMBLE, everyone, vars(other.ensemble))


def _others(path: Path, table: pa.Table) -> pa.Table:
    """The rows of a file that are of another method, or of another set, than all of `table`."""
    try:
        there = pq.read_table(path).cast(SCHEMA)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ArcalError(f"{path} is no table of figures ({reason}): move it away") from None
    new = set(zip(*_of(table), strict=True))
    return there.filter([key not in new for key in zip(*_of(there), strict=True)])


def _of(table: pa.Table) -> list[list[Any]]:
    return table.select(["method", "set", "type", "intensity"]).to_pydict().values()


def where(name: str) -> dict[str, Any]:
    """Set, type and intensity of a set by its name, such as `test-fog-3`."""
    part, *corruption = name.split("-")
    if not corruption:
        return {"set": part, "type": None, "intensity": None}
    type, intensity = corruption
    return {"set": part, "type": type, "intensity": int(intensity)}


def _rows(
    at: dict[str, Any], run: str, seeds: str, found: dict[str, float]
) -> Iterator[dict[str, Any]]:
    for measure, value in found.items():
        finite = value if math.isfinite(value) else None
        yield at | {"run": run, "seeds": seeds, "measure": measure, "value": finite}
