"""A plan and its lines; the speed of a device, and the operations and bytes of a computation."""

import math
import shutil
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from arcal.errors import ArcalError
from arcal.training.recipes import Precision

HOUR = 3600

PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z", "Y")


@dataclass(frozen=True)
class Line:
    """One quantity: its value in `unit`, and its formula by names of other lines, or its source.

    Units are FLOP, FLOP/s, B, h, s, or nothing for a number.

    >>> Line("operations", 4.1e18, "FLOP", "inputs x pass").shown
    '4.10 EFLOP'
    >>> [Line("", value, unit, "").shown for value, unit in ((0.5, "h"), (26.25, ""), (1e6, ""))]
    ['30.0 min', '26.2', '1,000,000']
    """

    name: str
    value: float
    unit: str
    formula: str

    @property
    def shown(self) -> str:
        """The value as people read it: three digits, and whole numbers whole."""
        if self.unit == "h":
            return _time(self.value * HOUR)
        if self.unit == "s":
            return _time(self.value)
        if not self.unit:
            whole = self.value >= 1000 or self.value == int(self.value)
            return f"{self.value:,.0f}" if whole else f"{self.value:.3g}"
        power = int(math.log10(self.value) / 3 + 1e-12) if self.value >= 1 else 0
        power = min(power, len(PREFIXES) - 1)
        return f"{_three(self.value / 1000**power)} {PREFIXES[power]}{self.unit}"


def _time(seconds: float) -> str:
    if seconds >= HOUR:
        return f"{_three(seconds / HOUR)} h"
    return f"{_three(seconds / 60)} min" if seconds >= 60 else f"{_three(seconds)} s"


def _three(value: float) -> str:
    """Three digits, or all digits before the point."""
    if not value:
        return "0"
    after = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{after}f}" if after < 6 else f"{value:.3g}"


@dataclass(frozen=True)
class Plan:
    """What a job takes, line by line.

    >>> plan = Plan("score net", [Line("inputs", 1000, "", "given")])
    >>> plan["inputs"]
    1000
    >>> print(plan.text(60))
    score net
    <BLANKLINE>
      inputs  1,000    given
    """

    title: str
    lines: Sequence[Line]

    def __getitem__(self, name: str) -> float:
        """The value of the line of this name."""
        return next(line.value for line in self.lines if line.name == name)

    def as_json(self) -> dict[str, Any]:
        """All of it, with values as they are."""
        return {"title": self.title, "lines": [asdict(line) for line in self.lines]}

    def text(self, width: int | None = None) -> str:
        """A table of plain text: name, value and formula, which is continued below itself."""
        width = width or shutil.get_terminal_size().columns
        names = max(len(line.name) for line in self.lines)
        values = max(len(line.shown) for line in self.lines)
        indent = 2 + names + 2 + values + 4
        rows = [self.title, ""]
        for line in self.lines:
            first = f"  {line.name:<{names}}  {line.shown:>{values}}    "
            formula = textwrap.wrap(line.formula, max(20, width - indent)) or [""]
            rows += [f"{first}{formula[0]}", *(" " * indent + more for more in formula[1:])]
        return "\n".join(row.rstrip() for row in rows)


@dataclass(frozen=True)
class Card:
    """A device by its maker's data sheet: operations per second, by precision.

    `float32` is without tensor cores, as attacks run, `bf16` with them and without sparsity.
    """

    title: str
    float32: float
    bf16: float


CARDS = {
    "a100": Card("NVIDIA A100 SXM, 80 GB", 19.5e12, 312e12),
    "h100": Card("NVIDIA H100 SXM, 80 GB", 67e12, 989e12),
    "l4": Card("NVIDIA L4, 24 GB", 30.3e12, 121e12),
}
"""As their data sheets give them."""


