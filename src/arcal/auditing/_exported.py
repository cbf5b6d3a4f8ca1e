"""An exported program as a module of any number of inputs."""

import sys
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from arcal.auditing._logits import logits_of
from arcal.errors import ArcalError


def exported_module(program: ExportedProgram) -> nn.Module:
    """The module of an exported program; if its batch size is fixed, one that takes any.

    It is cut into batches of at most the largest size the program was exported for, and a batch
    below the smallest is filled up with its last row; what comes back of the filling is left out.
    """
    least, most = _batch_sizes(program)
    module = program.module()
    _let_it_be_exported_again(module)
    return module if (least, most) == (1, sys.maxsize) else _AnyBatch(module, least, most)


def _let_it_be_exported_again(module: Any) -> None:
    """Detach constants out of place: `torch.export` writes it in place, and then refuses that."""
    for node in module.graph.nodes:
        if node.target is torch.ops.aten.detach_.default:
            node.target = torch.ops.aten.detach.default
    module.recompile()


def _batch_sizes(program: ExportedProgram) -> tuple[int, int]:
    """The least and the most rows the program takes, from the first of its inputs."""
    names = program.graph_signature.user_inputs
    for node in program.graph.nodes:
        value = node.meta.get("val")
        if node.op == "placeholder" and node.name in names and isinstance(value, Tensor):
            if value.ndim == 0:
                continue
            rows: Any = value.shape[0]
            if isinstance(rows, int):
                return rows, rows
            sizes = program.range_constraints.get(rows.node.expr)
            if sizes is None:
                return 1, sys.maxsize
            # torch writes 2 for sizes that may be 0 or 1 as well; its infinity has no int.
            least = int(sizes.lower) if sizes.lower > 2 else 1
            return least, int(sizes.upper) if sizes.upper < sys.maxsize else sys.maxsize
    raise ArcalError("the exported program takes no tensor: export one that takes inputs (N, ...)")


class _AnyBatch(nn.Module):
    """A module of batches of `least` to `most` rows, called with any number of rows."""

    def __init__(self, module: nn.Module, least: int, most: int):
        super().__init__()
        self.module, self.least, self.most = module, least, most

    def forward(self, *parts: Tensor, **named: Tensor) -> Tensor:
        first = next(iter((*parts, *named.values())))
        logits = []
        for index in torch.arange(len(first), device=first.device).split(self.most):
            filling = index[-1:].expand(max(self.least - len(index), 0))
            filled = torch.cat([index, filling])
            some = [part[filled] for part in parts]
            output = self.module(*some, **{name: part[filled] for name, part in named.items()})
            logits.append(logits_of(output)[: len(index)])
        return torch.cat(logits)
