"""The tournament from made-up runs: tables, tests and the goal, by hand; and from real ones."""

from dataclasses import replace
from statistics import mean

import pytest
import torch
from made_up import SEEDS, approx, changed, evaluated, shifts, subject

from arcal.auditing import CLEAN
from arcal.paper import headline, tournament
from arcal.paper.plan import plan_runs
from arcal.paper.result import as_markdown
from arcal.paper.scales import Chosen, Sources, settings_of
from arcal.paper.tournament import TRAINED
from arcal.paper.variants import ADDED, AR_ADALS, FOCAL, LS, VANILLA

FOG, CONTRAST, SPATTER = shifts("fog 1", "contrast 1", "spatter 3")
AUGMIX, NOISE = VANILLA.adding("augmix"), VANILLA.adding("noise")
GAPS = dict.fromkeys(TRAINED, 0.4) | {AUGMIX: 0.05, NOISE: 0.3, AR_ADALS.adding("noise"): 0.1}


@pytest.fixture(scope="module")
def subjects():
    torch.set_num_threads(1)
    made = {gap: subject(gap, sets=(CLEAN, FOG, CONTRAST, SPATTER)) for gap in set(GAPS.values())}
    return {one: made[GAPS[replace(one, posthoc=None)]] for one in tournament.ITEM.variants}


def make(subjects):
    return tournament.ITEM.make(evaluated({"cifar10-tournament": subjects}, scale="cpu"))


def claim(result, *words):
    (found,) = [one for one in result.claims if all(word in one.text for word in words)]
    return found


def test_the_extra_types_stand_apart(subjects):
    tables = make(subjects).tables
    assert len(tables) == 3
    assert all(len(table.rows) == len(TRAINED) for table in tables)
    (row,) = [cells for name, cells in tables[0].rows if name == AUGMIX.title]
    runs = subjects[AUGMIX].measures
    expected = [mean((runs[FOG].runs[i]["ece"], runs[CONTRAST].runs[i]["ece"])) for i in range(3)]
    standard, extra = row[4].ours, row[5].ours
    assert standard
    assert extra
    assert standard.values == approx(expected)
    assert extra.values == approx([run["ece"] for run in runs[SPATTER].runs])


def test_each_is_held_against_vanilla_and_augmix_with_the_same_step(subjects):
    result = make(subjects)
    for step in ("temperature", "batch-temperature"):
        better = claim(result, f", {step}: {AUGMIX.title} has", f"than {VANILLA.title},")
        worse = claim(result, f", {step}: {NOISE.title} has", f"than {AUGMIX.title},")
        assert better.holds
        assert "lower on 3 of 3 seeds" in better.because
        assert worse.holds is False


def test_levels_are_held_against_the_same_training_without_them(subjects):
    same = claim(
        make(subjects), ", temperature:", "AR-AdaLS", "with AugMix has", "than Vanilla with AugMix"
    )
    assert same.holds is False


def test_the_goal_is_met_on_every_seed_or_not(subjects):
    goal = claim(make(subjects), f"{AUGMIX.title} + temperature has at most half")
    assert goal.holds
    assert goal.because.startswith("3 of 3 seeds")
    assert claim(make(subjects), f"{NOISE.title} + temperature has at most half").holds is False
    scaled = AUGMIX.calibrated("temperature")

    def less_accurate(one):
        first = {**one.runs[0], "accuracy": one.runs[0]["accuracy"] - 0.006}
        return replace(one, runs=(first, *one.runs[1:]))

    worse = subjects | {scaled: changed(subjects[scaled], less_accurate, sets=[CLEAN])}
    goal = claim(make(worse), f"{AUGMIX.title} + temperature has at most half")
    assert goal.holds is False
    assert goal.because.startswith("2 of 3 seeds")


def test_one_seed_does_not_show_that_a_goal_is_met():
    sets = CLEAN, FOG, CONTRAST, SPATTER
    made = {gap: subject(gap, seeds=SEEDS[:1], sets=sets) for gap in set(GAPS.values())}
    first = {one: made[GAPS[replace(one, posthoc=None)]] for one in tournament.ITEM.variants}
    goal = claim(make(first), f"{AUGMIX.title} + temperature has at most half")
    assert goal.holds is None
    assert goal.because.startswith("1 of 1 seed;")
    assert claim(make(first), f"{NOISE.title} + temperature has at most half").holds is False


def test_its_page_says_what_it_is_of(subjects):
    page = as_markdown(make(subjects), "cpu")
    assert "fast network" in page
    assert "CIFAR-100, training for shift: not run" in page


def test_augmix_beside_the_methods_of_the_headline(subjects):
    item = tournament.BESIDE_HEADLINE
    result = item.make(
        evaluated({"cifar10-headline": {one: subjects[one] for one in item.variants}}, scale="cpu")
    )
    titles = ["Vanilla", "Label Smoothing", "AR-AdaLS (pre-compute)", "Vanilla with AugMix"]
    assert [[name for name, _ in table.rows] for table in result.tables] == [titles, titles]
    assert claim(result, f"{AUGMIX.title} + temperature has at most half").holds
    assert claim(result, f", temperature: {AR_ADALS.title}", f"than {AUGMIX.title},").holds is False


@pytest.mark.parametrize(
    ("item", "beside"),
    [
        (tournament.BESIDE_HEADLINE, headline.ITEM),
        (tournament.BESIDE_FAST, headline.FAST),
    ],
)
def test_it_shares_the_runs_of_the_headline(item, beside):
    assert item.settings == beside.settings
    settings = {name: settings_of("cpu", Sources())[name] for name in item.settings}
    chosen = Chosen(0.05, 0.1, 0.1)
    ours = plan_runs([item], settings)[0].runs(chosen)
    theirs = plan_runs([beside], settings)[0].runs(chosen)
    assert {one for one in ours if one not in theirs} == {AUGMIX}
    assert all(ours[one] == theirs[one] for one in ours if one in theirs)


def test_what_is_added_is_a_setting_of_the_run():
    setting = settings_of("cpu", Sources())["cifar10-tournament"]
    chosen = Chosen(0.05, "auto", "auto")
    settings = {
        variant: setting.runs(variant, chosen)[0]
        for variant in (VANILLA, FOCAL, LS, AR_ADALS.adding("augmix"), *map(VANILLA.adding, ADDED))
    }
    assert settings[VANILLA].settings == {}
    assert settings[FOCAL].method == "focal"
    assert settings[LS].settings == {"epsilon": 0.05}
    both = settings[AR_ADALS.adding("augmix")]
    assert both.method == "ar-adals"
    assert both.settings["augmix"] == 12.0
    assert both.settings["alpha"] == "auto"
    for added in ADDED:
        one = settings[VANILLA.adding(added)]
        assert (one.method, one.settings) == ("vanilla", ADDED[added].settings)
    assert len(setting.seeds) == 8
    assert SEEDS == (0, 1, 2)
