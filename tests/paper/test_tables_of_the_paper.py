"""The paper's tables from made-up runs: their numbers by hand, verdicts both ways."""

from dataclasses import replace
from statistics import mean, stdev

import pytest
import torch
from made_up import (
    HUNDRED,
    RESNET,
    SEEDS,
    WIDE,
    N,
    approx,
    changed,
    evaluated,
    every_run,
    lockstep,
    methods,
    shifts,
    subject,
)

from arcal.auditing import CLEAN, INTENSITIES, STABILITY
from arcal.paper import ITEMS, table1, table2, table3, table4, table5
from arcal.paper.figures import Figures, rows_of
from arcal.paper.item import shift_words
from arcal.paper.result import as_json, as_markdown
from arcal.paper.scales import Sources, settings_of
from arcal.paper.variants import (
    ADALS,
    AR_ADALS,
    CCAT,
    JOINT,
    LS,
    MARGIN,
    MIX_N_MATCH,
    MIXUP,
    OF_ENSEMBLE,
    ON_THE_FLY,
    RANDOM,
    VANILLA,
)

SHIFTED = shifts("fog 1", "fog 3", "spatter 3")
SETS = (CLEAN, *SHIFTED)
GAPS = {VANILLA: 0.4, LS: 0.3, ADALS: 0.2, AR_ADALS: 0.1, JOINT: 0.0, MARGIN: 0.1, RANDOM: 0.3}
GAPS |= {MIXUP: 0.2, CCAT: 0.4, ON_THE_FLY: 0.0}
"""So that all that the paper says of single models holds."""


@pytest.fixture(scope="module")
def subjects():
    torch.set_num_threads(1)
    by_gap = {gap: subject(gap, sets=SETS) for gap in set(GAPS.values())}
    trained = {variant: by_gap[gap] for variant, gap in GAPS.items()}
    scaled = {variant.calibrated("temperature"): one for variant, one in trained.items()}
    others = {MIX_N_MATCH: by_gap[0.3], OF_ENSEMBLE: lockstep(0.1, sets=SETS)}
    return trained | scaled | others


def holds(result, *words):
    """Whether the one claim that has these words holds."""
    (claim,) = [claim for claim in result.claims if all(word in claim.text for word in words)]
    return claim.holds


def cells_of(table, name):
    return dict(table.rows)[name]


def values_of(cell):
    return cell.ours.values


def test_the_papers_numbers_are_as_printed(shared):
    text = (shared / "paper.txt").read_text()

    def columns(*rows):
        return ["\n".join(column) for column in zip(*rows, strict=True)]

    for paper in (table3.SINGLE, table2.PAPER):
        rows = [numbers for v, numbers in paper.items() if v not in (AR_ADALS, MIX_N_MATCH)]
        for column in columns(*rows[:3]):
            assert column in text
    for number in [*table3.SINGLE[AR_ADALS], *table2.PAPER[MIX_N_MATCH], *table2.ENSEMBLE]:
        assert number in text
    for variant in (ON_THE_FLY, MIXUP, CCAT):
        assert all(number in text for number in table2.PAPER[variant])
    for column in columns(*(table3.ENSEMBLES[variant] for variant in (VANILLA, LS, ADALS))):
        assert column in text
    for column in columns(*(table3.ENSEMBLES[variant] for variant in (AR_ADALS, OF_ENSEMBLE))):
        assert column in text
    for accuracy, corrupted, ece, shifted in table4.PAPER.values():
        assert f"{accuracy}/{corrupted}\n{ece}/{shifted}" in text
    for numbers in zip(*table5.PAPER.values(), strict=True):
        for column in columns(*numbers):
            assert column in text
    for _, accuracy in table1.PAPER.values():
        assert f"\n{accuracy}%" in text


@pytest.fixture
def vanilla(subjects):
    """Table 1's evaluated setting; seed s is sure of 9 - s of 10 training images.

    Of seed s the attack failed on s + 1 images.
    """
    attacked = [
        replace(run, success=torch.arange(N) > seed)
        for seed, run in enumerate(subjects[VANILLA].robustness)
    ]
    subject = replace(subjects[VANILLA], robustness=attacked)
    one = evaluated({RESNET: {VANILLA: subject}})[RESNET]
    rows = rows_of(VANILLA, subject, [0.9, 0.8, 0.7])
    return replace(one, methods={"Vanilla": Figures(rows)})


