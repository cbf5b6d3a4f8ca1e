"""An image processor of transformers, read by what it does to images."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import functional as F

from arcal.classifiers._opened_classifier import Preprocessing
from arcal.errors import ArcalError, first_line
from arcal.external import Normalization

RESAMPLE = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
"""Pillow's names of interpolation, by number."""

ROUNDING = 1.5
"""Mean difference of two libraries' resized pictures, in steps of 1/255, that is rounding."""


def measured(
    processor: Any, channels: int, folder: Path
) -> tuple[Normalization, Preprocessing | None]:
    """A processor's normalisation, and its size and crop, None if they are of another kind.

    Processors differ in what they do with the settings they share (some shift, some scale by
    another factor, some resize to more than the size they name), so both are measured on images:
    the normalisation on a black and a white one, and held against one at random; the size is what
    comes out of a picture, and the resizing the one of the usual ways that gives the same picture.
    What is no scaling of each channel by itself, such as one that turns red into blue, raises
    `ArcalError`.
    """
    normalization = _normalization(processor, channels, folder)
    upright = _picture(channels, 300, 400)
    processed = [_processed(processor, picture) for picture in (upright, upright.mT)]
    if processed[0].shape != processed[1].shape:
        return normalization, None
    H, W = processed[0].shape[1:]
    std = torch.tensor(normalization.std).view(-1, 1, 1)
    expected = processed[0] * std + torch.tensor(normalization.mean).view(-1, 1, 1)
    for candidate in _candidates(processor, (H, W)):
        if candidate.interpolation not in ("nearest", "bilinear", "bicubic"):
            continue
        apart = (_resized(upright, candidate) / 255 - expected).abs().mean()
        if float(apart) * 255 < ROUNDING:
            return normalization, candidate
    return normalization, None


def _processed(processor: Any, image: Tensor, **options: bool) -> Tensor:
    """What the processor makes of one image, uint8 `(C, H, W)`."""
    batch = processor(
        images=np.ascontiguousarray(image.numpy()),
        input_data_format="channels_first",
        return_tensors="pt",
        **options,
    )
    return batch["pixel_values"][0]


def _normalization(processor: Any, channels: int, folder: Path) -> Normalization:
    steps = ("do_resize", "do_center_crop", "do_pad")
    off = {step: False for step in steps if getattr(processor, step, None) is not None}
    draw = torch.Generator().manual_seed(0)
    random = torch.randint(256, (channels, 32, 32), generator=draw, dtype=torch.uint8)
    try:
        black, white, result = (
            _processed(processor, image, **off).double()
            for image in (torch.zeros_like(random), torch.full_like(random, 255), random)
        )
    except Exception as error:  # a processor's own of any kind
        raise ArcalError(
            f"the processor of {folder} fails on a random image ({first_line(error)}): give the "
            "normalisation"
        ) from error
    low, high = black[:, 0, 0], white[:, 0, 0]
    std, mean = 1 / (high - low), -low / (high - low)
    expected = low[:, None, None] + random / 255 * (high - low)[:, None, None]
    if result.shape != random.shape or not torch.allclose(result, expected, rtol=0, atol=1e-4):
        raise ArcalError(
            f"the processor of {folder} does more than scale each channel by itself, such as "
            "changing their order: write file.py:name with a first layer that does it"
        )
    numbers = [tuple(float(f"{value:.6g}") for value in each.tolist()) for each in (mean, std)]
    return Normalization(numbers[0], numbers[1], "as its processor says")


def _candidates(processor: Any, size: tuple[int, int]) -> list[Preprocessing]:
    """The usual ways to that size: the short side to one of several lengths, or both sides."""
    named = getattr(processor, "size", None) or {}
    named = named if isinstance(named, dict) else dict(vars(named))
    resample = getattr(processor, "resample", None)
    interpolation = RESAMPLE[2 if resample is None else int(resample)]
    resizes: list[int | tuple[int, int] | None] = [None]
    if named.get("height") and named.get("width"):
        resizes.append((named["height"], named["width"]))
    if short := named.get("shortest_edge"):
        crop = getattr(processor, "crop_pct", None) or 1
        resizes += [short, int(short / crop), int(256 / 224 * short), (short, short)]
    return [Preprocessing(size, resize, interpolation) for resize in dict.fromkeys(resizes)]


def _resized(picture: Tensor, how: Preprocessing) -> Tensor:
    if how.resize is not None:
        size = [how.resize] if isinstance(how.resize, int) else list(how.resize)
        picture = F.resize(picture, size, F.InterpolationMode(how.interpolation), antialias=True)
    return F.center_crop(picture, list(how.size))


def _picture(channels: int, H: int, W: int) -> Tensor:
    """A picture with structure of several sizes, uint8 `(C, H, W)`."""
    draw = torch.Generator().manual_seed(1)
    layers = [
        F.resize(torch.rand(channels, H // s, W // s, generator=draw), [H, W]) for s in (5, 20, 50)
    ]
    return (torch.stack(layers).mean(0) * 255).to(torch.uint8)
