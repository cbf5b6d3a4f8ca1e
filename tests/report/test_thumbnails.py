import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from arcal.report.images import make_sheets, perturbation_sheets


def tiles(sheets):
    """The pictures on the sheets, `(N', H, W, 3)`, with the empty places at the end of each."""
    width, height = sheets["width"], sheets["height"]
    for address in sheets["sheets"]:
        kind, data = address.split(",", 1)
        assert kind == "data:image/webp;base64"
        sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
        rows, columns = sheet.shape[0] // height, sheet.shape[1] // width
        assert columns == sheets["per_row"]
        assert rows <= sheets["rows"]
        yield (
            sheet.reshape(rows, height, columns, width, 3)
            .swapaxes(1, 2)
            .reshape(-1, height, width, 3)
        )


def flat(N, C=3, side=16, seed=0):
    """Images of one colour each: what a lossy format keeps well."""
    colours = torch.randint(0, 256, (N, C, 1, 1), generator=torch.Generator().manual_seed(seed))
    return colours.to(torch.uint8).expand(N, C, side, side)


@pytest.mark.parametrize("C", [1, 3, 4])
def test_each_image_is_on_its_tile(C):
    images = flat(150, C)
    sheets = make_sheets(images.split(40), 150)
    drawn = np.concatenate(list(tiles(sheets)))[:150, 4:12, 4:12].astype(float)
    expected = images[:, :3].expand(150, 3, 16, 16)[:, :, 4:12, 4:12].permute(0, 2, 3, 1).numpy()
    assert np.abs(drawn - expected).mean() < 4


def test_many_images_take_several_sheets_in_order():
    images = flat(300, side=128)
    sheets = make_sheets([images], 300, side=128)
    drawn = [sheet[:, 64, 64].astype(float) for sheet in tiles(sheets)]
    assert len(drawn) > 2
    each = sheets["per_row"] * sheets["rows"]
    assert all(len(sheet) == each for sheet in drawn[:-1])
    expected = images[:, :, 0, 0].numpy()
    assert np.abs(np.concatenate(drawn)[:300] - expected).mean() < 6


def test_large_images_are_made_small_and_keep_their_shape():
    sheets = make_sheets([torch.zeros(2, 3, 100, 200, dtype=torch.uint8)], 2)
    assert (sheets["width"], sheets["height"]) == (64, 32)


def test_perturbations_of_grey_images_are_orange_where_brighter_and_blue_where_darker():
    x = torch.full((1, 1, 32, 32), 0.5)
    sign = torch.ones(32, 32)
    sign[:, 16:] = -1
    pictures = perturbation_sheets(x, x + 0.01 * sign)
    assert pictures["amplification"] == 50
    drawn = next(tiles(pictures["perturbation"]))[0].astype(int)
    left, right = drawn[8:24, 4:12].mean((0, 1)), drawn[8:24, 20:28].mean((0, 1))
    assert np.abs(left - [0xD5, 0x5E, 0x00]).max() < 25
    assert np.abs(right - [0x00, 0x72, 0xB2]).max() < 25
    assert abs(next(tiles(pictures["perturbed"]))[0, 8:24, 4:12].mean() - 255 * 0.51) < 3
