"""Whether a network that code builds has random weights, which say nothing about any data."""

import io
import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

LARGEST = 2**30
"""A network with more bytes of weights and buffers than this is not built a second time."""


def random_state() -> list[bytes]:
    """The states of the global generators of torch, numpy and Python.

    >>> before = random_state()
    >>> before == random_state()
    True
    >>> _ = torch.rand(1)
    >>> before == random_state()
    False
    """
    tensors = [torch.get_rng_state()]
    if torch.cuda.is_initialized():
        tensors += torch.cuda.get_rng_state_all()
    _, keys, *rest = np.random.get_state()  # noqa: NPY002
    others = [np.asarray(keys).tobytes(), repr(rest).encode(), repr(random.getstate()).encode()]
    return [state.numpy().tobytes() for state in tensors] + others


def drawn_anew(build: Callable[[], Any], network: nn.Module) -> list[str]:
    """The names of the parameters that differ when `build`, which gave `network`, is called again.

    The call draws other numbers, since it goes on from the state of the random generators, which is
    restored afterwards. The network stays as it is, even if the call returns it again or changes
    it. What the call prints is dropped. If it fails, or the network has more than `LARGEST` bytes,
    there are no names.

    >>> build = lambda: nn.Linear(2, 2)
    >>> drawn_anew(build, build())
    ['weight', 'bias']
    """
    own = {name: one for name, one in network.state_dict().items() if isinstance(one, Tensor)}
    try:
        if sum(one.nbytes for one in own.values()) > LARGEST:
            return []
        before = {name: one.clone() for name, one in own.items()}
        names = [name for name, _ in network.named_parameters() if name in before]
        try:
            with _quiet(), _restored():
                other = build()
            again = dict(other.named_parameters()) if isinstance(other, nn.Module) else {}
            return [name for name in names if name in again and _differ(before[name], again[name])]
        finally:
            for name, one in own.items():
                if _differ(before[name], one):
                    one.copy_(before[name])
    except (Exception, SystemExit):  # from the user's code, which did not fail the first time
        return []


def _differ(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and not torch.equal(one, other.detach().to(one))


@contextmanager
def _quiet() -> Iterator[None]:
    nowhere = io.StringIO()
    with redirect_stdout(nowhere), redirect_stderr(nowhere), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _restored() -> Iterator[None]:
    """Leave the global generators as they are before the block."""
    gpus = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices=[*gpus]):
            yield
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)
