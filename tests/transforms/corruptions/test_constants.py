"""The lists of types and the constants."""

import pytest

from arcal.transforms.corruptions.constants import (
    CIFAR,
    CIFAR100_C_PAPER,
    CORRUPTIONS,
    EXTRA,
    IMAGENET,
    IMAGENET_C,
)


def test_the_lists_have_the_published_lengths(official):
    assert (len(CORRUPTIONS), len(EXTRA), len(IMAGENET_C), len(CIFAR100_C_PAPER)) == (19, 4, 15, 17)
    assert set(CORRUPTIONS) | {"clean", "official_test_index"} == set(official)
    assert CORRUPTIONS == IMAGENET_C + EXTRA
    assert set(CORRUPTIONS) - set(CIFAR100_C_PAPER) == {"motion_blur", "snow"}


@pytest.mark.parametrize("table", [CIFAR, IMAGENET])
def test_every_type_has_five_constants_of_one_kind(table):
    assert tuple(table) == CORRUPTIONS
    for type, constants in table.items():
        assert len(constants) == 5
        if type != "zoom_blur":
            sizes = {len(c) if isinstance(c, tuple) else 0 for c in constants}
            assert len(sizes) == 1, type
