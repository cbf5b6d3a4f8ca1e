"""What a computation costs, counted while it runs: floating-point operations, and memory."""

from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.attention import SDPBackend, sdpa_kernel


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