@dataclass(frozen=True)
class Hardware:
    """The device of a plan.

    It is either a card of `CARDS`, which reaches the share `utilisation` of its peak; or a device
    of `flops` operations per second, measured elsewhere; or, with neither, this machine, where a
    few batches are run for `seconds`.

    >>> Hardware(card="a100", utilisation=0.25).rate(lambda seconds: (0, 0))[-1].value
    4875000000000.0
    """

    card: str | None = None
    utilisation: float | None = None
    flops: float | None = None
    seconds: float = 5.0

    def __post_init__(self) -> None:
        if self.card is not None and self.card not in CARDS:
            raise ArcalError(f"--hardware {self.card}: choose from {', '.join(CARDS)}")
        if (self.card is None) != (self.utilisation is None):
            raise ArcalError(
                "--hardware and --utilisation belong together: give both, with the share of "
                "its published peak that you expect a device to reach, such as 0.3"
            )
        if self.utilisation is not None and not 0 < self.utilisation <= 1:
            raise ArcalError(f"--utilisation {self.utilisation}: give a share above 0, at most 1")
        if self.flops is not None and self.card is not None:
            raise ArcalError("--flops-per-second and --hardware are two rates: give one")
        if self.flops is not None and not 0 < self.flops < float("inf"):
            raise ArcalError(f"--flops-per-second {self.flops}: give a number above 0")
        if not 0 < self.seconds <= 3600:
            raise ArcalError(f"--seconds {self.seconds}: give a number above 0, at most 3600")

    @property
    def is_here(self) -> bool:
        """Whether the device is this machine, on which the job is tried."""
        return self.card is None and self.flops is None

    def rate(
        self, measure: Callable[[float], tuple[float, float]], precision: Precision = "32-true"
    ) -> list[Line]:
        """The lines that end in `rate`, the operations that a device does per second.

        `measure`, told how many seconds it may take, runs a part of the job and returns its
        operations and its seconds. `precision` is a recipe's.
        """
        if self.card is not None:
            card, bf16, share = CARDS[self.card], precision == "bf16-mixed", self.utilisation or 0
            peak = card.bf16 if bf16 else card.float32
            name = f"published peak in {'bf16' if bf16 else 'float32'}"
            return [
                Line(name, peak, "FLOP/s", f"{card.title}, data sheet"),
                Line("utilisation", share, "", "given"),
                Line("rate of a device", peak * share, "FLOP/s", f"{name} x utilisation"),
            ]
        if self.flops is not None:
            return [Line("rate of a device", self.flops, "FLOP/s", "given")]
        done, seconds = measure(self.seconds)
        formula = "operations tried here / seconds of them"
        return [
            Line("operations tried here", done, "FLOP", "a part of the job, run on this machine"),
            Line("seconds of them", seconds, "s", "measured"),
            Line("rate of a device", done / seconds, "FLOP/s", formula),
        ]


def operations(function: Callable[[], object]) -> int:
    """The floating-point operations of the matrix products and convolutions in a call.

    A multiply-add counts as two. Elementwise operations, such as batch norm, are not counted: they
    are a percent or less of a network's operations.

    >>> import torch
    >>> layer = torch.nn.Linear(5, 3)
    >>> operations(lambda: layer(torch.zeros(7, 5)))  # 2 x 7 x 5 x 3
    210
    """
    from torch.utils.flop_counter import FlopCounterMode  # takes a while to import

    # On a CPU the counter does not know attention in one kernel, but it knows its products.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops()


def saved_bytes(function: Callable[[], Any], but: Iterable[Tensor] = ()) -> int:
    """The bytes of the tensors that a forward pass keeps for its gradient, each storage once.

    `function` runs the forward pass and returns what it gives. Tensors in `but` do not count, such
    as the weights.

    >>> import torch
    >>> x = torch.zeros(10, requires_grad=True)
    >>> saved_bytes(lambda: x.exp())  # the gradient of exp needs its result: 10 floats
    40
    """
    known = {one.untyped_storage().data_ptr() for one in but}
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        result = function()  # as long as it lives, no storage is used twice
    del result
    return sum(sizes.values())


def largest_bytes(function: Callable[[], Any], but: Iterable[Tensor] = ()) -> int:
    """The bytes that the largest operation in a call takes and gives, each storage once.

    Tensors in `but` do not count, such as the weights.

    >>> import torch
    >>> x = torch.zeros(10)
    >>> largest_bytes(lambda: x.repeat(3).sum())  # 10 floats to 30
    160
    """
    known = {one.untyped_storage().data_ptr() for one in but}
    with _Largest(known) as counter:
        function()
    return counter.most


class _Largest(TorchDispatchMode):
    def __init__(self, known: set[int]) -> None:
        super().__init__()
        self.known, self.most = known, 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        tensors = [one for one in tree_leaves((args, kwargs, result)) if isinstance(one, Tensor)]
        storages = {one.untyped_storage().data_ptr(): one.untyped_storage() for one in tensors}
        sizes = [one.nbytes() for place, one in storages.items() if place not in self.known]
        self.most = max(self.most, sum(sizes))
        return result
