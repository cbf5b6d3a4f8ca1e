"""How an image of any size becomes the pixels of a part, and the sentence that says so."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, get_args

import numpy as np
from PIL import Image

from arcal.data.images import UnreadableImageError, pixels_of, resize_and_crop
from arcal.data.upright import read_upright
from arcal.errors import ArcalError

Crop = Literal["centre", "short-side", "squash"]
ADVICE = "mend or remove it, or leave broken images out with --skip-broken"


@dataclass(frozen=True)
class View:
    """Images in `channels` (1 or 3) channels and, with a `size`, of `size` x `size` pixels.

    `crop` says how they come to that size. "centre": the short side is resized to 256 * size / 224
    and the centre is cropped, as is usual for ImageNet; "short-side": the short side is resized to
    `size` and the centre is cropped; "squash": both sides are resized to `size`. All are bilinear
    with antialiasing. Without a size, `height` and `width` are those that all images have.
    """

    channels: int
    height: int
    width: int
    size: int | None = None
    crop: Crop = "centre"

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
        if self.size is None:
            return image
        if self.crop == "squash":
            return image.resize((self.size, self.size), Image.Resampling.BILINEAR)
        return resize_and_crop(image, self.size, self.size if self.crop == "short-side" else None)

    @property
    def how(self) -> str:
        """How images come to their size, "" if they have it already."""
        if self.size is None:
            return ""
        S = self.size
        if self.crop == "squash":
            return f"resized to {S} x {S}, proportions not preserved"
        short = S if self.crop == "short-side" else round(256 * S / 224)
        return f"short side resized to {short}, centre {S} x {S} cropped"


def check_view(name: str, size: int | None, crop: str, channels: int | None) -> None:
    """Raise `ArcalError` unless these are settings of a view."""
    if size is not None and size < 1:
        raise ArcalError(f"{name}: the size must be at least 1 pixel, not {size}")
    if crop not in get_args(Crop):
        raise ArcalError(f"{name}: there is no crop {crop!r}: choose {', '.join(get_args(Crop))}")
    if channels not in (None, 1, 3):
        raise ArcalError(
            f"{name}: images can be had in 1 channel (grey) or 3 (colour), not {channels}"
        )


def choose_view(
    name: str,
    headers: np.ndarray,
    where: Callable[[int], str],
    *,
    size: int | None,
    crop: Crop,
    channels: int | None,
) -> View:
    """The view of images with these headers `(N,)`, of type `HEADER`, N >= 1.

    Without `channels` it is grey if all images are grey, otherwise colour. Images of several sizes
    without a `size` raise `ArcalError`; `where` says where the image at a position is.
    """
    if channels is None:
        channels = 1 if headers["grey"].all() else 3
    if size is not None:
        return View(channels, size, size, size, crop)
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
    """What a view does to images with these headers, as a sentence for a page."""
    grey = int(headers["grey"].sum())
    colour, more = len(headers) - grey, []
    if view.channels == 3 and grey:
        more.append(f"{_images(grey, 'grey image')} repeated to 3 channels")
    if view.channels == 1 and colour:
        more.append(f"{_images(colour, 'colour image')} turned grey by luminance")
    for field, what in (
        ("sixteen_bits", "scaled from 16 bits a channel to 8"),
        ("transparent", "stripped of transparency"),
        ("turned", "turned upright as EXIF says"),
    ):
        if count := int(headers[field].sum()):
            more.append(f"{_images(count, 'image')} {what}")
    return "; ".join(filter(None, (view.how, *more))) or "as they are"


def _images(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
