"""How an image of any size becomes the pixels of a part, and the sentence that says so."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, get_args

import numpy as np
from PIL import Image

from arcal.data.images import UnreadableImageError, pixels_of, read_upright
from arcal.errors import ArcalError

Crop = Literal["centre", "short-side", "squash"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
ADVICE = "repair or remove it, or leave broken images out with --skip-broken"


@dataclass(frozen=True)
class View:
    """Images in `channels` (1 or 3) channels, of `height` x `width` pixels.

    `resize` comes first: an int is the new length of the short side, a pair (h, w) the new size,
    whatever the ratio, and None leaves images as they are. Then the central `height` x `width` is
    cropped; an offset of half a pixel is rounded to an even number, as torchvision does, or with
    `round_down` down, as transformers does. `interpolation` has Pillow's names; all but "nearest"
    are antialiased.
    """

    channels: int
    height: int
    width: int
    resize: int | tuple[int, int] | None = None
    interpolation: Interpolation = "bilinear"
    round_down: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape (C, H, W) of an image."""
        return self.channels, self.height, self.width

    def read(self, source: Path | BinaryIO, where: str) -> np.ndarray:
        """The pixels of an encoded image, uint8 `(C, H, W)`; a broken one raises `ArcalError`."""
        try:
            image = self.resized(read_upright(source, where, rgb=self.channels == 3))
        except UnreadableImageError as error:
            raise UnreadableImageError(error.where, error.reason, ADVICE) from error
        pixels = pixels_of(image)
        if pixels.shape != self.shape:
            raise UnreadableImageError(
                where, f"it is {image.width} x {image.height} pixels, unlike its header", ADVICE
            )
        return pixels

    def array(self, pixels: np.ndarray) -> np.ndarray:
        """The view of decoded pixels, uint8 `(c, h, w)` with c = 1 or 3."""
        image = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
        return pixels_of(self.resized(image.convert("L" if self.channels == 1 else "RGB")))

    def resized(self, image: Image.Image) -> Image.Image:
        """The image in this view's size."""
        if self.resize is None:
            return image
        resampling = Image.Resampling[self.interpolation.upper()]
        if isinstance(self.resize, int):  # the long side keeps its ratio and is rounded down
            short = min(image.size)
            width, height = (int(self.resize * side / short) for side in image.size)
        else:
            height, width = self.resize
        image = image.resize((width, height), resampling)
        rounded = math.floor if self.round_down else round
        left, top = (rounded(more / 2) for more in (width - self.width, height - self.height))
        return image.crop((left, top, left + self.width, top + self.height))

    @property
    def how(self) -> str:
        """How images come to their size, "" if they have it already."""
        if self.resize is None:
            return ""
        cropped = f", centre {self.height} x {self.width} cropped"
        if isinstance(self.resize, int):
            resized = f"short side resized to {self.resize}{cropped}"
        else:
            resized = f"resized to {self.resize[0]} x {self.resize[1]}, proportions not preserved"
            resized += "" if self.resize == (self.height, self.width) else cropped
        return resized if self.interpolation == "bilinear" else f"{resized} ({self.interpolation})"


def before_crop(size: int) -> int:
    """The short side of images whose centre is cropped: 256 for 224, as is usual for ImageNet."""
    return round(256 * size / 224)


LONGEST = 16_384
"""The longest side, in pixels, to which images are resized."""


