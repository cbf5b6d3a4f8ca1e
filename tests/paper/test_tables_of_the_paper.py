"""The paper's tables from made-up runs: their numbers by hand, verdicts both ways."""

from dataclasses import replace
from statistics import mean, stdev

import pytest
import torch

from arcal.data import Data, InMemory
from arcal.evaluation import Predictions, ensemble_of, figures
from arcal.paper import ITEMS, table1, table2, table3, table4, table5
from arcal.paper.item import Evaluated, Found
from arcal.paper.notes import shift_of
from arcal.paper.result import as_json, as_markdown
from arcal.paper.scales import Chosen, Sources, settings_of
from arcal.store import save_tensors
from arcal.training.run import fingerprint_of
from tests.report.conftest import Made

RESNET, WIDE, HUNDRED = "cifar10-resnet29", "cifar10-wrn", "cifar100-wrn"
SETS = ("test", "test-fog-1", "test-fog-3", "test-spatter-3")
SHIFTED = SETS[1:]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    torch.set_num_threads(1)
    return Made(tmp_path_factory.mktemp("runs"), N=120)


@pytest.fixture(scope="module")
def by_gap(made):
    """Runs from the worst calibrated to the best."""
    return [made.runs(gap=gap, sets=SETS) for gap in (0.9, 0.7, 0.5, 0.3, 0.2)]


@pytest.fixture(scope="module")
def keys(by_gap):
    """By key, so that all that the paper says of single models holds."""
    worst, bad, middling, good, best = by_gap
    same = {
        "joint": best,
        "margin": good,
        "random": bad,
        "mixup": middling,
        "ccat": worst,
        "on-the-fly": best,
    }
    named = {"vanilla": worst, "ls": bad, "adals": middling, "ar-adals": good} | same
    named |= {f"{key} + temperature": runs for key, runs in named.items()}
    return named | {"vanilla + ets": bad, "of-ensemble": _lockstep(best)}


def _lockstep(runs):
    """The same models as one run."""
    members = ensemble_of(runs.predictions)
    of_run = {name: [found] for name, found in runs.ensemble.items()}
    return replace(runs, seeds=[(0, 1, 2)], predictions=[members], figures=of_run, ensemble={})


def found_of(by_setting, **changes):
    settings = settings_of("smoke", Sources())
    part = InMemory("a", torch.arange(2), torch.arange(2), ("a", "b"), _pixels(2))
    data, chosen = Data("a", part, part, part), Chosen(0.1, 0.2, 0.2)
    return Found(
        "smoke",
        {
            name: Evaluated(replace(settings[name], **changes), data, chosen, runs)
            for name, runs in by_setting.items()
        },
    )


def _pixels(N):
    return torch.zeros(N, 1, 8, 8, dtype=torch.uint8)


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
        rows = [
            numbers for key, numbers in paper.items() if key not in ("ar-adals", "vanilla + ets")
        ]
        for column in columns(*rows[:3]):
            assert column in text
    for number in [*table3.SINGLE["ar-adals"], *table2.PAPER["vanilla + ets"], *table2.ENSEMBLE]:
        assert number in text
    for key in ("on-the-fly", "mixup", "ccat"):
        assert all(number in text for number in table2.PAPER[key])
    for column in columns(*(table3.ENSEMBLES[key] for key in ("vanilla", "ls", "adals"))):
        assert column in text
    for column in columns(*(table3.ENSEMBLES[key] for key in ("ar-adals", "of-ensemble"))):
        assert column in text
    for accuracy, corrupted, ece, shifted in table4.PAPER.values():
        assert f"{accuracy}/{corrupted}\n{ece}/{shifted}" in text
    for of_data in zip(*table5.PAPER.values(), strict=True):
        for column in columns(*of_data):
            assert column in text
    for _, accuracy in table1.PAPER.values():
        assert f"\n{accuracy}%" in text


@pytest.fixture
def vanilla(made, by_gap):
    """Runs whose confidence on 10 training images lies on disk: seed s is sure of 9 - s of them."""
    train = InMemory("a", torch.arange(10), torch.arange(10) % 2, ("a", "b"), _pixels(10))
    for seed, folder in enumerate(by_gap[0].folders):
        folder.checkpoint.write_bytes(bytes([seed]))
        p = torch.full((10, 1), 0.98)
        p[: 9 - seed] = 0.995
        logits = torch.cat([p, 1 - p], dim=1).log()[None]
        tensors = {"ids": train.ids, "labels": train.labels, "logits": logits}
        about = {"data": train.fingerprint(), "model": fingerprint_of(folder)}
        save_tensors(folder.predictions("train-every-1"), tensors, **about)
    attacked = [
        replace(scores, success=torch.arange(120) > seed)
        for seed, scores in enumerate(by_gap[0].robustness)
    ]
    return replace(by_gap[0], robustness=attacked), train


