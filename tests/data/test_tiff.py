"""TIFF as microscopes and scanners write it, against the values that were written."""

import io
import struct

import numpy as np
import pytest

from arcal.data.images import UnreadableImageError, read_header, read_upright

UNSIGNED, SIGNED = 1, 2
GREY, COLOUR = 1, 2


def tiff(data: bytes, shape: tuple[int, ...], bits: int, *, photometric=GREY, sign=UNSIGNED):
    """A TIFF without compression, whose pixels are `data`; of 3 axes, (C, H, W) one by one."""
    C, (H, W) = (shape[0] if len(shape) == 3 else 1), shape[-2:]
    entries = [
        (256, "I", [W]),
        (257, "I", [H]),
        (258, "H", [bits] * C),
        (259, "H", [1]),
        (262, "H", [photometric]),
        (273, "I", [0] * C),  # where the channels begin
        (277, "H", [C]),
        (278, "I", [H]),
        (279, "I", [len(data) // C] * C),
        (284, "H", [2 if C > 1 else 1]),
        (339, "H", [sign] * C),
    ]
    start = 8 + 2 + 12 * len(entries) + 4
    lengths = [struct.calcsize(f"<{len(values)}{kind}") for _, kind, values in entries]
    pixels = start + sum(length for length in lengths if length > 4)
    directory, beyond = b"", b""
    for tag, kind, values in entries:
        if tag == 273:
            values = [pixels + c * (len(data) // C) for c in range(C)]
        value = struct.pack(f"<{len(values)}{kind}", *values)
        if len(value) > 4:
            value, beyond = struct.pack("<I", start + len(beyond)), beyond + value
        number = {"H": 3, "I": 4}[kind]
        directory += struct.pack("<HHI", tag, number, len(values)) + value.ljust(4, b"\0")
    head = struct.pack("<2sHIH", b"II", 42, 8, len(entries))
    return head + directory + bytes(4) + beyond + data


def packed(values: np.ndarray, bits: int) -> bytes:
    """Rows of numbers of so many bits, the highest bit first, as TIFF has those below 16."""
    if bits == 16:
        return values.astype("<u2").tobytes()
    each = (values[:, :, None] >> np.arange(bits)[::-1]) & 1
    return np.packbits(each.reshape(len(values), -1).astype(np.uint8), axis=1).tobytes()


def drawn(bits: int) -> np.ndarray:
    values = np.random.default_rng(bits).integers(0, 2**bits, (6, 8))
    values[0, :2] = 0, 2**bits - 1
    return values


@pytest.mark.parametrize("bits", [4, 8, 12, 16])
def test_grey_of_any_depth_is_scaled_by_its_full_range(bits):
    values = drawn(bits)
    data = tiff(packed(values, bits), values.shape, bits)
    ours = np.asarray(read_upright(io.BytesIO(data), "", rgb=False))
    assert np.array_equal(ours, np.round(values / (2**bits - 1) * 255))


@pytest.mark.parametrize("bits", [4, 8, 16])
def test_where_0_is_white_it_is_white(bits):
    values = drawn(bits)
    data = tiff(packed(values, bits), values.shape, bits, photometric=0)
    ours = np.asarray(read_upright(io.BytesIO(data), "", rgb=False))
    assert np.array_equal(ours, np.round((1 - values / (2**bits - 1)) * 255))


def signed(values, dtype):
    bits = 8 * np.dtype(dtype).itemsize
    return tiff(np.array(values).astype(dtype).tobytes(), (2, 2), bits, sign=SIGNED)


CHANNELS = np.random.default_rng(0).integers(0, 65536, (3, 6, 8)).astype("<u2")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (signed([[-1000, 0], [40, 3000]], "<i2"), "are numbers with a sign; 8 or 16 bits"),
        (signed([[0, 0], [40, 3000]], "<i2"), "are numbers with a sign"),
        (signed([[-1, 0], [40, 100]], "<i1"), "are numbers with a sign"),
        (signed([[0, 0], [40, 255]], "<i4"), "it has 32 bits a channel; 8 or 16 can be read"),
        (tiff(np.arange(4, dtype="<u4").tobytes(), (2, 2), 32), "it has 32 bits a channel"),
        (
            tiff(CHANNELS.tobytes(), CHANNELS.shape, 16, photometric=COLOUR),
            "it has 16 bits in channels one after another",
        ),
    ],
)
def test_numbers_whose_range_is_unknown_or_misread_are_refused(data, reason):
    for read in (read_header, read_upright):
        with pytest.raises(UnreadableImageError, match=reason) as raised:
            read(io.BytesIO(data), "ill/1.tif")
        assert str(raised.value).startswith("ill/1.tif: the image cannot be read (")


def test_channels_of_8_bits_one_after_another_are_read():
    channels = (CHANNELS >> 8).astype(np.uint8)
    data = tiff(channels.tobytes(), channels.shape, 8, photometric=COLOUR)
    ours = np.asarray(read_upright(io.BytesIO(data), "", rgb=True))
    assert np.array_equal(ours, channels.transpose(1, 2, 0))
