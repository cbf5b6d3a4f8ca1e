"""What a processor of transformers does to images: measured, because its settings mislead."""

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import functional as F

from arcal.classifiers._normalization import Normalization
from arcal.classifiers._opened_classifier import Preprocessing
from arcal.data.views import Interpolation, View
from arcal.errors import ArcalError, first_line

RESAMPLE = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
"""Pillow's interpolations, by number."""

ROUNDING = 1.5
"""A mean difference between two libraries' resized pictures, in 1/255, that is mere rounding."""


def measured(
    processor: Any, channels: int, folder: Path
) -> tuple[Normalization, Preprocessing | None]:
    """A processor's normalisation, and its size and crop, or None if these are of another kind.

    Processors differ in what they do with the settings they share (some shift, some scale by
    another factor, some resize to more than the size they name), so both are measured on images.
    The normalisation is read off a black and a white image and checked on a random one. The size is
    that of a processed picture, and the resizing is the usual way that gives the same picture. A
    processor that does more than scale each channel by itself, such as swap red and blue, raises
    `ArcalError`.
    """
    try:
        normalization = _normalization(processor, channels, folder)
        return normalization, _size_and_crop(processor, normalization, channels)
    except ArcalError:
        raise
    except Exception as error:  # all kinds, from the processor
        raise ArcalError(
            f"the processor of {folder} fails on an image ({first_line(error)}): give the "
            "normalisation"
        ) from error


def _size_and_crop(
    processor: Any, normalization: Normalization, channels: int
) -> Preprocessing | None:
    upright = _picture(channels, 300, 400)
    first, turned = (_unscaled(processor, one, normalization) for one in (upright, upright.mT))
    if first.shape != turned.shape:
        return None
    for candidate in _candidates(processor, (first.shape[1], first.shape[2])):
        if candidate.interpolation not in get_args(Interpolation) or channels not in (1, 3):
            continue
        if _apart(first, upright, candidate) < ROUNDING:
            down = _rounds_down(processor, normalization, candidate, channels)
            return replace(candidate, round_down=down)
    return None


def _rounds_down(
    processor: Any, normalization: Normalization, how: Preprocessing, channels: int
) -> bool:
    """Whether half a pixel before the crop is rounded down rather than to an even number.

    This shows on a picture that needs no resizing and loses 3, 7, ... pixels of its width.
    """
    if not isinstance(how.resize, int):
        return False
    short = how.resize
    width = next(w for w in range(short, short + 4) if (w - how.size[1]) % 4 == 3)
    picture = _picture(channels, short, width)
    processed = _unscaled(processor, picture, normalization)
    even, down = (
        _apart(processed, picture, replace(how, round_down=down)) for down in (False, True)
    )
    return down < even


def _apart(processed: Tensor, picture: Tensor, how: Preprocessing) -> float:
    """The mean difference between a processor's picture and ours, in steps of 1/255."""
    return float((_resized(picture, how) / 255 - processed).abs().mean()) * 255


def _unscaled(processor: Any, picture: Tensor, normalization: Normalization) -> Tensor:
    """The processed picture before its normalisation, float `(C, H, W)`."""
    mean, std = (
        torch.tensor(numbers, device="cpu").view(-1, 1, 1)
        for numbers in (normalization.mean, normalization.std)
    )
    return _processed(processor, picture) * std + mean


def _processed(processor: Any, image: Tensor, **options: bool) -> Tensor:
    """The processed form of one image, uint8 `(C, H, W)`."""
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
    random = torch.randint(256, (channels, 32, 32), generator=draw, dtype=torch.uint8, device="cpu")
    black, white, result = (
        _processed(processor, image, **off).double()
        for image in (torch.zeros_like(random), torch.full_like(random, 255), random)
    )
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
    """The usual ways to that size: the short side to one of several lengths, or both sides.

    Ways that resize to less are left out: a processor that does so has a crop that adds a border.
    """
    named = getattr(processor, "size", None) or {}
    named = named if isinstance(named, dict) else dict(vars(named))
    resample = getattr(processor, "resample", None)
    interpolation = RESAMPLE[2 if resample is None else int(resample)]
    resizes: list[int | tuple[int, int]] = []
    if named.get("height") and named.get("width"):
        resizes.append((named["height"], named["width"]))
    if short := named.get("shortest_edge"):
        crop = getattr(processor, "crop_pct", None) or 1
        resizes += [short, int(short / crop), int(256 / 224 * short), (short, short)]
    enough = [one for one in dict.fromkeys(resizes) if np.all(np.greater_equal(one, size))]
    return [Preprocessing(size, resize, interpolation) for resize in enough]


def _resized(picture: Tensor, how: Preprocessing) -> Tensor:
    """The picture, resized and cropped as the data will be."""
    interpolation: Any = how.interpolation
    view = View(len(picture), *how.size, how.resize, interpolation, how.round_down)
    return torch.from_numpy(view.array(picture.numpy()).copy())


def _picture(channels: int, H: int, W: int) -> Tensor:
    """A picture with structure of several sizes, uint8 `(C, H, W)`."""
    draw = torch.Generator().manual_seed(1)
    layers = [
        F.resize(
            torch.rand(channels, max(H // s, 1), max(W // s, 1), generator=draw, device="cpu"),
            [H, W],
        )
        for s in (5, 20, 50)
    ]
    return (torch.stack(layers).mean(0) * 255).to(torch.uint8)
