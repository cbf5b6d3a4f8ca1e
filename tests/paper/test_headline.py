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
    by_gap = {gap: made.runs(gap=gap, sets=SETS) for gap in {*GAPS.values(), 0.5}}
    of = {key: by_gap[GAPS.get(key, 0.5)] for key in METHODS}
    return of | {key + SCALED: of[key] for key in METHODS}


def result_of(runs):
    (setting,) = [one for one in settings_of("cpu", Sources()).values() if one.name == SETTING]
    pixels = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    part = InMemory("a", torch.arange(2), torch.arange(2), ("a", "b"), pixels)
    evaluated = Evaluated(setting, Data("a", part, part, part), Chosen(0.1, 0.2, 0.2), runs)
    return headline.make(Found("cpu", {SETTING: evaluated}))


def claim(result, *words):
    (found,) = [claim for claim in result.claims if all(word in claim.text for word in words)]
    return found


def under_shift(runs):
    return [
        mean(of[i]["ece"] for name, of in runs.figures.items() if name != "test")
        for i in range(len(runs.seeds))
    ]


def test_targets_are_ratios_of_means(runs):
    found = claim(result_of(runs), "under shift is below", "Label Smoothing")
    ours, theirs = mean(under_shift(runs["ar-adals"])), mean(under_shift(runs["ls"]))
    assert f"{100 * ours:.2f} against {100 * theirs:.2f}, {100 * (1 - ours / theirs):+.1f} %" in (
        found.because
    )
    assert found.holds


def test_a_lead_that_is_too_small_misses_its_target(runs, made):
    close = made.runs(gap=0.21, sets=SETS)
    result = result_of(runs | {"random": close})
    assert claim(result, "under shift is below", "random order").holds is False
    assert claim(result, "under shift is below", "Label Smoothing").holds


def test_an_order_that_does_as_well_is_told(runs):
    best = runs["ar-adals"]
    result = result_of(runs | {"random" + SCALED: best})
    assert claim(result, "both after", "random order").holds is False
    assert claim(result, "both after", "margin order").holds


def test_clean_is_no_worse_both_ways(runs):
    assert claim(result_of(runs), "no worse", "Temperature Scaling").holds
    worst = result_of(runs | {"ar-adals": runs["vanilla"]})
    assert claim(worst, "no worse", "Label Smoothing").holds is False


def test_variance_is_over_vanillas(runs):
    steady = {"variance_all_classes": 0.003, "variance_fixed_class": 0.1, "churn": 0.1}
    shaky = steady | {"variance_all_classes": 0.005}
    ours = replace(runs["ar-adals"], stability={"test": steady})
    for vanilla, held in ((shaky, True), (steady, False)):
        of = replace(runs["vanilla"], stability={"test": vanilla})
        found = claim(result_of(runs | {"ar-adals": ours, "vanilla": of}), "variance")
        assert found.holds is held
        assert found.because == ("0.60" if held else "1.00")


def test_ratios_are_by_seed(runs):
    result = result_of(runs)
    (table,) = [table for table in result.tables if table.title == "Ratios to Vanilla"]
    (_, (clean,)), (_, (shift,)) = table.rows
    pairs = zip(under_shift(runs["ar-adals"]), under_shift(runs["vanilla"]), strict=True)
    assert shift.ours is not None
    assert list(shift.ours.values) == pytest.approx([a / b for a, b in pairs])
    assert (clean.paper, shift.paper) == ("0.26", "0.38")


def test_the_page_has_both_footings(runs):
    page = as_markdown(result_of(runs), "cpu")
    assert "## As trained" in page
    assert "## Each after temperature scaling" in page
    assert "8 seeds; under shift: 2 of 19 types with intensities (fog 1; spatter 3)" in page


def test_a_scale_without_it_says_so():
    result = headline.make(Found("smoke", {}))
    assert result.notes == ["CIFAR-10, all training images: not run at this scale."]
