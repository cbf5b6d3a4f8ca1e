"""How much memory a computation takes at a time, as far as it is in tensors."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Largest(TorchDispatchMode):
    """The bytes of the largest tensor that is made; one that shares its memory is not."""

    def __init__(self):
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        given = {one.data_ptr() for one in _storages((args, kwargs))}
        sizes = [one.nbytes() for one in _storages(made) if one.data_ptr() not in given]
        self.bytes = max([self.bytes, *sizes])
        return made


def _storages(values):
    return [one.untyped_storage() for one in tree_leaves(values) if isinstance(one, torch.Tensor)]
