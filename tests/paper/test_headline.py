"""The headline from made-up runs: targets by hand, verdicts both ways."""

from dataclasses import replace
from statistics import mean

import pytest
import torch

from arcal.data import Data, InMemory
from arcal.paper import headline
from arcal.paper.headline import METHODS, SCALED, SETTING
from arcal.paper.item import Evaluated, Found
from arcal.paper.result import as_markdown
from arcal.paper.scales import Chosen, Sources, settings_of
from tests.report.conftest import Made

SETS = ("test", "test-fog-1", "test-spatter-3")
GAPS = {"vanilla": 0.9, "ls": 0.6, "adals": 0.55, "ar-adals": 0.2, "margin": 0.3}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    torch.set_num_threads(1)
    return Made(tmp_path_factory.mktemp("runs"), N=120)


@pytest.fixture(scope="module")
def runs(made):
    by_gap = {gap: smoothed(made.runs(gap=gap, sets=SETS)) for gap in {*GAPS.values(), 0.5}}
    of = {key: by_gap[GAPS.get(key, 0.5)] for key in METHODS}
    return of | {key + SCALED: of[key] for key in METHODS}


def smoothed(runs):
    for found in runs.figures["test"]:
        found["smoothing"] = 0.1
    return runs


def result_of(runs):
    (setting,) = [one for one in settings_of("cpu", Sources()).values() if one.name == SETTING]
    pixels = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    part = InMemory("a", torch.arange(2), torch.arange(2), ("a", "b"), pixels)
    evaluated = Evaluated(setting, Data("a", part, part, part), Chosen(0.1, 0.2, 0.2), runs)
    return headline.make(Found("cpu", {SETTING: evaluated}))


AS_TRAINED, FOOTING = "AR-AdaLS's ECE under shift is below", "After temperature scaling of both"
SHARE = "AR-AdaLS's mean ECE under shift is at most 0.85"
CLEAN_ECE = "AR-AdaLS's mean clean ECE is no"
VARIANCE = "AR-AdaLS's variance"


def claim(result, start, name=""):
    found = [one for one in result.claims if one.text.startswith(start) and name in one.text]
    assert len(found) == 1
    return found[0]


def under_shift(runs):
    return [
        mean(of[i]["ece"] for name, of in runs.figures.items() if name != "test")
        for i in range(len(runs.seeds))
    ]


def test_targets_are_means_and_their_tests(runs):
    result = result_of(runs)
    ours, theirs = mean(under_shift(runs["ar-adals"])), mean(under_shift(runs["ls"]))
    found = claim(result, SHARE, "Label Smoothing")
    assert (found.holds, found.because) == (True, f"{ours / theirs:.3f}")
    found = claim(result, AS_TRAINED, "Label Smoothing")
    assert found.because.startswith(f"{100 * ours:.2f} against {100 * theirs:.2f}, lower on 3 of 3")


def test_a_lower_mean_is_not_enough_where_a_test_is_named(runs, made):
    noisy = smoothed(made.runs(gap=0.6, sets=SETS))
    for i, run in enumerate(noisy.figures["test-fog-1"]):
        run["ece"] = (0.01, 0.9, 0.5)[i]
    for start, key in ((AS_TRAINED, "random"), (FOOTING, "random" + SCALED)):
        found = claim(result_of(runs | {key: noisy}), start, "random order")
        assert not found.holds
        assert float(found.because.partition("p = ")[2]) >= 0.05


def test_a_lead_that_is_too_small_misses_its_share(runs, made):
    result = result_of(runs | {"random": smoothed(made.runs(gap=0.21, sets=SETS))})
    assert claim(result, SHARE, "random order").holds is False
    assert claim(result, SHARE, "Label Smoothing").holds


def test_an_order_that_does_as_well_is_told(runs):
    result = result_of(runs | {"random" + SCALED: runs["ar-adals"]})
    assert claim(result, FOOTING, "random order").holds is False
    assert claim(result, FOOTING, "margin order").because.startswith(
        f"{100 * mean(under_shift(runs['ar-adals'])):.2f} against"
    )


def test_few_seeds_tell_nothing_of_a_test(runs, made):
    two = dict.fromkeys(runs, smoothed(made.runs(gap=0.5, seeds=(0, 1), sets=SETS)))
    assert claim(result_of(two), AS_TRAINED, "Label Smoothing").holds is None


def test_clean_is_no_worse_both_ways(runs):
    assert claim(result_of(runs), CLEAN_ECE, "Temperature Scaling").holds
    worst = result_of(runs | {"ar-adals": runs["vanilla"]})
    assert claim(worst, CLEAN_ECE, "Label Smoothing").holds is False


def test_variance_is_over_vanillas(runs):
    steady = {"variance_all_classes": 0.003, "variance_fixed_class": 0.1, "churn": 0.1}
    shaky = steady | {"variance_all_classes": 0.005}
    ours = replace(runs["ar-adals"], stability={"test": steady})
    for vanilla, held in ((shaky, True), (steady, False)):
        of = replace(runs["vanilla"], stability={"test": vanilla})
        found = claim(result_of(runs | {"ar-adals": ours, "vanilla": of}), VARIANCE)
        assert found.holds is held
        assert found.because == ("0.600" if held else "1.000")


def test_ratios_are_of_means(runs):
    result = result_of(runs)
    (table,) = [table for table in result.tables if table.title == "Ratios to Vanilla"]
    (_, (clean,)), (_, (shift,)) = table.rows
    ratio = mean(under_shift(runs["ar-adals"])) / mean(under_shift(runs["vanilla"]))
    assert shift.ours is not None
    assert shift.ours.values == pytest.approx((ratio,))
    assert (clean.paper, shift.paper) == ("0.26", "0.38")


def test_the_page_has_both_footings(runs):
    page = as_markdown(result_of(runs), "cpu")
    assert "## As trained" in page
    assert "## Each after temperature scaling" in page
    assert "8 seeds; under shift: 2 of 19 types with intensities (fog 1; spatter 3)" in page


def test_a_scale_without_it_says_so():
    result = headline.make(Found("smoke", {}))
    assert result.notes == ["CIFAR-10, all training images: not run at this scale."]