def test_table_1_is_of_vanilla(vanilla):
    result = table1.ITEM.make({RESNET: vanilla})
    (table,) = result.tables
    (name, (accuracy, gap, attacked, sure)) = table.rows[0]
    assert (name, accuracy.paper) == (
        "CIFAR-10, small network (paper: CIFAR-10, ResNet-29)",
        "91.4",
    )
    runs = vanilla.subject(VANILLA).measures[CLEAN].runs
    assert values_of(accuracy) == approx([run["accuracy"] for run in runs])
    assert values_of(gap) == approx([run["gap"] for run in runs])
    assert attacked.text == f"{100 - 200 / N:.2f} ± {100 * stdev([1, 2, 3]) / N:.2f}"
    assert values_of(sure) == approx((0.9, 0.8, 0.7))
    assert holds(result, "Vanilla is right on at least 91.4 %") is None, (
        "another network, fewer images"
    )
    assert holds(result, "over-confident") is True
    assert holds(result, "The attack always") is False
    assert f"6 of {3 * N:,} attacks failed" in [claim.because for claim in result.claims]
    assert holds(result, "no good order") is False
    assert "CIFAR-100, WRN-28-10: not run at this scale." in result.notes


@pytest.mark.parametrize(("accuracy", "reached"), [(0.91, True), (0.90, False)])
def test_table_1_compares_accuracy_of_the_papers_own_network(vanilla, accuracy, reached):
    one = vanilla.subject(VANILLA)
    robustness = [replace(run, success=torch.ones(N).bool()) for run in one.robustness]
    one = replace(
        changed(one, every_run(accuracy=accuracy, confidence=accuracy - 0.01)),
        robustness=robustness,
    )
    whole = settings_of("paper", Sources())[RESNET].run
    setting = replace(vanilla.setting, run=whole)
    result = table1.ITEM.make(
        {RESNET: replace(vanilla, setting=setting, methods=methods({VANILLA: one}))}
    )
    assert holds(result, "Vanilla is right on at least 91.4 %") is reached
    assert holds(result, "over-confident") is False
    assert holds(result, "The attack always") is True


def test_table_2_claims_go_the_papers_way(subjects):
    result = table2.ITEM.make(evaluated({WIDE: subjects, HUNDRED: subjects}))
    assert holds(result, "AR-AdaLS has a lower ECE than mixup", "CIFAR-10,") is True
    assert holds(result, "mixup has a lower ECE than AR-AdaLS", "CIFAR-100") is False
    assert holds(result, "Ensemble of Vanilla has a lower ECE than AR-AdaLS", "CIFAR-100") is False
    assert holds(result, "accuracy", "CIFAR-100") is True, "the same images are wrong"
    ten, hundred = cells_of(result.tables[0], "AR-AdaLS (on-the-fly)")
    assert (ten.paper, hundred.paper) == ("0.64±0.02", "2.27±0.16")
    other = subjects | {ON_THE_FLY: subjects[VANILLA], VANILLA: subjects[ON_THE_FLY]}
    result = table2.ITEM.make(evaluated({WIDE: other}))
    assert holds(result, "AR-AdaLS has a lower ECE than Vanilla") is False


def over(subject, measure, seed=0, sets=SHIFTED):
    """The mean of a run's measure over sets."""
    return mean(subject.measures[where].runs[seed][measure] for where in sets)


def test_table_3_is_the_mean_over_corrupted_sets(subjects):
    result = table3.ITEM.make(evaluated({RESNET: subjects}))
    single, together = result.tables
    assert single.columns[:2] == ["ECE, 2 types", "ECE, 1 type without the extra"]
    cells = cells_of(single, "Label Smoothing")
    ls, scaled = subjects[LS], subjects[LS.calibrated("temperature")]
    expected = [
        [over(ls, "ece", seed) for seed in SEEDS],
        [over(ls, "ece", seed, SHIFTED[:2]) for seed in SEEDS],
        [over(scaled, "ece", seed) for seed in SEEDS],
        [over(ls, "gap", seed) for seed in SEEDS],
        [over(scaled, "gap", seed) for seed in SEEDS],
    ]
    for cell, values in zip(cells, expected, strict=True):
        assert values_of(cell) == approx(values)
        assert cell.text == f"{100 * mean(values):.2f} ± {100 * stdev(values):.2f}"
    assert [cell.paper for cell in cells] == ["10.1±0.4", None, None, None, None]
    averaged = mean(ls.measures[where].ensemble["ece"] for where in SHIFTED)
    (first, *_) = cells_of(together, "Ensemble of Label Smoothing")
    assert (first.paper, values_of(first)) == ("4.6", approx((averaged,)))
    (first, *_) = cells_of(together, "AR-AdaLS of Ensemble")
    joint = over(subjects[OF_ENSEMBLE], "ece")
    assert (first.paper, values_of(first)) == ("4.4", approx((joint,)))
    assert cells_of(single, "AR-AdaLS, random order")[0].paper is None


