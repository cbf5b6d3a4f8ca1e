"""Whether a network that code builds has random weights, which say nothing about any data."""

import io
import pickle
import random
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import numpy as np
import torch
from torch import nn

LARGEST = 2**30
"""A network with more bytes of weights than this is not built a second time."""


def random_state() -> list[bytes]:
    """The states of the global generators of torch, numpy and Python on the CPU."""
    return [
        torch.get_rng_state().numpy().tobytes(),
        pickle.dumps(np.random.get_state()),  # noqa: NPY002
        repr(random.getstate()).encode(),
    ]


def drawn_anew(build: Callable[[], Any], network: nn.Module) -> list[str]:
    """The names of the parameters that differ when `build`, which gave `network`, is called again.

    The random generators go on from their state and are restored afterwards. What the call prints
    is dropped. If it fails, or the network is large, there are no names.

    >>> build = lambda: nn.Linear(2, 2)
    >>> drawn_anew(build, build())
    ['weight', 'bias']
    """
    states = np.random.get_state(), random.getstate()  # noqa: NPY002
    nowhere = io.StringIO()
    try:
        before = {name: one.detach().clone() for name, one in network.named_parameters()}
        if sum(one.nbytes for one in before.values()) > LARGEST:
            return []
        with (
            torch.random.fork_rng(devices=[]),
            redirect_stdout(nowhere),
            redirect_stderr(nowhere),
            warnings.catch_warnings(action="ignore"),
        ):
            other = build()
        again = dict(other.named_parameters()) if isinstance(other, nn.Module) else {}
        return [
            name
            for name, one in before.items()
            if name in again
            and again[name].shape == one.shape
            and not torch.equal(one, again[name].detach().to(one))
        ]
    except (Exception, SystemExit):  # from the user's code, which did not fail the first time
        return []
    finally:
        np.random.set_state(states[0])  # noqa: NPY002
        random.setstate(states[1])
