"""What `arcal.audit` and `arcal.calibrate` are given, as a job takes it."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

from arcal.arrays import as_tensor
from arcal.attacks import Bounds, Inputs, InputsLike
from arcal.attacks.bounds import checked_bounds
from arcal.audits._examples import Examples
from arcal.errors import ArcalError, first_line

DRAWN = (RandomSampler, SubsetRandomSampler, WeightedRandomSampler)
"""Samplers whose order is another one each time."""


def usable_device(name: str | torch.device) -> torch.device:
    """The device of this name, refused if there is none here."""
    try:
        return torch.empty(0, device=name).device
    except (AssertionError, RuntimeError) as error:  # the first is torch's without CUDA
        raise ArcalError(
            f"device {str(name)!r} cannot be used here ({first_line(error)}): leave it out for "
            "the CPU"
        ) from error


def examples_or_loader(
    data: Any,
    name: str,
    bounds: Bounds,
    order: str | None,
    classes: Sequence[str] | None = None,
    weights: Any = None,
    by: Any = None,
) -> tuple[Examples | None, Iterable[Any]]:
    """A part of `arcal.data` or a pair `(x, y)` as `Examples`; anything else is a loader."""
    if data is None:
        raise ArcalError(f"{name} is missing: give a part, a pair (x, y) or a loader")
    if isinstance(data, str | Path):
        raise ArcalError(f"{name} is a path: give what `arcal.data.load_part` reads of it")
    examples = _examples(data, name, bounds, order, classes)
    if examples is not None:
        examples = examples if weights is None else examples.weighted(weights)
        return examples if by is None else examples.grouped(by), ()
    for title, given in (("weights", weights), ("by", by)):
        if given is not None:
            raise ArcalError(f"{title} is of a part or a pair (x, y), and {name} is a loader")
    if isinstance(data, Dataset) and not isinstance(data, IterableDataset):
        data = DataLoader(data, batch_size=100)
    return None, data


def check_one_order(loader: Any) -> None:
    """Refuse a loader for several models that draws a new order for each, unless it gives ids."""
    batches = getattr(loader, "batch_sampler", None)
    if not any(isinstance(getattr(one, "sampler", None), DRAWN) for one in (loader, batches)):
        return
    batch = next(iter(loader), ())
    if "ids" not in batch if isinstance(batch, dict) else len(batch) != 3:
        raise ArcalError(
            "data is a loader that shuffles, which gives each of the models another order of the "
            "inputs: make it with shuffle=False, or of `arcal.data.WithIds(dataset)`"
        )


def _examples(
    data: Any, name: str, bounds: Bounds, order: str | None, classes: Sequence[str] | None
) -> Examples | None:
    """The inputs of a part or a pair; None of anything else."""
    if isinstance(data, Examples):
        return data
    if hasattr(data, "images") and hasattr(data, "fingerprint"):
        return Examples.from_part(data)
    if isinstance(data, tuple | list) and len(data) == 2 and not isinstance(data[0], tuple | list):
        x, y = data
        x = as_tensor(x, name, copied=False) if isinstance(x, np.ndarray) else x
        examples = Examples.from_tensors(x, y, name=name, classes=classes, bounds=bounds)
        if order is not None:
            _check_within(x, bounds, name)
        return examples
    return None


def _check_within(x: InputsLike, bounds: Bounds, name: str) -> None:
    """Refuse inputs outside their bounds, all of them before the first is attacked or ranked."""
    inputs = Inputs.of(x)
    perturbed = inputs.parts if isinstance(inputs.parts, Tensor) else inputs.x
    if perturbed.dtype in (torch.float32, torch.float64):  # of others the model's check says more
        try:
            checked_bounds(perturbed, bounds)
        except ArcalError as error:
            raise ArcalError(f"{name}: {error}") from None
