"""Decoding image files and image bytes to uint8."""

from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from arcal.errors import ArcalError

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
"""Formats that are read; some of Pillow's other readers start other programs."""


def read_image(source: Path | BinaryIO, where: str, *, rgb: bool = False) -> Image.Image:
    """Decode an image to mode L if it is grey and `rgb` is off, otherwise to RGB.

    Transparency is dropped. An image that is damaged, missing, or has more than 8 bits per channel,
    which Pillow would silently cut to 8, raises `ArcalError`, in which `where` names the image.
    """
    try:
        with Image.open(source, formats=FORMATS) as image:
            if image.mode.startswith(("I", "F")):
                raise ValueError(f"mode {image.mode} has more than 8 bits a channel")
            if not rgb and image.mode in ("1", "L", "LA"):
                return image.convert("L")
            if image.mode == "P":  # Pillow warns when it drops a palette's transparency
                image = image.convert("RGBA")
            return image.convert("RGB")
    except UnidentifiedImageError as error:  # its message shows a memory address
        raise ArcalError(f"{where}: the image cannot be read (no known format)") from error
    except Exception as error:  # Pillow's decoders raise all kinds of errors on damaged bytes
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ArcalError(f"{where}: the image cannot be read ({reason})") from error


def pixels_of(image: Image.Image) -> np.ndarray:
    """The pixels of an image, uint8 `(C, H, W)`, with C = 1 for mode L and 3 for RGB."""
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def resize_and_crop(image: Image.Image, size: int) -> Image.Image:
    """Resize the short side to 256 * size / 224 and crop the central `size` x `size` square.

    For size 224 this is the usual preprocessing for evaluation on ImageNet: bilinear with
    antialiasing and the long side rounded down, like torchvision's Resize and CenterCrop.
    """
    short = round(256 * size / 224)
    width, height = image.size
    if width <= height:
        width, height = short, int(short * height / width)
    else:
        width, height = int(short * width / height), short
    left, top = round((width - size) / 2), round((height - size) / 2)
    resized = image.resize((width, height), Image.Resampling.BILINEAR)
    return resized.crop((left, top, left + size, top + size))