def test_table_1_is_of_vanilla(vanilla):
    runs, train = vanilla
    found = found_of({RESNET: {"vanilla": runs}})
    first = found.settings[RESNET]
    found = replace(found, settings={RESNET: replace(first, data=replace(first.data, train=train))})
    result = table1.ITEM.make(found)
    (table,) = result.tables
    (name, (accuracy, gap, attacked, sure)) = table.rows[0]
    assert (name, accuracy.paper) == ("CIFAR-10, ResNet-29 (here small)", "91.4")
    assert values_of(accuracy) == tuple(one["accuracy"] for one in runs.figures["test"])
    assert values_of(gap) == tuple(one["gap"] for one in runs.figures["test"])
    assert (
        attacked.text
        == f"{100 * mean([119, 118, 117]) / 120:.2f} ± {100 * stdev([1, 2, 3]) / 120:.2f}"
    )
    assert values_of(sure) == pytest.approx((0.9, 0.8, 0.7))
    assert holds(result, "Vanilla reaches 91.4 %") is None, "another network, fewer images"
    assert holds(result, "over-confident") is True
    assert holds(result, "The attack always") is False
    assert "6 of 360 attacks failed" in [claim.because for claim in result.claims]
    assert holds(result, "no good order") is False
    assert "CIFAR-100, WRN-28-10: not run at this scale." in result.notes


@pytest.mark.parametrize(("accuracy", "reached"), [(0.91, True), (0.90, False)])
def test_table_1_compares_accuracy_of_the_papers_own_network(vanilla, accuracy, reached):
    runs, train = vanilla
    robustness = [replace(scores, success=torch.ones(120).bool()) for scores in runs.robustness]
    of_test = [one | {"accuracy": accuracy, "gap": -0.01} for one in runs.figures["test"]]
    runs = replace(runs, robustness=robustness, figures={"test": of_test})
    whole = settings_of("paper", Sources())[RESNET].run
    found = found_of({RESNET: {"vanilla": runs}}, run=whole)
    first = found.settings[RESNET]
    found = replace(found, settings={RESNET: replace(first, data=replace(first.data, train=train))})
    result = table1.ITEM.make(found)
    assert holds(result, "Vanilla reaches 91.4 %") is reached
    assert holds(result, "over-confident") is False
    assert holds(result, "The attack always") is True


def test_table_2_claims_go_the_papers_way(keys):
    result = table2.ITEM.make(found_of({WIDE: keys, HUNDRED: keys}))
    assert holds(result, "AR-AdaLS has a lower ECE than mixup", "CIFAR-10,") is True
    assert holds(result, "mixup has a lower ECE than AR-AdaLS", "CIFAR-100") is False
    assert holds(result, "Ensemble of Vanilla has a lower ECE than AR-AdaLS", "CIFAR-100") is False
    assert holds(result, "accuracy", "CIFAR-100") is True, "the same images are wrong"
    ten, hundred = cells_of(result.tables[0], "AR-AdaLS (on-the-fly)")
    assert (ten.paper, hundred.paper) == ("0.64±0.02", "2.27±0.16")
    other = keys | {"on-the-fly": keys["vanilla"], "vanilla": keys["on-the-fly"]}
    result = table2.ITEM.make(found_of({WIDE: other}))
    assert holds(result, "AR-AdaLS has a lower ECE than Vanilla") is False


def over(runs, measure, sets=SHIFTED, seed=0):
    return mean(runs.figures[name][seed][measure] for name in sets)


def test_table_3_is_the_mean_over_corrupted_sets(keys):
    result = table3.ITEM.make(found_of({RESNET: keys}))
    single, together = result.tables
    assert single.columns[:2] == ["ECE, 2 types", "ECE, 1 type without the extra"]
    cells = cells_of(single, "Label Smoothing")
    ls, scaled = keys["ls"], keys["ls + temperature"]
    expected = [
        [over(ls, "ece", seed=seed) for seed in range(3)],
        [over(ls, "ece", SETS[1:3], seed) for seed in range(3)],
        [over(scaled, "ece", seed=seed) for seed in range(3)],
        [over(ls, "gap", seed=seed) for seed in range(3)],
        [over(scaled, "gap", seed=seed) for seed in range(3)],
    ]
    for cell, values in zip(cells, expected, strict=True):
        assert values_of(cell) == pytest.approx(values)
        assert cell.text == f"{100 * mean(values):.2f} ± {100 * stdev(values):.2f}"
    assert [cell.paper for cell in cells] == ["10.1±0.4", None, None, None, None]
    averaged = mean(ls.ensemble[name]["ece"] for name in SHIFTED)
    (first, *_) = cells_of(together, "Ensemble of Label Smoothing")
    assert (first.paper, values_of(first)) == ("4.6", pytest.approx((averaged,)))
    lockstep = mean(keys["on-the-fly"].ensemble[name]["ece"] for name in SHIFTED)
    (first, *_) = cells_of(together, "AR-AdaLS of Ensemble")
    assert (first.paper, values_of(first)) == ("4.4", pytest.approx((lockstep,)))
    assert cells_of(single, "AR-AdaLS, random order")[0].paper is None


