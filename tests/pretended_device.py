"""A device that is not there: tensors that say they are on it, and what a GPU would wait for."""

import traceback
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

CPU, DEVICE = torch.device("cpu"), torch.device("cuda:0")
READ = {"__bool__", "__float__", "__index__", "__int__", "cpu", "item", "numpy", "tolist"}
"""What the processor reads, for which it waits until the device has come so far."""
SIZED = {
    "allclose",
    "argwhere",
    "equal",
    "masked_select",
    "nonzero",
    "unique",
    "unique_consecutive",
}
"""What has as many entries as the values of its arguments say, or answers what they are."""
MIXES = {"__set__", "copy_", "expand_as", "reshape_as", "to", "type_as", "view_as"}
"""What takes tensors of two devices."""


class Pretended(TorchFunctionMode):
    """While it is entered, `tensors` and what is computed with them are on a device.

    They are computed on the processor and say that they are on `cuda:0`; new tensors that are asked
    for there are, too. `waits` counts by place the calls that a GPU would have to be waited for
    with, `calls` all that Python makes with such tensors: about as many kernels. Without `float64`,
    as Apple's have none, a tensor of that type there raises `TypeError`. As torch does, it refuses
    to compute with tensors of both devices, a single number or an index aside, to draw there from
    the processor's generator, and to lend numpy what is there.
    """

    def __init__(self, tensors: Iterable[Tensor] = (), *, float64: bool = True) -> None:
        super().__init__()
        self.float64 = float64
        self.there, self.calls, self.waits = WeakIdKeyDictionary(), 0, Counter()
        for tensor in tensors:
            self.there[tensor] = True

    def __enter__(self) -> Any:
        """Parameters are made by what no mode is told of."""
        make = torch.Tensor._make_subclass

        def made(cls: Any, data: Tensor, *given: Any) -> Tensor:
            result = make(cls, data, *given)
            if data in self.there:
                self.there[result] = True
            return result

        torch.Tensor._make_subclass = staticmethod(made)  # pyright: ignore
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        del torch.Tensor._make_subclass  # so that it is again that of torch's own base class
        super().__exit__(*error)

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        name, kwargs = func.__name__, dict(kwargs or {})
        if name == "_parse_to":  # what a module is moved to
            return func(*args, **kwargs)
        mine = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor) and t in self.there]
        if name == "__get__" and getattr(func, "__self__", None) is torch.Tensor.device:
            return DEVICE if mine else func(*args, **kwargs)
        if mine:
            self._check(name, args, kwargs)
        named = [one for one in (*args, *kwargs.values()) if isinstance(one, torch.device)]
        like = [t for t in args[1:2] if isinstance(t, Tensor) and t not in self.there]
        asked, leaves = DEVICE in named, name == "cpu" or (name == "to" and (CPU in named or like))
        if asked and kwargs.get("generator") is not None:
            raise RuntimeError(f"{name}: expected a 'cuda' device type for generator")
        if asked:
            args = [CPU if same(one) else one for one in args]
            kwargs = {key: CPU if same(one) else one for key, one in kwargs.items()}
        result = func(*args, **kwargs)
        if mine:
            self.calls += 1
            if name in READ | SIZED or leaves or self._picks(name, args):
                self.waits[name, place()] += 1
        if leaves:
            return result.view_as(result)  # here it would be the tensor itself
        if asked and result is args[0]:
            result = result.view_as(result)
        for one in tree_leaves(result) if mine or asked else ():
            if isinstance(one, Tensor):
                self.there[one] = True
                if not self.float64 and one.dtype == torch.float64:
                    raise TypeError(f"{name} in {place()}: the device has no float64")
        return result

    def _check(self, name: str, args: Sequence[Any], kwargs: Any) -> None:
        """Refuse what torch refuses of a tensor there."""
        others = [
            t
            for t in tree_leaves((args, kwargs))
            if isinstance(t, Tensor) and t not in self.there and t.ndim
        ]
        indexed = name in ("__getitem__", "__setitem__") and args[0] in self.there
        if others and not indexed and name not in MIXES:
            raise RuntimeError(f"{name}: expected all tensors to be on the same device")
        if name in ("numpy", "__array__"):
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        if any(isinstance(one, torch.Generator) for one in (*args, *kwargs.values())):
            raise RuntimeError(f"{name}: expected a 'cuda' device type for generator")

    def _picks(self, name: str, args: Sequence[Any]) -> bool:
        """Whether rows are picked by a mask, so that their number has to be read."""
        if name not in ("__getitem__", "__setitem__"):
            return name == "where" and len(args) == 1
        rows = args[1] if isinstance(args[1], tuple) else (args[1],)
        return any(
            isinstance(r, Tensor) and r.dtype == torch.bool and r in self.there for r in rows
        )


def same(value: Any) -> bool:
    """Whether a value is the device."""
    return isinstance(value, torch.device) and value == DEVICE


def place() -> str:
    """The innermost line of arcal that is being run."""
    lines = [one for one in traceback.extract_stack() if f"{Path('src', 'arcal')}" in one.filename]
    return f"{Path(lines[-1].filename).name}:{lines[-1].name}" if lines else "elsewhere"
