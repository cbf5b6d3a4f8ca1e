"""How many operations a device does a second, and how many a computation takes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.attention import SDPBackend, sdpa_kernel

from arcal.errors import ArcalError
from arcal.planning._plan import Line


@dataclass(frozen=True)
class Card:
    """A device by its maker's data sheet: operations a second by precision.

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
    """What a plan's device is.

    Either a card of `CARDS`, of whose peak a share `utilisation` is reached; or a device of
    `flops` operations a second, measured elsewhere; or, with neither, this machine, where a few
    batches are run for `seconds`.

    >>> Hardware(card="a100", utilisation=0.25).rate("float32", lambda seconds: (0, 0))[-1].value
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
                "--hardware and --utilisation belong together: the share of its published peak "
                "that a device reaches is yours to say, such as 0.3"
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

    def rate(self, precision: str, measure: Callable[[float], tuple[float, float]]) -> list[Line]:
        """The lines that end in `rate`, the operations a device does a second.

        `precision` is "float32" or "bf16". `measure`, told how many seconds it may take, runs a
        part of the job and returns its operations and its seconds.
        """
        if self.card is not None:
            card, name = CARDS[self.card], f"published peak in {precision}"
            peak, share = getattr(card, precision), self.utilisation or 0
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

    A multiply-add is two. What is done entry by entry, such as batch norm, is not counted: it is a
    percent or less of a network's operations.

    >>> import torch
    >>> layer = torch.nn.Linear(5, 3)
    >>> operations(lambda: layer(torch.zeros(7, 5)))  # 2 x 7 x 5 x 3
    210
    """
    from torch.utils.flop_counter import FlopCounterMode  # takes a while to import

    # Attention in one kernel is not known to the counter on a CPU: in products it is.
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
