"""Image files and image bytes, decoded to uint8."""

from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from arcal.errors import ArcalError

# Pillow's other readers are rarely used for data sets, and some of them start other programs.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")


def read_image(source: Path | BinaryIO, where: str, *, rgb: bool = False) -> Image.Image:
    """The image as mode L where it is grey and `rgb` is off, as RGB otherwise; transparency goes.

    `where` names the image in the ArcalError that damaged or missing bytes raise, and so does
    an image with more than 8 bits a channel, which would be cut to 8 without a word.
    """
    try:
        with Image.open(source, formats=FORMATS) as image:
            if image.mode.startswith(("I", "F")):
                raise ValueError(f"mode {image.mode} has more than 8 bits a channel")
            if not rgb and image.mode in ("1", "L", "LA"):
                return image.convert("L")
            if image.mode == "P":  # the palette's transparency first, or Pillow warns
                image = image.convert("RGBA")
            return image.convert("RGB")
    except UnidentifiedImageError as error:  # its own message shows an address in memory
        raise ArcalError(f"{where}: the image cannot be read (no known format)") from error
    except Exception as error:  # damaged bytes make Pillow's decoders raise nearly anything
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ArcalError(f"{where}: the image cannot be read ({reason})") from error


def pixels_of(image: Image.Image) -> np.ndarray:
    """uint8 `(C, H, W)`: C is 1 for mode L, 3 for RGB."""
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def resize_and_crop(image: Image.Image, size: int) -> Image.Image:
    """The central `size` x `size` square after the short side has become 256 * size / 224.

    The usual evaluation view of ImageNet for size 224: bilinear with antialiasing, the long side
    rounded down, as torchvision's Resize and CenterCrop do.
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