@dataclass(frozen=True)
class Settings:
    """What a user wants done to images: `load_part` says what each setting means.

    Settings that do not fit together raise `ArcalError`.
    """

    size: int | tuple[int, int] | None = None
    crop: Crop = "centre"
    resize: int | tuple[int, int] | None = None
    interpolation: Interpolation = "bilinear"
    channels: int | None = None
    keep: bool = False
    round_down: bool = False

    def __post_init__(self) -> None:
        for option, value, choices in (
            ("crop", self.crop, get_args(Crop)),
            ("interpolation", self.interpolation, get_args(Interpolation)),
            ("number of channels", self.channels, (None, 1, 3)),
        ):
            if value not in choices:
                names = " or ".join(str(choice) for choice in choices if choice is not None)
                raise ArcalError(f"there is no {option} {value!r}: choose {names}")
        if self.size is None and self.resize is not None:
            raise ArcalError(f"resize is {self.resize}, but no size is given: add --size")
        if min(self.height_and_width or (1,)) < 1:
            raise ArcalError(f"the size must be at least 1 pixel, not {self.size}")
        if max(self.height_and_width or (1,)) > LONGEST:
            raise ArcalError(f"the size must be at most {LONGEST:,} pixels, not {self.size}")
        if self.height_and_width and self.resize is not None:
            sides = (self.resize, self.resize) if isinstance(self.resize, int) else self.resize
            if any(side < crop for side, crop in zip(sides, self.height_and_width, strict=True)):
                raise ArcalError(
                    f"images resized to {self.resize} are too small to crop {self.size}: resize "
                    "them to no less than the size"
                )

    @property
    def height_and_width(self) -> tuple[int, int] | None:
        """The size as (H, W)."""
        return (self.size, self.size) if isinstance(self.size, int) else self.size

    def view(self, channels: int) -> View | None:
        """The view of a size, whatever the images are; None without a size."""
        if self.height_and_width is None:
            return None
        resize = self.resize
        if resize is None:
            long = max(self.height_and_width)
            resize = {
                "centre": before_crop(long),
                "short-side": long,
                "squash": self.height_and_width,
            }[self.crop]
        return View(channels, *self.height_and_width, resize, self.interpolation, self.round_down)


def choose_view(
    name: str, headers: np.ndarray, where: Callable[[int], str], settings: Settings
) -> View:
    """The view of images with these headers `(N,)`, of type `HEADER`, N >= 1.

    Without a number of channels it is grey if all images are grey, otherwise colour. If all have
    the size already, and `keep` is set, they stay as they are. Images of several sizes raise
    `ArcalError` if no size is set; `where` says where the image at a position is.
    """
    channels = settings.channels or (1 if headers["grey"].all() else 3)
    if (view := settings.view(channels)) is not None:
        there = (headers["height"] == view.height) & (headers["width"] == view.width)
        if not (settings.keep and there.all()):
            return view
    height, width = (int(headers[side][0]) for side in ("height", "width"))
    other = ((headers["height"] != height) | (headers["width"] != width)).nonzero()[0]
    if len(other):
        position = int(other[0])
        sizes = len(np.unique(headers[["height", "width"]]))
        raise ArcalError(
            f"{name} has images of {sizes} sizes, such as {width} x {height} ({where(0)}) and "
            f"{headers['width'][position]} x {headers['height'][position]} ({where(position)}): "
            "add --size 224, or another size that the model takes"
        )
    return View(channels, height, width)


def describe(view: View, headers: np.ndarray) -> str:
    """What a view does to images with these headers, as a sentence for a page.

    Counts are out of all images, since these may be only a part of the data.
    """
    whole, more = len(headers), []
    grey = int(headers["grey"].sum())
    if view.channels == 3 and grey:
        more.append(f"{_images(grey, whole)} grey, repeated to 3 channels")
    if view.channels == 1 and grey < whole:
        more.append(f"{_images(whole - grey, whole)} turned grey by luminance")
    for field, what in (
        ("sixteen_bits", "scaled from 16 bits a channel to 8"),
        ("transparent", "stripped of transparency"),
        ("turned", "turned upright as EXIF says"),
        ("one_of_several", "cut to the first of several frames or pages"),
    ):
        if count := int(headers[field].sum()):
            more.append(f"{_images(count, whole)} {what}")
    return "; ".join(filter(None, (view.how, *more))) or "as they are"


def _images(count: int, whole: int) -> str:
    return "all images" if count == whole else f"{count:,} of {whole:,} images"
