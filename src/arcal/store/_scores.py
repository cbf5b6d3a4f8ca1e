"""Score files: the robustness of a part of a data set, as Parquet."""

import json
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from arcal._version import __version__
from arcal.errors import ArcalError, first_line
from arcal.files import parse_json, write_whole
from arcal.robustness import Robustness

SHARDS = ".shards"
"""The suffix of a folder of shards."""


DIGEST = "arcal digest"
"""The entry of a file's metadata with the digest."""

ROWS = 1_000_000
"""Rows of a row group: 37 MB, which are in memory at a time when shards are merged."""

UNSAID = {"norm": "l2"}
"""Settings that are not written if they have their usual value."""

_NUMBERS = ("id", "robustness", "predicted", "label", "passes")


def save_scores(
    path: Path,
    scores: Robustness,
    fingerprint: Mapping[str, Any],
    names: Mapping[int, str] | None = None,
    of: Mapping[str, str] | None = None,
) -> None:
    """Write a score file with the fingerprint of the model, the data and the attack.

    `names` by id, such as the files that the inputs are in, become a column to join by. `of` are
    names of the model and the data, for whoever finds the file; they are not compared with
    anything.
    """
    success = [None] * len(scores.ids) if scores.success is None else scores.success.numpy()
    table = pa.table(
        {
            "id": scores.ids.numpy(),
            "robustness": scores.robustness.numpy(),
            "success": pa.array(success, pa.bool_()),
            "predicted": scores.predicted.numpy(),
            "label": scores.labels.numpy(),
            "passes": scores.passes.numpy(),
        }
    )
    if names is not None:
        table = table.append_column("name", pa.array([names[i] for i in scores.ids.tolist()]))
    about = {
        "order": scores.order,
        "kind": "distance" if scores.order == "attack" else "ranking, not a distance",
        "of": {**(of or {}), "arcal": __version__},
        "fingerprint": dict(fingerprint),
    }
    if scores.reason:
        about["reason"] = scores.reason
    _write(path, [table], about)


def merge_scores(path: Path, shards: Iterable[Path], **facts: Any) -> None:
    """Concatenate shards, given in order, into one score file, `ROWS` rows in memory at a time.

    `facts` replace entries of the shards' fingerprints that hold for one shard alone. A shard that
    is missing or not a score file raises `ArcalError`.
    """
    shards = list(shards)
    first, about = _read_scores(shards[0])
    about["fingerprint"] |= facts
    reasons = (_about(pq.read_schema(shard)).get("reason") for shard in shards)
    if reason := next(filter(None, reasons), None):
        about["reason"] = reason
    rest = (_read_scores(shard)[0] for shard in shards[1:])
    _write(path, chain([first], rest), about)


def score_facts(path: Path) -> dict[str, Any]:
    """The fingerprint that a score file was written with."""
    return _read_scores(path)[1]["fingerprint"]


def _about(schema: pa.Schema) -> dict[str, Any]:
    return parse_json((schema.metadata or {})[b"arcal"])


def _write(path: Path, tables: Iterable[pa.Table], about: Mapping[str, Any]) -> None:
    """Write consecutive tables to one file, with the digest of their values in its footer."""
    digest = _Digest()

    def write(temporary: Path) -> None:
        groups = _row_groups(tables)
        first = next(groups).replace_schema_metadata({"arcal": json.dumps(about)})
        with pq.ParquetWriter(temporary, first.schema) as writer:
            for table in chain([first], groups):
                whole = table.replace_schema_metadata(first.schema.metadata)
                writer.write_table(whole, row_group_size=max(1, len(whole)))
                digest.update(table)
            writer.add_key_value_metadata({DIGEST: digest.hexdigest()})

    write_whole(path, write)


