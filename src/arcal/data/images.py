"""Decoding image files and image bytes to uint8, turned upright as EXIF says."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from arcal.errors import ArcalError, first_line

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
"""Formats that are read; some of Pillow's other readers start other programs."""
AUDIO = (
    "it is audio, which is read in Python: give a loader to `arcal.audit`, `arcal.calibrate` or "
    "`arcal.score`, with bounds=(-1, 1)"
)
GREY = ("1", "L", "LA", "La")
"""Pillow's modes of grey images of 8 bits or fewer."""


class UnreadableImageError(ArcalError):
    """An image that cannot be read: `where` it is, the `reason`, and what to do, if that is known.

    >>> str(UnreadableImageError("cat/7.jpg", "no known format"))
    'cat/7.jpg: the image cannot be read (no known format)'
    """

    def __init__(self, where: str, reason: str, advice: str = "") -> None:
        super().__init__(where, reason, advice)
        self.where: str = where
        self.reason: str = reason
        self.advice: str = "" if reason == AUDIO else advice  # the reason says what to do

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
        reason = AUDIO if _is_audio(source) else "no known format"
        raise UnreadableImageError(where, reason) from error
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        raise UnreadableImageError(where, f"more than {most:.0f} million pixels") from error
    except Exception as error:  # Pillow's decoders raise all kinds of errors on damaged bytes
        reason = error.strerror if isinstance(error, OSError) and error.strerror else None
        raise UnreadableImageError(where, reason or first_line(error)) from error


def _is_audio(source: Path | BinaryIO) -> bool:
    """Whether these bytes begin as those of WAV, FLAC, Ogg, or MP3 with a tag."""
    file = source.open("rb") if isinstance(source, Path) else source
    file.seek(0)
    begin = file.read(12)
    if isinstance(source, Path):
        file.close()
    return begin[8:] == b"WAVE" or begin.startswith((b"fLaC", b"OggS", b"ID3"))


def as_rgb(image: Image.Image) -> Image.Image:
    """An image of 8 bits a channel in mode RGB, without its transparency."""
    if image.mode == "P":  # Pillow warns when it drops a palette's transparency
        image = image.convert("RGBA")
    return image.convert("RGB")


def pixels_of(image: Image.Image) -> np.ndarray:
    """The pixels of an image, uint8 `(C, H, W)`, with C = 1 for mode L and 3 for RGB."""
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


ORIENTATION = 0x0112  # the tag of EXIF
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
TRANSPARENT = ("LA", "La", "PA", "RGBA", "RGBa")
METADATA = ("exif", "Raw profile type exif", "xmp")
"""Keys of Pillow's metadata that may hold an orientation."""
BITS, PHOTOMETRIC, PLANAR, SIGN = 258, 262, 284, 339  # tags of TIFF


class Header(NamedTuple):
    """What an image's header says before it is decoded; the size is that of the upright image."""

    height: int
    width: int
    grey: bool
    turned: bool
    sixteen_bits: bool
    transparent: bool
    one_of_several: bool


HEADER = np.dtype([(name, "i4" if name in ("height", "width") else "?") for name in Header._fields])
"""`Header` as a NumPy type: a million tuples would take 200 MB."""


def read_header(source: Path | BinaryIO, where: str) -> Header:
    """The header of an image; an unreadable one raises `ArcalError`, in which `where` names it."""
    with opened_image(source, where) as image:
        _check_depth(image)
        turn = _orientation(image)
        codec = str(getattr(image, "tile", ""))  # such as RGB;16B, which Pillow cuts to 8 bits
        header = (
            image.mode in GREY or image.mode.startswith("I"),
            turn in TURNS,
            image.mode.startswith("I") or ";16" in codec,
            image.mode in TRANSPARENT or "transparency" in image.info,
            _has_more_frames(image),
        )
        if image.format == "TIFF":
            image.load()  # Pillow turns a TIFF itself, and forgets its orientation
            turn = _orientation(image)
        width, height = image.size if turn < 5 else image.size[::-1]
        return Header(height, width, *header)


def read_upright(source: Path | BinaryIO, where: str, *, rgb: bool | None = None) -> Image.Image:
    """Decode an image to RGB or, with `rgb` off, to grey (mode L), turned as its EXIF says.

    Without `rgb` grey images become grey, and all others RGB.

    Transparency is dropped, 12 and 16 bits are scaled to 8, and of an animation the first frame is
    read. An image that is damaged, missing, of 32 bits, floats or signed numbers raises
    `ArcalError`, in which `where` names it.
    """
    with opened_image(source, where) as image:
        _check_depth(image)
        image.load()
        turn = _orientation(image)
        image = eight_bits(image)
        if image.mode not in GREY:
            image = as_rgb(image)
        grey = image.mode in GREY if rgb is None else not rgb
        image = image.convert("L" if grey else "RGB")
        return image.transpose(TURNS[turn]) if turn in TURNS else image


def eight_bits(image: Image.Image) -> Image.Image:
    """Scale the full range of a grey image of 16 bits, or a TIFF of 12, to 8; keep other images.

    Values are rounded. A TIFF in which 0 is white is turned into one in which it is black, as
    Pillow does with 8 bits or fewer.
    """
    if not image.mode.startswith("I"):
        return image
    tags = getattr(image, "tag_v2", {})
    full = 2 ** max(tags.get(BITS, (16,))) - 1
    values = np.asarray(image).astype(np.int64)
    if tags.get(PHOTOMETRIC) == 0:
        values = full - values
    return Image.fromarray(((values * 255 + full // 2) // full).astype(np.uint8))


def _check_depth(image: Image.Image) -> None:
    """Raise unless the channels are whole numbers of at most 16 bits that Pillow reads correctly.

    TIFF is the only format read here that has others.
    """
    tags, can = getattr(image, "tag_v2", {}), "8 or 16 bits a channel can be read"
    bits = max(tags.get(BITS, (8,)))
    if image.mode.startswith("F"):
        raise ValueError(f"its pixels are floats; {can}")
    if bits > 16:
        raise ValueError(f"it has {bits} bits a channel; 8 or 16 can be read")
    if 2 in tags.get(SIGN, ()):
        raise ValueError(f"its pixels are numbers with a sign; {can}, without one")
    if bits == 16 and tags.get(PLANAR) == 2 and len(image.getbands()) > 1 and _plain(image):
        raise ValueError(
            "it has 16 bits in channels one after another, which Pillow misreads; save them "
            "pixel by pixel, or compressed"
        )


def _plain(image: Image.Image) -> bool:
    return all(tile[0] == "raw" for tile in getattr(image, "tile", ()))


def _has_more_frames(image: Image.Image) -> bool:
    """Whether the file has more than what is read: frames of an animation, or pages of a TIFF."""
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # a damaged second frame, which Pillow looks for in a GIF
        return True


def _orientation(image: Image.Image) -> int:
    """The orientation in the EXIF data, 1 to 8; 1 (upright) where there is none to read."""
    if image.format == "PNG" and not any(key in image.info for key in METADATA):
        return 1  # asking Pillow would decode the whole image
    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged EXIF data is no reason to refuse the image
        return 1
    return orientation if orientation in TURNS else 1
