"""What an attack is after: any class but the prediction, or one class."""

from dataclasses import dataclass

import torch
from torch import Tensor

from arcal.arrays import TensorLike, as_tensor
from arcal.attacks.model import margin
from arcal.errors import ArcalError


@dataclass(frozen=True, eq=False)
class Untargeted:
    """Any class but the predictions `y` `(N,)`: across the nearest boundary `z_y = z_k`."""

    y: Tensor

    def rows(self, index: Tensor) -> "Untargeted":
        """The aim of these inputs."""
        return Untargeted(self.y[index])

    def lead(self, z: Tensor, k: Tensor | None = None) -> Tensor:
        """How far logits `(N, Z)` are from there, `(N,)`, or from class `k` `(N,)` of `rivals`.

        Negative once it is reached.
        """
        if k is None:
            return margin(z, self.y)
        y = self.y.unsqueeze(1)
        return (z.gather(1, y) - z.gather(1, k.unsqueeze(1))).squeeze(1)

    def rivals(self, z: Tensor, T: int) -> Tensor:
        """The T nearest classes by which it may be reached, `(N, T)`; fewer if there are fewer."""
        T = min(T, z.shape[1] - 1)
        return z.scatter(1, self.y.unsqueeze(1), -torch.inf).topk(T, dim=1).indices

    def reached(self, predicted: Tensor) -> Tensor:
        """Whether inputs of these predictions are there, bool `(N,)`."""
        return predicted != self.y


@dataclass(frozen=True, eq=False)
class Targeted:
    """The region of class `target` `(N,)`, which is reached when no other class is ahead of it."""

    y: Tensor
    target: Tensor

    def rows(self, index: Tensor) -> "Targeted":
        return Targeted(self.y[index], self.target[index])

    def lead(self, z: Tensor, k: Tensor | None = None) -> Tensor:
        return -margin(z, self.target)

    def rivals(self, z: Tensor, T: int) -> Tensor:
        return self.target.unsqueeze(1)

    def reached(self, predicted: Tensor) -> Tensor:
        return predicted == self.target


Aim = Untargeted | Targeted


def aim_of(z: Tensor, targets: TensorLike | None) -> Aim:
    """The aim for inputs of clean logits `(N, Z)`, after checking that there are such targets.

    >>> aim_of(torch.tensor([[2.0, 1.0, 0.0]]), None).reached(torch.tensor([2]))
    tensor([True])
    >>> aim_of(torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([1])).reached(torch.tensor([2]))
    tensor([False])
    >>> aim_of(torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([0]))
    Traceback (most recent call last):
    arcal.errors.ArcalError: target 0 of input 0 is the prediction: its distance is 0, give another
    """
    (N, Z), y = z.shape, z.argmax(dim=1)
    if targets is None:
        return Untargeted(y)
    targets = as_tensor(targets, "targets")
    if targets.shape != (N,) or targets.is_floating_point() or targets.dtype == torch.bool:
        raise ArcalError(
            f"targets are {targets.dtype} {tuple(targets.shape)}: give one class for each of the "
            f"{N} inputs, int64 ({N},)"
        )
    targets = targets.to(y)
    if len(wrong := ((targets < 0) | (targets >= Z)).nonzero()):
        i = int(wrong[0])
        raise ArcalError(
            f"target {int(targets[i])} of input {i} is no class of the model: choose from 0 to "
            f"{Z - 1}"
        )
    if len(same := (targets == y).nonzero()):
        i = int(same[0])
        raise ArcalError(
            f"target {int(targets[i])} of input {i} is the prediction: its distance is 0, give "
            "another"
        )
    if z.gather(1, targets.unsqueeze(1)).isinf().any():
        raise ArcalError("a target is a class that the model masks by -inf: give another")
    return Targeted(y, targets)
