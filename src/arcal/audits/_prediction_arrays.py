"""The arrays of a `.npz` file of predictions, told apart by their names."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from arcal.audits._prediction_answers import (
    CONFIDENCE,
    NOT_TOLD,
    correct_of,
    doubt_of,
    labels_among,
)
from arcal.audits._prediction_chosen import classes_of_chosen
from arcal.audits._prediction_entries import ColumnNames, Entries
from arcal.audits._prediction_tables import IDS, OUTPUTS, WEIGHTS, known, named
from arcal.errors import ArcalError


def arrays_in(
    path: Path, called: ColumnNames, classes: Sequence[str] = (), *, labelled: bool = True
) -> Entries:
    """The arrays of a `.npz` file, each found by the first of its possible names.

    `classes` are the model's, if known: they name the arrays of probabilities that the user chose
    if the file is not `labelled`.

    >>> np.savez("mine.npz", p=[0.25, 0.75], labels=[0, 1])
    >>> arrays_in(Path("mine.npz"), ColumnNames(probabilities=["p"])).outputs
    {'probabilities': array([[0.25],
           [0.75]])}
    """
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        arrays = dict(archive)
    if any(isinstance(array, bytes) for array in arrays.values()):
        raise ArcalError("one of its members is not an array: write it with numpy.savez")
    read, entries = {*called.by}, Entries()
    for kind, names in () if called.probabilities else OUTPUTS.items():
        if name := next((one for one in names if one in arrays), None):
            read.add(name)
            entries.outputs[kind] = arrays[name]
    there = called.beside([*arrays])
    if called.confidence is not None:  # then no output counts
        read, entries.outputs = {*called.by}, {}
    elif "classes" in arrays and len(called.probabilities) < 2:
        read.add("classes")
        entries.classes = arrays["classes"]
    if labelled and (name := labels_among(arrays, called, _fractions)) is not None:
        read.add(name)
        entries.labels = arrays[name]
    if (name := named(there, IDS, called.id)) is not None:
        read.add(name)
        entries.ids = arrays[name]
    if (name := named(there, WEIGHTS, called.weight)) is not None:
        read.add(name)
        entries.weights, entries.weighed_by = arrays[name], f"the array {name}"
    if called.probabilities:
        read |= _chosen(arrays, called, entries, () if labelled else classes)
    entries.by = {name: arrays[known([*arrays], name)] for name in called.by}
    sure = named([*arrays], CONFIDENCE, called.confidence)
    if sure is not None and not entries.outputs:
        right = correct_of(arrays, called.label) if labelled else (np.ones(len(arrays[sure])), [])
        if right is not None:
            entries.answers = arrays[sure], right[0]
            read |= {sure, *right[1]}
            entries.doubt = doubt_of(sure, arrays[sure], arrays, right[1]) if labelled else None
        elif called.confidence is not None:
            raise ArcalError(NOT_TOLD)
    entries.unused = tuple(name for name in arrays if name not in read)
    return entries


def _fractions(array: np.ndarray) -> bool:
    return array.dtype.kind == "f" and bool((array != np.floor(array)).any())


def _chosen(
    arrays: Mapping[str, Any], called: ColumnNames, entries: Entries, classes: Sequence[str]
) -> set[str]:
    """Read the probabilities that the user names: one array for all classes, or one per class."""
    of = [known([*arrays], name) for name in called.probabilities]
    rows = [arrays[name] for name in of]
    if len(of) == 1 and rows[0].ndim == 2 and rows[0].shape[1] > 1:
        entries.outputs["probabilities"] = rows[0]
        return {*of}
    N = rows[0].shape[:1]
    for name, column in zip(of, rows, strict=True):
        if not N or column.shape not in (N, (*N, 1)):
            raise ArcalError(
                f"--probabilities {name}: it has shape {column.shape}: give one number of each "
                "input in each array, or those of all classes in one"
            )
    entries.outputs["probabilities"] = np.column_stack(rows)
    if entries.classes is None:
        names = classes_of_chosen(of, entries.labels, classes, called.classes)
        entries.classes = None if names is None else np.array(names)
    return {*of}
