"""The headline from made-up runs: targets by hand, verdicts both ways."""

from dataclasses import replace
from statistics import mean

import pytest
import torch
from made_up import SEEDS, approx, changed, evaluated, every_run, shifts, subject

from arcal.auditing import CLEAN
from arcal.paper.headline import FAST, ITEM, VARIANTS
from arcal.paper.result import as_markdown
from arcal.paper.scales import Sources, settings_of
from arcal.paper.variants import ADALS, AR_ADALS, LS, MARGIN, RANDOM, VANILLA
from arcal.training.recipes import RECIPES

FOG, SPATTER = shifts("fog 1", "spatter 3")
GAPS = {VANILLA: 0.4, LS: 0.3, ADALS: 0.25, AR_ADALS: 0.05, MARGIN: 0.15, RANDOM: 0.2}
AS_TRAINED, FOOTING = "AR-AdaLS's ECE under shift is below", "After temperature scaling of both"
SHARE = "AR-AdaLS's mean ECE under shift is at most 0.85"
CLEAN_ECE = "AR-AdaLS's mean clean ECE is no"
VARIANCE = "AR-AdaLS's variance"


def made(gap, seeds=SEEDS):
    """Runs that smooth a tenth of a label."""
    one = subject(gap, seeds=seeds, sets=(CLEAN, FOG, SPATTER))
    return changed(one, every_run(smoothing=0.1), sets=[CLEAN])


@pytest.fixture(scope="module")
def subjects():
    torch.set_num_threads(1)
    return both_ways({variant: made(GAPS[variant]) for variant in VARIANTS})


def both_ways(subjects):
    """The same as trained and after temperature scaling."""
    return subjects | {v.calibrated("temperature"): one for v, one in subjects.items()}


def make(subjects):
    return ITEM.make(evaluated({ITEM.settings[0]: subjects}, scale="cpu"))


def claim(result, start, name=""):
    (claim,) = [one for one in result.claims if one.text.startswith(start) and name in one.text]
    return claim


def under_shift(subject):
    return [
        mean(subject.measures[where].runs[i]["ece"] for where in (FOG, SPATTER))
        for i in range(len(subject.seeds))
    ]


def test_targets_are_means_and_their_tests(subjects):
    result = make(subjects)
    ours, theirs = (mean(under_shift(subjects[variant])) for variant in (AR_ADALS, LS))
    share = claim(result, SHARE, "Label Smoothing")
    assert (share.holds, share.because) == (True, f"{ours / theirs:.3f}")
    lower = claim(result, AS_TRAINED, "Label Smoothing")
    assert lower.because.startswith(f"{100 * ours:.2f} against {100 * theirs:.2f}, lower on 3 of 3")


def test_a_lower_mean_is_not_enough_where_a_test_is_named(subjects):
    def noise(one):
        pairs = zip(one.runs, (0.01, 0.9, 0.5), strict=True)
        return replace(one, runs=tuple({**run, "ece": ece} for run, ece in pairs))

    noisy = changed(subjects[RANDOM], noise, sets=[FOG])
    for start, variant in ((AS_TRAINED, RANDOM), (FOOTING, RANDOM.calibrated("temperature"))):
        lower = claim(make(subjects | {variant: noisy}), start, "random order")
        assert not lower.holds
        assert float(lower.because.partition("p = ")[2]) >= 0.05


def test_a_lead_that_is_too_small_misses_its_share(subjects):
    result = make(subjects | {RANDOM: made(GAPS[AR_ADALS] + 0.01)})
    assert claim(result, SHARE, "random order").holds is False
    assert claim(result, SHARE, "Label Smoothing").holds


def test_an_order_that_does_as_well_is_told(subjects):
    ours = subjects[AR_ADALS]
    result = make(subjects | {RANDOM.calibrated("temperature"): ours})
    assert claim(result, FOOTING, "random order").holds is False
    because = claim(result, FOOTING, "margin order").because
    assert because.startswith(f"{100 * mean(under_shift(ours)):.2f} against")


def test_few_seeds_tell_nothing_of_a_test(subjects):
    two = dict.fromkeys(subjects, made(0.2, seeds=(0, 1)))
    assert claim(make(two), AS_TRAINED, "Label Smoothing").holds is None


def test_clean_is_no_worse_both_ways(subjects):
    assert claim(make(subjects), CLEAN_ECE, "Temperature Scaling").holds
    worst = make(subjects | {AR_ADALS: subjects[VANILLA]})
    assert claim(worst, CLEAN_ECE, "Label Smoothing").holds is False


def test_variance_is_over_vanillas(subjects):
    steady = {"variance_all_classes": 0.003, "variance_fixed_class": 0.1}
    steady |= {"variance_own_maximum": 0.1, "churn": 0.1}
    shaky = steady | {"variance_all_classes": 0.005}

    def varying(variant, stability):
        return {variant: changed(subjects[variant], lambda one: replace(one, stability=stability))}

    for vanilla, held in ((shaky, True), (steady, False)):
        other = subjects | varying(AR_ADALS, steady) | varying(VANILLA, vanilla)
        told = claim(make(other), VARIANCE)
        assert told.holds is held
        assert told.because == ("0.600" if held else "1.000")


def test_ratios_are_of_means(subjects):
    (table,) = [one for one in make(subjects).tables if one.title == "Ratios to Vanilla"]
    (_, (clean,)), (_, (shift,)) = table.rows
    ratio = mean(under_shift(subjects[AR_ADALS])) / mean(under_shift(subjects[VANILLA]))
    assert shift.ours is not None
    assert shift.ours.values == approx((ratio,))
    assert (clean.paper, shift.paper) == ("0.26", "0.38")


def test_the_page_has_both_footings(subjects):
    page = as_markdown(make(subjects), "cpu")
    assert "## As trained" in page
    assert "## Each after temperature scaling" in page
    assert "8 seeds; under shift: 2 of 19 types with intensities (fog 1; spatter 3)" in page


def test_a_scale_without_it_says_so():
    assert ITEM.make({}).notes == ["CIFAR-10, all training images: not run at this scale."]


def test_with_the_fast_network_it_is_of_that_network_with_the_same_tests(subjects):
    (setting,) = FAST.settings
    run = settings_of("cpu", Sources())[setting].run
    assert (run.network, run.recipe) == ("fast", RECIPES["fast"])
    result = FAST.make(evaluated({setting: subjects}, scale="cpu"))
    assert result.name == FAST.name == "headline-fast"
    assert [one.text for one in result.claims] == [one.text for one in make(subjects).claims]
    assert "CIFAR-10, fast network" in result.notes[0]
