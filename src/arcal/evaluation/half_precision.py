"""Logits in two bytes each, with the predicted classes that four give."""

from collections.abc import Mapping

import torch
from torch import Tensor

SMALLEST = 2.0**-24
"""The least that float16 tells from 0."""


def halved(logits: Tensor) -> dict[str, Tensor]:
    """Logits z as z - max z in float16, and max z in float32.

    `logits` are float32, `(..., Z)`. float16 rounds a difference d <= 0 by at most 2^-11 |d|, so
    that the classes that matter to a confidence lose least; below -65504 it becomes that, whose
    probability is 0 either way. A class that is less probable than the predicted one stays so:
    a difference that float16 would round to 0 becomes -2^-24.

    >>> halved(torch.tensor([[7.0, 2.0, 7.0 - 1e-6]]))["logits"]
    tensor([[ 0.0000e+00, -5.0000e+00, -9.5367e-07]], dtype=torch.float16)
    """
    largest = logits.amax(-1, keepdim=True)
    below = logits - largest
    half = below.half()
    half[(half == 0) & (below < 0)] = -SMALLEST
    half[half.isneginf() & ~below.isneginf()] = torch.finfo(torch.float16).min
    return {"logits": half, "largest": largest}


def restored(tensors: Mapping[str, Tensor]) -> Tensor:
    """The float32 logits of what `halved` gave, or logits that are float32 as they are.

    >>> restored(halved(torch.tensor([[7.0, 2.0]])))
    tensor([[7., 2.]])
    """
    logits = tensors["logits"]
    return logits.float() + tensors["largest"] if "largest" in tensors else logits
