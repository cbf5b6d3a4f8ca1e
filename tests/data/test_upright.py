"""Orientation, depth and modes, against images that Pillow wrote and turned."""

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from toy_images import encode, random_images

from arcal.data import load, load_part
from arcal.data.images import TURNS, UnreadableImageError, read_header, read_upright

COLOUR = random_images(1, 6, 9, 3)[0]
GREY = random_images(1, 6, 9)[0]
LOSSLESS = [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})]


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("format", "options"), LOSSLESS)
def test_an_image_stored_turned_is_the_upright_original(orientation, format, options):
    """The inverse of the turn that EXIF asks for is stored with that EXIF."""
    upright = Image.fromarray(COLOUR)
    inverse = {6: TURNS[8], 8: TURNS[6]}.get(orientation, TURNS.get(orientation))
    stored = upright if inverse is None else upright.transpose(inverse)
    data = encode(np.asarray(stored), format=format, exif=exif(orientation), **options)
    image = read_upright(io.BytesIO(data), "", rgb=True)
    assert np.array_equal(np.asarray(image), COLOUR)
    header = read_header(io.BytesIO(data), "")
    assert (header.height, header.width) == COLOUR.shape[:2]
    assert header.turned == (orientation > 1)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("quality", [60, 95])
def test_jpeg_is_turned_as_pillow_turns_it(orientation, quality):
    data = encode(COLOUR, format="JPEG", exif=exif(orientation), quality=quality)
    with Image.open(io.BytesIO(data)) as image:
        expected = ImageOps.exif_transpose(image).convert("RGB")
    ours = read_upright(io.BytesIO(data), "", rgb=True)
    assert np.array_equal(np.asarray(ours), np.asarray(expected))
    header = read_header(io.BytesIO(data), "")
    assert (header.width, header.height) == expected.size


@pytest.mark.parametrize("pixels", [COLOUR, GREY])
def test_a_photograph_is_trained_as_it_is_audited(pixels, tmp_path, write_parquet):
    """Turned upright, in a folder and in Parquet, which show the same pixels."""
    turned = encode(np.rot90(pixels), exif=exif(6))
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            (tmp_path / "photos" / part / name).mkdir(parents=True)
            (tmp_path / "photos" / part / name / "0.png").write_bytes(turned)
        write_parquet(f"pets-{part}.parquet", [turned, turned], [0, 1])
    for source, size in ((tmp_path / "photos", 6), (tmp_path / "pets", None)):
        trained = load(str(source), validation=1, size=size)
        audited = load_part(str(source), size=size, channels=trained.shape[0])
        shown = trained.test.images(torch.tensor([0]))
        assert torch.equal(shown, audited.images(torch.tensor([0])))
    assert np.array_equal(shown[0, 0].numpy(), pixels if pixels is GREY else pixels[..., 0])


WRITABLE = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK"),
    "WEBP": ("L", "P", "RGB", "RGBA"),
    "BMP": ("1", "L", "P", "RGB"),
    "GIF": ("1", "L", "P", "RGB", "RGBA"),
}


@pytest.mark.parametrize(
    ("format", "mode"), [(format, mode) for format, modes in WRITABLE.items() for mode in modes]
)
def test_every_mode_in_every_format_is_as_pillow_converts_it(format, mode):
    file = io.BytesIO()
    Image.fromarray(COLOUR).convert(mode).save(file, format=format)
    with Image.open(io.BytesIO(file.getvalue())) as image:
        rgba = image.convert("RGBA") if image.mode == "P" else image
        expected = {True: rgba.convert("RGB"), False: rgba.convert("RGB").convert("L")}
    for rgb in (True, False):
        ours = read_upright(io.BytesIO(file.getvalue()), "", rgb=rgb)
        assert ours.mode == ("RGB" if rgb else "L")
        difference = np.asarray(ours).astype(int) - np.asarray(expected[rgb])
        assert abs(difference).max() <= (0 if rgb else 1)  # grey is not turned to RGB and back
    header = read_header(io.BytesIO(file.getvalue()), "")
    assert (header.height, header.width) == (6, 9)
    with Image.open(io.BytesIO(file.getvalue())) as stored:
        assert header.grey == (stored.mode in ("1", "L", "LA"))
        assert header.transparent == stored.has_transparency_data


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_and_rounded(format):
    values = np.array([[0, 1, 128, 129, 257, 32768, 65406, 65407, 65535]], np.uint16)
    data = encode(values, format=format)
    ours = np.asarray(read_upright(io.BytesIO(data), "", rgb=False))
    assert np.array_equal(ours, np.round(values / 65535 * 255))
    three = np.asarray(read_upright(io.BytesIO(data), "", rgb=True))
    assert np.array_equal(three, np.repeat(ours[:, :, None], 3, 2))
    header = read_header(io.BytesIO(data), "")
    assert (header.sixteen_bits, header.grey) == (True, True)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (encode(np.zeros((3, 3), np.float32), format="TIFF"), "its pixels are floats"),
        (encode(np.full((3, 3), 70000, np.int32), format="TIFF"), "it has 32 bits a channel"),
        (encode(np.full((3, 3), -1, np.int32), format="TIFF"), "it has 32 bits a channel"),
        (encode(COLOUR)[:60], "truncated|broken|Truncated"),
        (b"no image", "no known format"),
        (b"", "no known format"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(data, reason):
    with pytest.raises(UnreadableImageError, match=reason) as raised:
        read_upright(io.BytesIO(data), "cat/1.png", rgb=True)
    assert str(raised.value).startswith("cat/1.png: the image cannot be read (")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("format", ["GIF", "PNG", "TIFF", "WEBP"])
def test_of_several_frames_or_pages_the_first_is_read_and_that_is_known(format):
    frames = [Image.fromarray(np.full((5, 4), value, np.uint8)) for value in (40, 200)]
    file, alone = io.BytesIO(), io.BytesIO()
    options = {"lossless": True} if format == "WEBP" else {}
    frames[0].save(file, format=format, save_all=True, append_images=frames[1:], **options)
    assert np.asarray(read_upright(file, "", rgb=False)).tolist() == [[40] * 4] * 5
    assert read_header(file, "").one_of_several
    frames[0].save(alone, format=format, **options)
    assert not read_header(alone, "").one_of_several
