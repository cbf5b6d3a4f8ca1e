"""Rows from all processes of `torch.distributed`, each id once."""

from typing import Any

import torch
from torch import Tensor, distributed

from arcal.errors import ArcalError

ALIKE = 0.01
"""The most that one input's confidence differs between batch sizes, even in half precision."""


def processes() -> tuple[int, int]:
    """The rank of this process and the number of processes: (0, 1) without a process group.

    >>> processes()
    (0, 1)
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def from_all(value: Any) -> list[Any]:
    """The values that all processes pass, in the order of their ranks; each process must call this.

    Values are pickled between the processes, so they can differ in length. Tensors must be on the
    CPU. With NCCL each process must first call `torch.cuda.set_device`, as trainers do.

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
    """Rows sorted by id, the first row of each id: `ids` int64 `(N,)` and columns `(N, ...)`.

    A sampler that gives every process the same number of examples pads with repeated ones, which
    would otherwise count twice.

    >>> each_id_once(torch.tensor([8, 7, 8]), torch.tensor([0.25, 0.5, 0.25]))
    [tensor([7, 8]), tensor([0.5000, 0.2500])]
    """
    order = ids.argsort(stable=True)
    ids = ids[order]
    first = torch.ones(len(ids), dtype=torch.bool, device=ids.device)
    first[1:] = ids[1:] != ids[:-1]
    return [ids[first], *(column[order][first] for column in columns)]


def check_alike(ids: Tensor, confidence: Tensor, correct: Tensor) -> None:
    """Raise `ArcalError` if several examples share an id, as places in a batch do, in ids `(N,)`.

    When a sampler pads with an example, its predictions agree; `confidence` and `correct` `(N,)` of
    different examples do not.

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
