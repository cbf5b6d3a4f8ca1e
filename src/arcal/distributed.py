"""Rows from all processes of `torch.distributed`, each id once."""

from typing import Any

import torch
from torch import Tensor, distributed

from arcal.errors import ArcalError

ALIKE = 0.01
"""How far apart confidences of one input are in batches of other sizes, even in half precision."""


def processes() -> tuple[int, int]:
    """The rank of this process and the number of processes: (0, 1) without a process group.

    >>> processes()
    (0, 1)
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def from_all(value: Any) -> list[Any]:
    """What every process passed, in the order of their ranks; each has to call this.

    Values are pickled between the processes, so they can differ in length. Tensors are to be on the
    CPU; with NCCL each process first needs `torch.cuda.set_device`, which trainers call.

    >>> from_all(torch.tensor([7, 8]))
    [tensor([7, 8])]
    """
    _, N = processes()
    if N == 1:
        return [value]
    values: list[Any] = [None] * N
    distributed.all_gather_object(values, value)
    return values


def each_id_once(ids: Tensor, *columns: Tensor) -> list[Tensor]:
    """Rows ascending by id, the first one of each: `ids` int64 `(N,)` and columns `(N, ...)`.

    A sampler that gives every process equally many examples pads with examples that are there
    already, which would count twice.

    >>> each_id_once(torch.tensor([8, 7, 8]), torch.tensor([0.25, 0.5, 0.25]))
    [tensor([7, 8]), tensor([0.5000, 0.2500])]
    """
    order = ids.argsort(stable=True)
    ids = ids[order]
    first = torch.ones(len(ids), dtype=torch.bool, device=ids.device)
    first[1:] = ids[1:] != ids[:-1]
    return [ids[first], *(column[order][first] for column in columns)]


def check_alike(ids: Tensor, confidence: Tensor, correct: Tensor) -> None:
    """Raise `ArcalError` if ids `(N,)` are not of one example each, such as places in a batch.

    An example that a sampler padded with is predicted alike each time: `confidence` and `correct`
    `(N,)` of several examples are not.

    >>> ids, correct = torch.tensor([7, 8, 8]), torch.tensor([True, True, True])
    >>> check_alike(ids, torch.tensor([0.9, 0.25, 0.25]), correct)
    """
    order = ids.argsort(stable=True)
    ids, confidence, correct = ids[order], confidence[order], correct[order]
    again = ids[1:] == ids[:-1]
    unlike = again & ((confidence.diff().abs() > ALIKE) | (correct[1:] != correct[:-1]))
    if unlike.sum() > max(1, 0.1 * again.sum()):  # rounding may decide between two classes
        raise ArcalError(
            f"{len(ids):,} validation predictions have {len(ids) - int(again.sum()):,} different "
            "ids, and those of one id are unlike: give each example an id of its own, not its "
            "place in a batch, and predictions of one pass"
        )
