"""Decoding image files and image bytes to uint8."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from arcal.errors import ArcalError, first_line

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
"""Formats that are read; some of Pillow's other readers start other programs."""
GREY = ("1", "L", "LA", "La")
"""Pillow's modes of grey images of 8 bits or fewer."""


class UnreadableImageError(ArcalError):
    """An image that cannot be read: `where` it is, the `reason`, and what to do, if that is known.

    >>> str(UnreadableImageError("cat/7.jpg", "no known format"))
    'cat/7.jpg: the image cannot be read (no known format)'
    """

    def __init__(self, where: str, reason: str, advice: str = "") -> None:
        super().__init__(where, reason, advice)
        self.where, self.reason, self.advice = where, reason, advice

    def __str__(self) -> str:
        end = f": {self.advice}" if self.advice else ""
        return f"{self.where}: the image cannot be read ({self.reason}){end}"


@contextmanager
def opened_image(source: Path | BinaryIO, where: str) -> Iterator[Image.Image]:
    """Open an image; any error in the block becomes an `UnreadableImageError`."""
    try:
        with Image.open(source, formats=FORMATS) as image:
            yield image
    except UnidentifiedImageError as error:  # its message shows a memory address
        raise UnreadableImageError(where, "no known format") from error
    except Exception as error:  # Pillow's decoders raise all kinds of errors on damaged bytes
        raise UnreadableImageError(where, first_line(error)) from error


def read_image(source: Path | BinaryIO, where: str, *, rgb: bool = False) -> Image.Image:
    """Decode an image to mode L if it is grey and `rgb` is off, otherwise to RGB.

    Transparency is dropped. An image that is damaged, missing, or has more than 8 bits per channel,
    which Pillow would silently cut to 8, raises `ArcalError`, in which `where` names the image.
    """
    with opened_image(source, where) as image:
        if image.mode.startswith(("I", "F")):
            raise ValueError(f"mode {image.mode} has more than 8 bits a channel")
        return image.convert("L") if not rgb and image.mode in GREY else as_rgb(image)


def as_rgb(image: Image.Image) -> Image.Image:
    """An image of 8 bits a channel in mode RGB, without its transparency."""
    if image.mode == "P":  # Pillow warns when it drops a palette's transparency
        image = image.convert("RGBA")
    return image.convert("RGB")


def pixels_of(image: Image.Image) -> np.ndarray:
    """The pixels of an image, uint8 `(C, H, W)`, with C = 1 for mode L and 3 for RGB."""
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def resize_short(image: Image.Image, short: int, resampling: Image.Resampling) -> Image.Image:
    """Resize the short side to a length; the long side keeps its ratio and is rounded down."""
    width, height = image.size
    if width <= height:
        width, height = short, int(short * height / width)
    else:
        width, height = int(short * width / height), short
    return image.resize((width, height), resampling)


def crop_centre(image: Image.Image, height: int, width: int) -> Image.Image:
    """The centre of an image that is no smaller."""
    left, top = round((image.width - width) / 2), round((image.height - height) / 2)
    return image.crop((left, top, left + width, top + height))
