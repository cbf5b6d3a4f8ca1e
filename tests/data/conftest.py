from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest


@pytest.fixture
def write_parquet(tmp_path: Path) -> Callable[..., Path]:
    """Writes columns to a Parquet file under tmp_path; `image` is a list of bytes."""

    def write(name: str, image: list, label: list, *, column="image", **more: Any) -> Path:
        metadata = more.pop("metadata", None)
        kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
        rows = [{"bytes": data, "path": None} for data in image]
        columns = {column: pa.array(rows, kind), more.pop("label_name", "label"): label, **more}
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns).replace_schema_metadata(metadata), path)
        return path

    return write
