"""Normalisation by name or by numbers; the constants are held against the data and libraries."""

import pytest
import torch
from torchvision.models import ResNet18_Weights

from arcal.classifiers import NORMALIZATIONS, as_normalization
from arcal.errors import ArcalError


def test_the_constants_of_imagenet_are_torchvisions():
    known, transforms = NORMALIZATIONS["imagenet"], ResNet18_Weights.DEFAULT.transforms()
    assert known is not None
    assert (list(known.mean), list(known.std)) == (transforms.mean, transforms.std)


@pytest.mark.parametrize(
    "value",
    [
        "0.5,0.25,0.75 0.1",
        ("0.5,0.25,0.75", "0.1"),
        ([0.5, 0.25, 0.75], 0.1),
        [(0.5, 0.25, 0.75), [0.1]],
    ],
)
def test_numbers_in_every_form(value):
    normalization = as_normalization(value)
    assert normalization is not None
    x = torch.rand(2, 3, 4, 4)
    expected = torch.stack([(x[:, i] - m) / 0.1 for i, m in enumerate((0.5, 0.25, 0.75))], dim=1)
    torch.testing.assert_close(normalization.layer()(x), expected)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("imagnet", "give imagenet, cifar, .* or MEAN STD"),
        ("0.5", "is not known"),
        ("0.5 0.5 0.5", "is not known"),
        ("0.5 x", "is not known"),
        ((0.5, None), "is not known"),
        (([], 0.5), "is not known"),
        ("0.1,0.2 0.1,0.2,0.3", "2 channels and the deviation 3"),
        ("0.5 0", "deviations are positive"),
        ("nan 0.5", "out of range"),
        ("127 128", r"not of inputs in \[0, 1\]: divide those of images in \[0, 255\] by 255"),
        ("123.7,116.3,103.5 58.4,57.1,57.4", "by 255"),
    ],
)
def test_what_is_no_normalisation_is_one_line(value, says):
    with pytest.raises(ArcalError, match=says):
        as_normalization(value)
