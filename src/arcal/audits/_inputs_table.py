"""The table of an audit's inputs, `inputs.parquet`: predictions, distances and more."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
import torch

from arcal._version import __version__
from arcal.arrays import places_of
from arcal.auditing import Audited
from arcal.files import write_whole

pc: Any = pyarrow.compute  # its functions are made on import, unknown to type checkers


def inputs_table(model: Audited, *, several: bool) -> pa.Table:
    """One row per input, suspects first, then by loss, with names of classes, groups and inputs.

    Answers have no classes, only whether each is `correct`. A grouping with the name of another
    column gets the prefix `by_`; with `several` models there is a column `model`, too.
    """
    table = pa.table({name: pa.array(values) for name, values in model.inputs.items()})
    if model.predictions.answers:
        table = table.drop_columns(["label", "predicted", "label_probability"])
    classes = pa.array(model.classes)
    for column in ("label", "predicted", "nearest"):
        if column in table.column_names:
            numbers = table.column(column)
            known = pc.if_else(pc.greater_equal(numbers, 0), numbers, None)
            table = table.append_column(f"{column}_name", pc.take(classes, known))
    rows = places_of(torch.from_numpy(model.inputs["id"]), model.predictions.ids)
    later = [*["name"] * (model.names is not None), *["model"] * several]
    for one in model.groupings:
        title = one.name
        while title in (*table.column_names, *later):
            title = f"by_{title}"
        numbers = pa.array(one.number[rows].numpy())
        table = table.append_column(title, pc.take(pa.array(one.groups), numbers))
    if model.names is not None:
        names = [model.names[row] for row in rows.tolist()]
        table = table.append_column("name", pa.array(names))
    return table


def write_inputs(path: Path, models: Sequence[Audited]) -> None:
    """Write the tables of all models as one; for several, a column `model` tells them apart."""
    several = len(models) > 1
    tables = [inputs_table(model, several=several) for model in models]
    if several:
        tables = [
            table.append_column("model", pa.array([model.name] * len(model)))
            for table, model in zip(tables, models, strict=True)
        ]
    table = pa.concat_tables(tables, promote_options="default")
    table = table.replace_schema_metadata({"arcal": json.dumps({"version": __version__})})
    write_whole(path, lambda temporary: pq.write_table(table, temporary))