def _row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of `ROWS` rows, the last with what is left; at least one table."""
    waiting, rows = [], 0
    for table in tables:
        waiting.append(table.replace_schema_metadata())
        rows += len(table)
        while rows > ROWS:
            whole = pa.concat_tables(waiting)
            yield whole.slice(0, ROWS).combine_chunks()
            waiting, rows = [whole.slice(ROWS)], rows - ROWS
    yield pa.concat_tables(waiting).combine_chunks()


class _Digest:
    """A digest, 32 hexadecimal digits, of the values of tables, however they are cut."""

    def __init__(self):
        self.columns = {name: blake2b(digest_size=16) for name in (*_NUMBERS, "success")}

    def update(self, table: pa.Table) -> None:
        for name in _NUMBERS:
            self.columns[name].update(np.ascontiguousarray(table[name].to_numpy()).data)
        success = table["success"].cast(pa.int8()).fill_null(-1)
        self.columns["success"].update(np.ascontiguousarray(success.to_numpy()).data)

    def hexdigest(self) -> str:
        every = blake2b(digest_size=16)
        for digest in self.columns.values():
            every.update(digest.digest())
        return every.hexdigest()


def load_scores(path: Path, fingerprint: Mapping[str, Any] | None = None) -> Robustness:
    """Read a score file.

    A file that is missing, is not a score file, or differs from an entry of `fingerprint`, and so
    belongs to another model, data set or attack, raises `ArcalError`.
    """
    table, about = _read_scores(path)
    expected = json.loads(json.dumps(fingerprint or {}))
    actual = {name: about["fingerprint"].get(name) for name in expected}
    if changes := ", ".join(_changes(actual, expected)):
        to_delete = path.parent if path.parent.suffix == SHARDS else "it"
        raise ArcalError(f"{path} is stale: its {changes}; delete {to_delete} and score again")
    column = {name: torch.from_numpy(table[name].to_numpy().copy()) for name in _NUMBERS}
    success = None
    if table["success"].null_count < len(table):
        success = torch.from_numpy(table["success"].to_numpy().astype(bool))
    return Robustness(
        order=about["order"],
        ids=column["id"],
        robustness=column["robustness"],
        success=success,
        predicted=column["predicted"],
        labels=column["label"],
        passes=column["passes"],
        reason=str(about.get("reason", "")),
    )


def _read_scores(path: Path) -> tuple[pa.Table, dict[str, Any]]:
    try:
        table = pq.read_table(path)
        about = _about(table.schema)
        if missing := {*_NUMBERS, "success"} - {*table.column_names}:
            raise KeyError(*missing)
        if missing := {"order", "fingerprint"} - about.keys():
            raise KeyError(*missing)
        digest = _Digest()
        digest.update(table)
        if pq.read_metadata(path).metadata[DIGEST.encode()].decode() != digest.hexdigest():
            raise ValueError("it does not hold what was written")
        robustness = table["robustness"].to_numpy()
        if np.isnan(robustness).any() or (about["order"] == "attack" and (robustness < 0).any()):
            raise ValueError("a robustness is not a number, or a distance below 0")
    except FileNotFoundError:
        raise ArcalError(f"{path} is missing: run `arcal score` first") from None
    except (pa.ArrowException, AttributeError, KeyError, OSError, ValueError) as error:
        raise ArcalError(
            f"{path} is not a score file ({first_line(error)}): name another, or, if it was one, "
            "delete it and score again"
        ) from None
    return table, about


def _changes(actual: Any, expected: Any, name: str = "") -> Iterator[str]:
    """The differences of two fingerprints as phrases: `attack iterations is 500, not 100`."""
    if isinstance(actual, dict) and isinstance(expected, dict):
        another = actual.get("kind") != expected.get("kind")  # then all else differs, too
        for key in ("kind", "norm") if another else expected | actual:
            was, is_now = (of.get(key, UNSAID.get(key)) for of in (actual, expected))
            yield from _changes(was, is_now, f"{name} {key}".strip())
    elif actual != expected:
        yield f"{name} is {_said(actual)}, not {_said(expected)}"


def _said(value: Any) -> Any:
    """A value of a fingerprint in a word."""
    if isinstance(value, dict):
        return value.get("kind", value)
    return "none" if value is None else value