def test_table_3_claims(keys):
    result = table3.ITEM.make(found_of({RESNET: keys}))
    order = "AR-AdaLS (pre-compute), AdaLS, Label Smoothing, Vanilla"
    assert holds(result, "Single models from best to worst", order) is True
    assert holds(result, "than AdaLS (CIFAR-10") is True
    assert holds(result, "random order, not in the paper") is True
    assert holds(result, "margin order, not in the paper") is False, "the same runs"
    assert holds(result, "than Vanilla, both after temperature scaling") is True
    assert holds(result, "significantly better") is True
    swapped = keys | {"ar-adals": keys["vanilla"], "vanilla": keys["ar-adals"]}
    result = table3.ITEM.make(found_of({RESNET: swapped}))
    assert holds(result, "Single models from best to worst") is False
    assert holds(result, "than AdaLS (CIFAR-10") is False
    assert holds(result, "significantly better") is False
    assert holds(result, "than Vanilla, both after temperature scaling") is True, "not swapped"


def test_a_single_ar_adals_is_comparable_within_its_deviation(keys):
    ours = [over(keys["ar-adals"], "ece", seed=seed) for seed in range(3)]
    for below, held in ((0.9, True), (1.1, False)):
        ece = mean(ours) - below * stdev(ours)
        of_ensemble = {name: {"ece": ece, "gap": 0.0} for name in SETS}
        vanilla = replace(keys["vanilla"], ensemble=of_ensemble)
        result = table3.ITEM.make(found_of({RESNET: keys | {"vanilla": vanilla}}))
        assert holds(result, "A single AR-AdaLS is comparable") is held


def test_table_3_claims_of_ensembles(keys):
    lower = {"ece": 0.01, "gap": 0.0}
    best = replace(keys["of-ensemble"], figures={name: [lower] for name in SETS})
    result = table3.ITEM.make(found_of({RESNET: keys | {"of-ensemble": best}}))
    others = ("Vanilla", "Label Smoothing", "AdaLS", "AR-AdaLS (pre-compute)")
    for other in others:
        assert holds(
            result,
            f"AR-AdaLS of Ensemble has a lower mean ECE under shift than Ensemble of {other} (C",
        )
    higher = replace(best, figures={name: [{"ece": 0.9, "gap": 0.0}] for name in SETS})
    result = table3.ITEM.make(found_of({RESNET: keys | {"of-ensemble": higher}}))
    for other in others:
        assert not holds(
            result,
            f"AR-AdaLS of Ensemble has a lower mean ECE under shift than Ensemble of {other} (C",
        )


@pytest.fixture(scope="module")
def of_one_seed(made):
    one = made.runs(seeds=(0,), sets=SETS)
    found = found_of({RESNET: {}}, seeds=(0,))
    keys = {key for item in (table2, table3) for need in item.needs({}) for key in need.keys}
    keys = dict.fromkeys(keys, one) | {"of-ensemble": _lockstep(made.runs(sets=SETS))}
    evaluated = found.settings[RESNET]
    settings = {name: replace(evaluated, runs=keys) for name in (RESNET, WIDE)}
    return Found("smoke", settings)


@pytest.mark.parametrize("table", [table2, table3])
def test_one_seed_has_no_ensemble(of_one_seed, table):
    result = table.make(of_one_seed)
    of_ensemble = [claim for claim in result.claims if "nsemble" in claim.text]
    assert of_ensemble
    assert {claim.because for claim in of_ensemble} == {"one seed has no ensemble"}
    rows = dict(row for one in result.tables for row in one.rows)
    assert rows["Ensemble of Vanilla"][0].text == "–"


