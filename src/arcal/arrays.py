"""Arrays of other libraries, accepted wherever tensors are."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any
from warnings import catch_warnings, filterwarnings

import numpy as np
import torch
from torch import Tensor, nn

from arcal.errors import ArcalError, first_line

TensorLike = Tensor | np.ndarray | Sequence[Any]
"""A tensor, or anything numpy turns into an array of numbers: an array, a list, a table column."""

UNSIGNED = (torch.uint16, torch.uint32, torch.uint64)
"""Torch supports few operations on these, so they become int64."""

MOST = "the largest possible is 2**63 - 1"

BLOCK = 2**17
"""How many numbers of a large matrix to process at a time: a block stays in a processor's cache,
and there is never a second matrix in memory. Larger blocks took three times as long, mostly to
allocate memory."""


def as_tensor(
    values: Any,
    name: str = "this argument",
    *,
    copied: bool = True,
    must_be: str = "numbers, not text: pass numbers, such as each name's place in a list",
) -> Tensor:
    """Return a tensor as it is; copy anything else into one, with the dtype numpy gives it.

    Python's floats become float64 and its integers int64. Unsigned integers wider than a byte
    become int64, in tensors too. Without `copied`, an array that torch can use as it lies in
    memory, or in a mapped file, is shared. Anything but an array of numbers raises `ArcalError`;
    for text, the message says what the values `must_be`.

    >>> as_tensor([0.25, 0.5])
    tensor([0.2500, 0.5000], dtype=torch.float64)
    >>> as_tensor(["cat", "dog"], "labels")
    Traceback (most recent call last):
    arcal.errors.ArcalError: labels must be numbers, not text: pass numbers, ...
    """
    if isinstance(values, Tensor):
        if values.is_complex() or values.layout != torch.strided:
            kind = f"{values.dtype}, {values.layout}"
            raise ArcalError(f"{name} is a tensor {kind}: pass a dense one of real numbers")
        check_has_values(values, name)
        if values.dtype not in UNSIGNED:
            return values
        whole = values.long()
        if values.dtype == torch.uint64 and len(large := whole[whole < 0]):
            raise ArcalError(
                f"{name} has {int(large[0]) + 2**64}, and {MOST}: give smaller numbers"
            )
        return whole
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise ArcalError(f"{name} is masked in places: leave these out, or fill them")
    try:
        array = np.array(values) if copied else np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:  # rows of different lengths, or tensors
        raise ArcalError(
            f"{name} is not an array ({first_line(error)}): pass a tensor or an array"
        ) from None
    if array.dtype.kind == "u" and array.dtype.itemsize > 1:
        if array.size and array.max() > np.iinfo(np.int64).max:
            raise ArcalError(f"{name} has {array.max()}, and {MOST}: give smaller numbers")
        array = array.astype(np.int64)
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:  # numpy's longdouble
        array = array.astype(np.float64)
    if array.dtype.kind in "US" or any(isinstance(one, str) for one in array.flat[:1]):
        raise ArcalError(f"{name} must be {must_be}")
    if array.dtype.kind == "V" and array.dtype.names is None:  # as NumPy calls JAX's bfloat16
        with suppress(ValueError, TypeError):
            array = array.astype(np.float32)
    if array.dtype.kind not in "biuf":
        raise ArcalError(
            f"{name} must be numbers, not an array of {array.dtype}: pass a tensor, an array or a "
            "list of numbers"
        )
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    with catch_warnings():  # a shared array is only read, never written
        filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(np.ascontiguousarray(native).reshape(native.shape))


def check_has_values(tensor: Tensor, name: str) -> None:
    """Refuse a tensor on the device meta, which has a shape and no values.

    >>> check_has_values(torch.zeros(2, device="meta"), "x")
    Traceback (most recent call last):
    arcal.errors.ArcalError: x is a tensor on meta, without values: give one that has values
    """
    if tensor.is_meta:
        raise ArcalError(f"{name} is a tensor on meta, without values: give one that has values")


def plain(tensor: Tensor) -> Tensor:
    """The same tensor as torch's own class, without a library's subclass.

    fastai, MONAI and torchvision have subclasses, whose operators may differ, and some raise errors
    if two of them are mixed.

    >>> type(plain(torch.nn.Parameter(torch.zeros(2)))).__name__
    'Tensor'
    """
    return tensor if type(tensor) is Tensor else tensor.as_subclass(Tensor)


def row_blocks(N: int, width: int) -> Iterator[slice]:
    """Slices of N rows of this width, about `BLOCK` numbers each.

    >>> [(some.start, some.stop) for some in row_blocks(N=300, width=1000)]
    [(0, 131), (131, 262), (262, 300)]
    """
    step = max(1, BLOCK // max(1, width))
    return (slice(first, min(first + step, N)) for first in range(0, N, step))


def has_float64(device: torch.device) -> bool:
    """Whether a device supports float64; Apple's GPUs do not.

    >>> has_float64(torch.device("cpu"))
    True
    """
    try:
        return device.type == "cpu" or bool(torch.empty(1, dtype=torch.float64, device=device).ndim)
    except TypeError:
        return False


def leads_to_float64(fn: Callable[[Tensor], Tensor], device: torch.device) -> bool:
    """Whether `fn` moves a module from this device to one that supports float64.

    >>> leads_to_float64(Tensor.half, torch.device("cpu"))
    True
    """
    # float32, whatever torch's default dtype: a float64 tensor might not be movable.
    return has_float64(fn(torch.empty(0, dtype=torch.float32, device=device)).device)


def moved(tensor: Tensor, device: torch.device | str, dtype: torch.dtype | None = None) -> Tensor:
    """Move a CPU tensor to a device, and to another dtype if one is given.

    Only copies to CUDA are asynchronous: on Apple's GPUs the source may be overwritten before it
    arrives (pytorch/pytorch#83015).

    >>> moved(torch.tensor([1, 2]), "cpu", torch.float32)
    tensor([1., 2.])
    """
    return tensor.to(device, dtype, non_blocking=torch.device(device).type == "cuda")


def no_finer_than(model: object, tensor: Tensor) -> Tensor:
    """Convert a float64 tensor to float32 unless all of the model's weights are float64.

    Other tensors are returned as they are. So is any tensor for a function, whose weights are
    unknown.

    >>> x = torch.zeros(2, 3, dtype=torch.float64)
    >>> no_finer_than(nn.Linear(3, 2), x).dtype, no_finer_than(nn.Linear(3, 2).double(), x).dtype
    (torch.float32, torch.float64)
    """
    if tensor.dtype != torch.float64:
        return tensor
    weights = model.parameters() if isinstance(model, nn.Module) else ()
    kinds = {weight.dtype for weight in weights if weight.is_floating_point()}
    return tensor.float() if kinds - {torch.float64} else tensor


def bytes_of(tensor: Tensor) -> memoryview:
    """The bytes of a tensor's values, row after row, for a digest."""
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data


def digest_state(digest: "hashlib._Hash", model: object) -> None:
    """Add a module's tensors to a digest, including buffers that are not saved with it.

    Any other callable adds nothing.
    """
    if not isinstance(model, nn.Module):
        return
    for name, tensor in sorted({**dict(model.named_buffers()), **model.state_dict()}.items()):
        if isinstance(tensor, Tensor):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(bytes_of(tensor))


def ascending(ids: Tensor) -> Tensor:
    """The positions of ids in ascending order; an id that occurs twice raises `ArcalError`."""
    order = ids.argsort(stable=True)
    repeats = ids[order].diff() == 0
    if repeats.any():
        twice = int(ids[order][1:][repeats][0])
        raise ArcalError(f"id {twice} occurs twice: give every input its own id")
    return order


def places_of(ids: Tensor, known: Tensor) -> Tensor:
    """The place of each id `(B,)` among the unique `known` ids `(N,)`; -1 for an unknown id.

    >>> places_of(torch.tensor([8, 3, 7]), torch.tensor([5, 3, 8]))
    tensor([ 2,  1, -1])
    """
    if not len(known):
        return torch.full_like(ids, -1)
    ascending, order = known.sort()
    places = torch.searchsorted(ascending, ids.contiguous()).clamp(max=len(known) - 1)
    return torch.where(ascending[places] == ids, order[places], -1)


def as_float64(values: TensorLike | float, name: str = "this argument") -> Tensor:
    """Any numbers, or one, as a detached float64 tensor on the CPU.

    >>> as_float64(torch.tensor([1, 2]))
    tensor([1., 2.], dtype=torch.float64)
    """
    return as_tensor(values, name).detach().cpu().double()


def is_of_view(error: BaseException) -> bool:
    """Whether an error is from a `view` of a tensor that is channels last in memory.

    >>> try:
    ...     torch.zeros(2, 3, 4, 4).to(memory_format=torch.channels_last).view(2, -1)
    ... except RuntimeError as error:
    ...     is_of_view(error)
    True
    """
    return isinstance(error, RuntimeError) and "view size is not compatible" in str(error)


def in_rows(x: Tensor) -> Tensor:
    """A copy in the usual memory layout, channel by channel and row by row.

    >>> in_rows(torch.zeros(2, 3, 4, 4).to(memory_format=torch.channels_last)).view(2, -1).shape
    torch.Size([2, 48])
    """
    return x.clone(memory_format=torch.contiguous_format)
