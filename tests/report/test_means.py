import statistics

import pytest

from arcal.report.means import boxed, means_of, types_at
from arcal.report.tables import SHIFTED, measures_of

SETS = ("test", "test-fog-1", "test-fog-3", "test-snow-3", "test-spatter-3")


def values(spread):
    return spread.values


def test_means_are_over_sets_and_leave_out_what_there_is_not(made):
    runs = made.runs(sets=SETS)
    found = means_of(runs, ("ece",))["ece"]
    fog, snow = ([one["ece"] for one in runs.figures[f"test-{t}-3"]] for t in ("fog", "snow"))
    spatter = [one["ece"] for one in runs.figures["test-spatter-3"]]
    at_3 = [statistics.mean(one) for one in zip(fog, snow, spatter, strict=True)]
    assert values(found.by_intensity[2]) == pytest.approx(at_3)
    assert [i for i, spread in enumerate(found.by_intensity) if spread is not None] == [0, 2]
    assert values(found.overall) == pytest.approx(measures_of(runs)[SHIFTED]["ece"].values)
    fog_1 = [one["ece"] for one in runs.figures["test-fog-1"]]
    three = [statistics.mean(one) for one in zip(fog, snow, fog_1, strict=True)]
    assert values(found.standard) == pytest.approx(three)
    assert types_at(found) == [1, 0, 3, 0, 0]


def test_one_run_has_no_ensemble_and_no_stability(made):
    runs = made.runs(seeds=(0,), sets=SETS)
    assert means_of(runs, ("ece",), ensemble=True) == {}
    assert means_of(runs, ("churn",)) == {}


def test_extra_types_are_told_apart_only_beside_others(made):
    for sets in (("test", "test-fog-1"), ("test", "test-spatter-1", "test-saturate-1")):
        assert means_of(made.runs(sets=sets), ("ece",))["ece"].standard is None


def test_a_box_plot_needs_three_types_at_two_intensities(made):
    types = ("fog", "snow", "frost")
    few = ("test", *(f"test-{type}-2" for type in types), "test-fog-5")
    assert boxed(means_of(made.runs(sets=few, seeds=(0,)), ("ece",))["ece"]) == []
    enough = (*few, "test-snow-5", "test-frost-5", "test-fog-4")
    assert boxed(means_of(made.runs(sets=enough, seeds=(0,)), ("ece",))["ece"]) == [2, 5]