def test_table_3_claims(subjects):
    result = table3.ITEM.make(evaluated({RESNET: subjects}))
    order = "AR-AdaLS (pre-compute), AdaLS, Label Smoothing, Vanilla"
    assert holds(result, "Single models from best to worst", order) is True
    assert holds(result, "than AdaLS (CIFAR-10") is True
    assert holds(result, "random order, not in the paper") is True
    assert holds(result, "margin order, not in the paper") is False, "the same runs"
    assert holds(result, "than Vanilla, both after temperature scaling") is True
    assert holds(result, "significantly better") is True
    swapped = subjects | {AR_ADALS: subjects[VANILLA], VANILLA: subjects[AR_ADALS]}
    result = table3.ITEM.make(evaluated({RESNET: swapped}))
    assert holds(result, "Single models from best to worst") is False
    assert holds(result, "than AdaLS (CIFAR-10") is False
    assert holds(result, "significantly better") is False
    assert holds(result, "than Vanilla, both after temperature scaling") is True, "not swapped"


def test_a_single_ar_adals_is_comparable_within_its_deviation(subjects):
    ours = [over(subjects[AR_ADALS], "ece", seed) for seed in SEEDS]
    for below, held in ((0.9, True), (1.1, False)):
        figures = {"ece": mean(ours) - below * stdev(ours), "gap": 0.0}
        vanilla = changed(
            subjects[VANILLA], lambda one, f=figures: replace(one, ensemble={**one.ensemble, **f})
        )
        result = table3.ITEM.make(evaluated({RESNET: subjects | {VANILLA: vanilla}}))
        assert holds(result, "A single AR-AdaLS is comparable") is held


@pytest.mark.parametrize(("ece", "lowest"), [(0.01, True), (0.9, False)])
def test_table_3_claims_of_ensembles(subjects, ece, lowest):
    joint = changed(subjects[OF_ENSEMBLE], every_run(ece=ece))
    result = table3.ITEM.make(evaluated({RESNET: subjects | {OF_ENSEMBLE: joint}}))
    text = "AR-AdaLS of Ensemble has a lower mean ECE under shift than Ensemble of"
    for other in ("Vanilla", "Label Smoothing", "AdaLS", "AR-AdaLS (pre-compute)"):
        assert holds(result, f"{text} {other} (C") is lowest


@pytest.mark.parametrize("table", [table2, table3])
def test_one_seed_has_no_ensemble(subjects, table):
    one = subject(seeds=(0,), sets=SETS)
    alone = dict.fromkeys(table.ITEM.variants, one) | {OF_ENSEMBLE: subjects[OF_ENSEMBLE]}
    result = table.make(evaluated({RESNET: alone, WIDE: alone}, seeds=(0,)))
    claims = [claim for claim in result.claims if "nsemble" in claim.text]
    assert claims
    assert {claim.because for claim in claims} == {"one seed has no ensemble"}
    rows = dict(row for one in result.tables for row in one.rows)
    assert rows["Ensemble of Vanilla"][0].text == "–"


