"""What a classifier is evaluated on, by name."""

import pytest

from arcal.auditing import CLEAN, EvaluationSet, shift_sets, without_extra
from arcal.auditing._measures import TYPES
from arcal.errors import ArcalError


def test_a_set_says_what_it_is():
    assert (CLEAN.name, CLEAN.is_shifted) == ("test", False)
    noise = EvaluationSet(corruption="gaussian_noise", intensity=3)
    assert (noise.name, noise.is_shifted) == ("test-gaussian_noise-3", True)
    validation = EvaluationSet("validation", "fog", 5)
    assert (validation.name, validation.is_shifted) == ("validation-fog-5", False)


@pytest.mark.parametrize(
    ("names", "count"),
    [
        ([], 95),
        (["all"], 95),
        (["standard", "extra"], 95),
        (["cifar100"], 85),
        (["fog"], 5),
        (["fog-2", "fog-2", "fog"], 5),
        (["fog-2", "snow-1"], 2),
        (["gaussian-noise-3", "gaussian_noise-3", "jpeg-compression"], 6),
    ],
)
def test_named_shifts(names, count):
    sets = shift_sets(names)
    assert len(sets) == len(set(sets)) == count
    assert {where.part for where in sets} == {"test"}
    assert {where.part for where in shift_sets(names, part="validation")} == {"validation"}


@pytest.mark.parametrize("text", ["gaussian_noise-6", "rain-1", "3", "rain", "test-fog-1"])
def test_an_unknown_shift_says_how_to_write_one(text):
    with pytest.raises(ArcalError, match="TYPE-INTENSITY"):
        shift_sets([text])


def test_what_settings_are_chosen_with_is_left_out():
    assert without_extra(["gaussian_noise", "spatter", "fog"]) == ["gaussian_noise", "fog"]
    assert tuple(without_extra(TYPES["all"])) == TYPES["standard"]
    assert without_extra(TYPES["extra"]) == []
