"""Predictions that somebody saved, checked row by row."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from arcal.auditing._predictions import Predictions
from arcal.calibration.checks import ROUNDING, sum_to_one
from arcal.errors import ArcalError
from arcal.labels import as_labels, as_tensor, as_whole_numbers, numbered
from arcal.printable import first_few


def as_predictions(
    *,
    labels: Any,
    logits: Any = None,
    probabilities: Any = None,
    ids: Any = None,
    classes: Sequence[str] | None = None,
) -> Predictions:
    """Predictions from saved logits or probabilities and labels: tensors, arrays or lists.

    `logits` or `probabilities` are `(N, Z)`; `(M, N, Z)` for an ensemble of M members; or `(N,)` or
    `(N, 1)` for a binary classifier: the logit z of class 1, which becomes (0, z), or its
    probability. `labels` `(N,)` are whole numbers from 0 to Z-1, or names among `classes`, the Z
    class names in the order of the columns. `ids` `(N,)` are distinct whole numbers, by default 0
    to N-1.

    Probabilities are turned into logits by the logarithm. So a row whose sum is off 1 by at most
    0.01, as in half precision, is normalised, and a probability of 0 becomes the logit -inf.
    float64 is kept, for confidences close to 1; anything else becomes float32. A given logit of
    -inf means that the input cannot be of the class, such as an option that a question does not
    have, unless the label of any input has the logit -inf.

    These raise `ArcalError`, which names the first row: NaN; +inf, or nothing but -inf;
    probabilities outside [0, 1] or with another sum; logits that look like probabilities; a label
    that is not a class; repeated ids; numbers that are not whole; a wrong shape; no inputs; a
    pandas or polars table whose columns are named after the classes but in another order; and a
    pandas table whose index has the rows in another order than that of the labels.

    >>> as_predictions(probabilities=[[0.75, 0.25], [0.5, 0.5]], labels=[0, 1]).logits.exp()
    tensor([[[0.7500, 0.2500],
             [0.5000, 0.5000]]], dtype=torch.float64)
    >>> as_predictions(logits=[[9, 0]], labels=["dog"], classes=["cat", "dog"]).labels
    tensor([1])
    >>> as_predictions(logits=[[0.75, 0.25]], labels=[0])
    Traceback (most recent call last):
    arcal.errors.ArcalError: the logits lie in [0, 1] and rows sum to 1: give them as probabilities
    """
    if (logits is None) == (probabilities is None):
        raise ArcalError("give either logits or probabilities, and not both")
    given = logits if probabilities is None else probabilities
    name = "logits" if probabilities is None else "probabilities"
    rows = _rows(given, name)
    members = _from_logits(rows) if probabilities is None else _from_probabilities(rows)
    _, N, Z = members.shape
    check_rows(given, labels, "labels.loc[probabilities.index]")
    if classes is not None:
        if len({*classes}) != Z:
            raise ArcalError(
                f"`classes` names {len({*classes})}, and there are {Z}: name each once"
            )
        _check_columns(given, classes)
    labels = as_labels(numbered(labels, classes), N, Z, one_column=rows.shape[-1] == 1)
    ids = torch.arange(N, device="cpu") if ids is None else as_whole_numbers(ids, N, "ids")
    order = ids.argsort(stable=True)
    repeats = order[1:][ids[order].diff() == 0]
    if len(repeats):
        row = int(repeats.min())
        raise ArcalError(f"id {ids[row]} of row {row} occurs twice: give every input its own id")
    zero = members[:, torch.arange(N, device="cpu"), labels].isneginf().all(0)
    impossible = probabilities is None and bool(members.isneginf().any()) and not zero.any()
    return Predictions(ids=ids, labels=labels, logits=members, impossible=impossible)


def _check_columns(table: Any, classes: Sequence[str]) -> None:
    """Refuse a pandas or polars table that has a column for each class, but in another order."""
    columns = [*map(str, getattr(table, "columns", ()))]
    names = [*map(str, classes)]
    if columns != names and sorted(columns) == sorted(names):
        raise ArcalError(
            f"the columns are in the order {first_few(tuple(columns))}, and `classes` in the order "
            f"{first_few(tuple(names))}: give `classes` in the columns' order"
        )


def check_rows(table: Any, labels: Any, remedy: str, *, of: str = "the labels") -> None:
    """Refuse pandas labels that have the index of the table, but in another order.

    An index that only counts the rows, as in a table made from an array, is ignored. The message
    names what the labels are (`of`), and suggests `remedy`, code that puts both in one order.

    >>> check_rows([[30], [40]], [0, 1], "y.loc[X.index]")  # lists have no index
    """
    one, other = getattr(table, "index", None), getattr(labels, "index", None)
    for index in (one, other):
        if not hasattr(index, "equals") or _counts(index):
            return
    rows, names = list(one), list(other)  # pyright: ignore[reportArgumentType]
    if rows != names and len(rows) == len(names) and {*rows} == {*names}:
        row = next(i for i in range(len(rows)) if rows[i] != names[i])
        raise ArcalError(
            f"row {row} is {rows[row]!r} by its index, and {names[row]!r} by that of {of}: "
            f"give both in one order, such as {remedy}"
        )


def _counts(index: Any) -> bool:
    return type(index).__name__ == "RangeIndex" and (index.start, index.step) == (0, 1)


def _rows(values: Any, name: str) -> Tensor:
    """Floats `(N, Z)` or `(M, N, Z)`; a single column is `(N, 1)`."""
    rows = as_tensor(values, name, copied=False)
    if rows.dtype == torch.bool:
        raise ArcalError(f"{name} are {rows.dtype}: give floats")
    if rows.ndim == 1:
        rows = rows.unsqueeze(1)
    if rows.ndim not in (2, 3) or 0 in rows.shape:
        flat = "; of pixels, (N, Z, H, W), movedim(1, -1).flatten(0, -2) are such rows"
        pixels = flat if rows.ndim == 4 else ""
        raise ArcalError(
            f"{name} have shape {tuple(rows.shape)}: give (N, Z), a row for each of at least one "
            f"input and a column for each class{pixels}"
        )
    floats = rows if rows.dtype == torch.float64 else rows.float()
    given = isinstance(values, Tensor | list | tuple) or floats.data_ptr() != rows.data_ptr()
    copied_later = name == "probabilities"  # by `_from_probabilities`
    return floats if given or copied_later else floats.clone()


def _from_logits(z: Tensor) -> Tensor:
    low, high = z.aminmax(dim=-1)  # nan if one of them is
    _refuse(high.isnan(), "the logits hold NaN")
    _refuse(high.isinf(), "the logits are infinite")
    inside = low.min() >= 0 and high.max() <= 1
    if z.shape[-1] == 1:
        if inside:
            raise ArcalError(
                "the logits of the one class all lie in [0, 1]: give them as `probabilities`, or, "
                "if they are logits z, in two columns (0, z)"
            )
        z = torch.cat([torch.zeros_like(z), z], dim=-1)
    elif inside and sum_to_one(z).all():
        raise ArcalError("the logits lie in [0, 1] and rows sum to 1: give them as probabilities")
    elif low.min() >= 0 and sum_to_one(z.sum(dim=-1, keepdim=True) / 100).all():
        raise ArcalError(
            "no logit is below 0 and rows sum to 100, so these are per cent: divide them by 100, "
            "and give them as probabilities"
        )
    return z if z.ndim == 3 else z.unsqueeze(0)


def _from_probabilities(p: Tensor) -> Tensor:
    low, high = p.aminmax(dim=-1)  # nan if one of them is
    _refuse(high.isnan(), "the probabilities hold NaN")
    outside = (low < -ROUNDING) | (high > 1 + ROUNDING)
    remedy = "if they are logits, name them `logits`; divide per cent by 100"
    _refuse(outside, "the probabilities are outside [0, 1]", remedy)
    p = p.clamp(0, 1)
    if p.shape[-1] == 1:
        p = torch.cat([1 - p, p], dim=-1)
    off = ~sum_to_one(p)
    remedy = (
        "give all classes, with more digits if they are rounded, or name logits `logits`; where "
        "several classes may be true, give each as a binary classifier of its own"
    )
    _refuse(off, "the probabilities do not sum to 1", remedy)
    p = p.log_()  # in place: `p` is a copy, made by clamp
    return p if p.ndim == 3 else p.unsqueeze(0)


def _refuse(wrong: Tensor, what: str, remedy: str = "leave such inputs out, or fix the model"):
    """Name the first row that is `wrong`, and its member if there are several."""
    if wrong.any():
        *member, row = wrong.nonzero()[0].tolist()
        of = f" of member {member[0]}" if member else ""
        raise ArcalError(f"{what} in row {row}{of}: {remedy}")