def test_table_4_is_clean_and_corrupted(subjects):
    result = table4.ITEM.make(evaluated({WIDE: subjects, HUNDRED: subjects}))
    hundred, ten = result.tables
    assert (hundred.title, ten.title) == ("CIFAR-100, small network", "CIFAR-10, small network")
    cells = cells_of(hundred, "AR-AdaLS (on-the-fly)")
    assert [cell.paper for cell in cells] == ["79.2", "52.1", "2.3", "13.2"]
    assert {cell.paper for _, row in ten.rows for cell in row} == {None}
    ours = subjects[ON_THE_FLY]
    expected = [
        over(ours, measure, 1, sets)
        for measure in ("accuracy", "ece")
        for sets in ([CLEAN], SHIFTED)
    ]
    assert [values_of(cell)[1] for cell in cells] == approx(expected)
    fly, before = "AR-AdaLS (on-the-fly) has", "AR-AdaLS (pre-compute) has"
    assert holds(result, fly, "than AR-AdaLS (pre-compute) under shift", "CIFAR-100") is True
    assert holds(result, before, "than Label Smoothing (CIFAR-10,") is True
    other = subjects | {ON_THE_FLY: subjects[VANILLA], LS: subjects[ON_THE_FLY]}
    result = table4.ITEM.make(evaluated({HUNDRED: other}))
    assert holds(result, fly, "than AR-AdaLS (pre-compute) under shift") is False
    assert holds(result, before, "than Label Smoothing (CIFAR-100,") is False
    assert "CIFAR-10, WRN-28-10: not run at this scale." in result.notes


def test_table_5_is_by_intensity(subjects):
    result = table5.ITEM.make(evaluated({RESNET: subjects}))
    for table, measure in zip(result.tables, STABILITY, strict=True):
        cells = cells_of(table, "Label Smoothing")
        one, three, other = (subjects[LS].measures[s].stability[measure] for s in SHIFTED)
        means = [None if cell.ours is None else cell.ours.mean for cell in cells]
        assert [means[0], means[2], means[5]] == approx(
            [one, (three + other) / 2, (one + three + other) / 3]
        )
        assert means[1] is means[3] is means[4] is None
    first, *_, last = cells_of(result.tables[0], "Label Smoothing")
    assert (first.paper, last.paper) == ("5.54", "8.41")
    assert {cell.paper for _, row in result.tables[3].rows for cell in row} == {None}


@pytest.mark.parametrize(
    ("factor", "held"), [(0.6, (True, True)), (0.7, (True, False)), (1.2, (False, False))]
)
def test_table_5_claims_are_ratios_to_vanilla(subjects, factor, held):
    def less(one):
        return replace(one, stability={m: factor * value for m, value in one.stability.items()})

    ours = changed(subjects[VANILLA], less)
    result = table5.ITEM.make(evaluated({RESNET: subjects | {AR_ADALS: ours}}))
    assert holds(result, "lower mean variance than Vanilla") is held[0]
    assert holds(result, "at most 0.52 of Vanilla's") is held[1]
    (claim,) = [claim for claim in result.claims if "0.52" in claim.text]
    assert claim.because == f"{factor:.2f}; in the two other readings {factor:.2f} and {factor:.2f}"
    (claim,) = [claim for claim in result.claims if "than Vanilla" in claim.text]
    assert claim.because.endswith(f"lower on {3 * held[0]} of 3 corrupted sets")


@pytest.mark.parametrize("name", ["table2", "table3", "table4", "table5"])
def test_pages_say_what_was_measured(subjects, name):
    settings = evaluated(dict.fromkeys((RESNET, WIDE, HUNDRED), subjects), "smoke")
    result = ITEMS[name].make(settings)
    page = as_markdown(result, "smoke")
    assert "embedded images" in page
    assert "(paper " in page
    if name != "table2":
        assert "2 of 19 types with intensities (fog 1, 3; spatter 3)" in page
    if name in ("table3", "table5"):
        assert "ImageNet, ResNet-101: not run at this scale." in page
    assert as_json(result)["name"] == name
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    columns = {line.count(" | ") for line in rows}
    assert len(rows) > 5
    assert min(columns) >= 1


ALL_FIVE = shifts(*(f"{type} {i}" for type in ("fog", "snow") for i in INTENSITIES))


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        ((), "nothing"),
        (shifts("fog 2"), "1 of 19 types (fog), intensities 2"),
        (ALL_FIVE, "2 of 19 types (fog, snow), all five intensities"),
    ],
)
def test_what_was_evaluated_is_read_from_the_subject(subjects, sets, words):
    one = subjects[VANILLA]
    measures = dict.fromkeys((CLEAN, *sets), one.measures[CLEAN])
    figures = methods({VANILLA: replace(one, measures=measures)})["Vanilla"]
    assert shift_words(figures) == words
