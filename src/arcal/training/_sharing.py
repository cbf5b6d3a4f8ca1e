"""How processes share a training: every batch of it, or its members."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from arcal.distributed import each_id_once

if TYPE_CHECKING:
    from lightning_fabric import Fabric  # takes seconds to import


class BatchesShared:
    """Each process trains all members on its share of every batch, and predicts its images.

    `mine` are the members that this process trains, `on` is the Fabric that sets them up. It
    takes the share `rank` of `world` of every batch.
    """

    def __init__(self, fabric: "Fabric", members: int) -> None:
        self.fabric = self.on = fabric
        self.mine = range(members)
        self.rank, self.world = fabric.global_rank, fabric.world_size

    def positions(self, order: Tensor) -> Tensor:
        """The positions of this process: every `world`-th, going on from the first at the end."""
        each = -(-len(order) // self.world)
        dealt = self.rank + self.world * torch.arange(each, device="cpu")
        return order[dealt % len(order)]

    def mean_loss(self, totals: Tensor, steps: int) -> Tensor:
        """The mean over members and steps of the members' summed losses `(M,)`."""
        mean = self.fabric.all_reduce(totals.sum() / steps, reduce_op="mean")
        assert isinstance(mean, Tensor)
        return mean

    def average_buffers(self, models: Iterable[nn.Module]) -> None:
        """Average batch norm's statistics, which each process has kept for itself until then."""
        for buffer in (buffer for model in models for buffer in model.buffers()):
            if self.world > 1 and buffer.is_floating_point():
                mean: Any = self.fabric.all_reduce(buffer, reduce_op="mean")
                buffer.copy_(mean)

    def gather_members(self, logits: Tensor) -> Tensor:
        """The logits `(M, N, Z)` of all members, from those of the members of this process."""
        return logits

    def gather_images(self, columns: list[Tensor]) -> list[Tensor]:
        """All processes' columns `(N,)`, ascending by id (the first column), each id once."""
        if self.world > 1:
            columns = [self._from_all(column).flatten().cpu() for column in columns]
        return each_id_once(*columns)

    def _from_all(self, tensor: Tensor) -> Tensor:
        """The tensors that all processes pass, `(world, ...)`.

        Fabric's own gather calls a function that torch 2.13 deprecates with a warning.
        """
        tensor = tensor.to(self.fabric.device)
        shares = [torch.empty_like(tensor) for _ in range(self.fabric.world_size)]
        torch.distributed.all_gather(shares, tensor)
        return torch.stack(shares)

    def state(self, m: int, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """The state that member `m` continues from, by `make` where it is trained."""
        return make()


class MembersApart(BatchesShared):
    """Each process trains some of the members, as one process would train them all.

    Member m belongs to process m mod P. Processes meet at validation, where all members predict
    each batch, and when members are saved.
    """

    def __init__(self, fabric: "Fabric", members: int) -> None:
        from arcal.compute.device import fabric_of_one

        self.fabric, self.on = fabric, fabric_of_one(fabric)
        self.members, processes = members, fabric.world_size
        self.mine = range(members)[fabric.global_rank :: processes]
        self.rank, self.world = 0, 1

    def mean_loss(self, totals: Tensor, steps: int) -> Tensor:
        return self._from_all(totals).sum(dim=0).sum() / steps

    def gather_members(self, logits: Tensor) -> Tensor:
        most = -(-self.members // self.fabric.world_size)  # the first process has so many
        padding = logits.new_zeros(most - len(logits), *logits.shape[1:])
        shares = self._from_all(torch.cat([logits, padding]))
        return shares.transpose(0, 1).flatten(0, 1)[: self.members]

    def state(self, m: int, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        own: Any = None
        if m in self.mine:
            own = {name: tensor.cpu() for name, tensor in make().items()}
        return self.fabric.broadcast(own, src=m % self.fabric.world_size)