def test_table_4_is_clean_and_corrupted(keys):
    result = table4.ITEM.make(found_of({WIDE: keys, HUNDRED: keys}))
    hundred, ten = result.tables
    assert (hundred.title, ten.title) == ("CIFAR-100, WRN-28-10", "CIFAR-10, WRN-28-10")
    cells = cells_of(hundred, "AR-AdaLS (on-the-fly)")
    assert [cell.paper for cell in cells] == ["79.2", "52.1", "2.3", "13.2"]
    assert {cell.paper for _, row in ten.rows for cell in row} == {None}
    runs = keys["on-the-fly"]
    expected = [
        runs.figures["test"][1]["accuracy"],
        over(runs, "accuracy", seed=1),
        runs.figures["test"][1]["ece"],
        over(runs, "ece", seed=1),
    ]
    assert [values_of(cell)[1] for cell in cells] == pytest.approx(expected)
    fly, before = "AR-AdaLS (on-the-fly) has", "AR-AdaLS (pre-compute) has"
    assert holds(result, fly, "than AR-AdaLS (pre-compute) under shift", "CIFAR-100") is True
    assert holds(result, before, "than Label Smoothing (CIFAR-10,") is True
    other = keys | {"on-the-fly": keys["vanilla"], "ls": keys["on-the-fly"]}
    result = table4.ITEM.make(found_of({HUNDRED: other}))
    assert holds(result, fly, "than AR-AdaLS (pre-compute) under shift") is False
    assert holds(result, before, "than Label Smoothing (CIFAR-100,") is False
    assert "CIFAR-10, WRN-28-10: not run at this scale." in result.notes


def test_table_5_is_by_intensity(keys):
    result = table5.ITEM.make(found_of({RESNET: keys}))
    assert len(result.tables) == 4
    stable = keys["ls"].stability
    for table, measure in zip(result.tables, table5.STABILITY, strict=True):
        cells = cells_of(table, "Label Smoothing")
        one, three, other = (stable[name][measure] for name in SHIFTED)
        at = [None if cell.ours is None else cell.ours.mean for cell in cells]
        assert [at[0], at[2], at[5]] == pytest.approx(
            [one, (three + other) / 2, (one + three + other) / 3]
        )
        assert at[1] is at[3] is at[4] is None
    first, *_, last = cells_of(result.tables[0], "Label Smoothing")
    assert (first.paper, last.paper) == ("5.54", "8.41")
    assert {cell.paper for _, row in result.tables[3].rows for cell in row} == {None}


@pytest.mark.parametrize(
    ("factor", "held"), [(0.6, (True, True)), (0.7, (True, False)), (1.2, (False, False))]
)
def test_table_5_claims_are_ratios_to_vanilla(keys, factor, held):
    vanilla = keys["vanilla"]
    less = {
        name: {measure: factor * value for measure, value in found.items()}
        for name, found in vanilla.stability.items()
    }
    result = table5.ITEM.make(
        found_of({RESNET: keys | {"ar-adals": replace(vanilla, stability=less)}})
    )
    assert holds(result, "lower mean variance than Vanilla") is held[0]
    assert holds(result, "at most 0.52 of Vanilla's") is held[1]
    (claim,) = [claim for claim in result.claims if "0.52" in claim.text]
    assert claim.because == f"{factor:.2f}; in the two other readings {factor:.2f} and {factor:.2f}"
    (claim,) = [claim for claim in result.claims if "than Vanilla" in claim.text]
    assert claim.because.endswith(f"lower on {3 * held[0]} of 3 corrupted sets")


@pytest.mark.parametrize("name", ["table2", "table3", "table4", "table5"])
def test_pages_say_what_was_measured(keys, name):
    result = ITEMS[name].make(found_of({RESNET: keys, WIDE: keys, HUNDRED: keys}))
    page = as_markdown(result, "smoke")
    assert "embedded images" in page
    assert "(paper " in page
    if name != "table2":
        sets = "2 of 19 types with intensities (fog 1, 3; spatter 3)"
        assert sets in page
    if name in ("table3", "table5"):
        assert "ImageNet, ResNet-101: not run at this scale." in page
    assert as_json(result)["name"] == name
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    columns = {line.count(" | ") for line in rows}
    assert len(rows) > 5
    assert min(columns) >= 1


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        (("test",), "nothing"),
        (("test", "test-fog-2"), "1 of 19 types (fog), intensities 2"),
        (
            ("test", *(f"test-{type}-{i}" for type in ("fog", "snow") for i in range(1, 6))),
            "2 of 19 types (fog, snow), all five intensities",
        ),
    ],
)
def test_what_was_evaluated_is_read_from_the_runs(made, by_gap, sets, words):
    found = [figures(Predictions(torch.arange(2), torch.arange(2), torch.eye(2)[None]))]
    assert shift_of(replace(by_gap[0], figures=dict.fromkeys(sets, found))) == words
