"""The paper's figures from made-up runs: drawn, with the right numbers, and verdicts both ways."""

import json
import math
from dataclasses import replace
from itertools import pairwise

import matplotlib as mpl
import pytest
import torch
from made_up import OTHER, N, lockstep, runs, strange

from arcal.data import Data
from arcal.paper import ITEMS
from arcal.paper.item import Evaluated, Found
from arcal.paper.result import as_json, as_markdown
from arcal.paper.scales import Chosen, Sources, settings_of
from arcal.report.drawing import STYLE

FIGURES = [f"figure{n}" for n in range(1, 9)]
TYPES = ("gaussian_noise", "fog", "contrast")
FIRST = "cifar10-resnet29"
SHIFTED = ("test", *(f"test-{type}-{intensity}" for type in TYPES for intensity in range(1, 6)))


@pytest.fixture(scope="module")
def found():
    """AR-AdaLS is the best calibrated, LS better than Vanilla."""
    torch.set_num_threads(1)
    vanilla = runs("vanilla", 0.4, sets=SHIFTED)
    ls = runs("label-smoothing", 0.2, sets=SHIFTED)
    ours = runs("ar-adals", -0.05, sets=SHIFTED)
    first = {
        "vanilla": vanilla,
        "ls": ls,
        "adals": ls,
        "ar-adals": ours,
        "of-ensemble": lockstep(0.02, sets=SHIFTED),
        "R=1": vanilla,
        "R=2": ls,
        "R=10": ours,
        "R=16": ours,
    }
    gaps = {"vanilla": 0.4, "ls": 0.25, "mixup": 0.2, "on-the-fly": 0.0}
    second = {key: runs(key, gap, ood=True) for key, gap in gaps.items()}
    return found_of({FIRST: first, "cifar10-wrn": second, "cifar100-wrn": {"vanilla": vanilla}})


@pytest.fixture(scope="module")
def alone():
    """One run each."""
    one = runs(seeds=(0,), sets=SHIFTED, ood=True)
    keys = ("vanilla", "ls", "adals", "ar-adals", "of-ensemble", "R=1", "R=2", "R=10", "R=16")
    others = dict.fromkeys(("vanilla", "ls", "mixup", "on-the-fly"), one)
    found = found_of({FIRST: dict.fromkeys(keys, one), "cifar10-wrn": others})
    settings = {
        name: replace(evaluated, setting=replace(evaluated.setting, seeds=(0,)))
        for name, evaluated in found.settings.items()
    }
    return replace(found, settings=settings)


def found_of(evaluated):
    settings = settings_of("smoke", Sources())
    data, chosen = Data("other", OTHER, OTHER, OTHER), Chosen(0.1, 0.2, 0.2)
    return Found(
        "smoke",
        {
            name: Evaluated(replace(settings[name], levels=(1, 2, 10, 16)), data, chosen, by_key)
            for name, by_key in evaluated.items()
        },
    )


def swapped(found, setting, a, b):
    """The same with the runs of two keys exchanged."""
    runs = found.settings[setting].runs
    return given(found, setting, **{a: runs[b], b: runs[a]})


def given(found, setting, **changed):
    """The same with other runs of some keys."""
    of_setting = found.settings[setting]
    of_setting = replace(of_setting, runs={**of_setting.runs, **changed})
    return replace(found, settings={**found.settings, setting: of_setting})


def make(name, found):
    return ITEMS[name].make(found)


def verdicts(name, found):
    """By the claim without the setting's name."""
    claims = make(name, found).claims
    return {c.text.replace(" (CIFAR-10, ResNet-29)", ""): c.verdict for c in claims}


@pytest.fixture(scope="module")
def before(found):
    """The verdicts of each figure."""
    return {name: verdicts(name, found) for name in FIGURES}


def lost(before, name, other):
    """The claims that hold, and do not with other runs."""
    after = verdicts(name, other)
    verdict = {text: (was, after[text]) for text, was in before[name].items()}
    return {text for text, pair in verdict.items() if pair == ("holds", "does not hold")}


def cell(result, table, row, column):
    return dict(result.tables[table].rows)[row][column].ours.values


@pytest.mark.parametrize("name", FIGURES)
def test_drawn_with_table_and_claims(name, found):
    result = make(name, found)
    assert [name] == list(result.pictures) == [result.name]
    with mpl.rc_context(STYLE):
        figure = result.pictures[name]()
        figure.set_layout_engine("none")  # the layout takes most of the time
        figure.draw_without_rendering()
    assert result.claims
    assert result.tables
    json.dumps(as_json(result), allow_nan=False)
    page = as_markdown(result, "smoke")
    assert f"![{name}]({name}.svg)" in page
    assert "nan" not in page


@pytest.mark.parametrize("name", FIGURES)
def test_a_setting_that_is_not_there_is_said(name):
    result = make(name, Found("smoke", {}))
    assert (result.pictures, result.claims, result.tables) == ({}, [], [])
    assert "not run at this scale" in result.notes[0]


@pytest.mark.parametrize("name", FIGURES)
def test_one_seed_is_enough_where_nothing_is_compared(name, alone):
    result = make(name, alone)
    needs_several = name in ("figure3", "figure6", "figure7", "figure8")
    assert bool(result.pictures) != needs_several
    assert ("one seed has neither" in " ".join(result.notes)) == needs_several
    with mpl.rc_context(STYLE):
        for draw in result.pictures.values():
            assert draw().axes
    assert verdicts(name, alone).get("variance falls with robustness") in (None, "not told")


@pytest.mark.parametrize("name", ["figure3", "figure5", "figure6"])
def test_few_types_are_said(name, found):
    assert "3 of 19 types (gaussian_noise, fog, contrast)" in make(name, found).notes[0]


def test_needs_are_what_is_used(found, before):
    """Each figure is made of nothing but the runs that it asks for."""
    settings = {name: evaluated.setting for name, evaluated in found.settings.items()}
    for name in FIGURES:
        needs = {need.setting: need.keys for need in ITEMS[name].needs(settings)}
        asked = {
            setting: {key: found.of(setting, key) for key in keys}
            for setting, keys in needs.items()
            if found.has(setting)
        }
        assert verdicts(name, found_of(asked)) == before[name]


def test_the_other_data_of_smoke_is_never_trained_on():
    setting = settings_of("smoke", Sources())["cifar10-wrn"]
    assert setting.ood == setting.run.data
    assert sorted((setting.ood_classes or ()) + (setting.run.classes or ())) == list(range(10))


def test_figure_1_by_hand(found):
    result = make("figure1", found)
    vanilla = found.of(FIRST, "vanilla")
    weakest = [scores.robustness.argsort()[: N // 10] for scores in vanilla.robustness]
    correct, sure = [], []
    for at, predictions in zip(weakest, vanilla.predictions, strict=True):
        p = predictions.logits[0, at].double().softmax(dim=1)
        correct.append((p.argmax(1) == predictions.labels[at]).double().mean().item())
        sure.append(p.amax(1).mean().item())
    assert cell(result, 0, "accuracy", 0) == pytest.approx(correct)
    assert cell(result, 0, "confidence", 0) == pytest.approx(sure)
    assert cell(result, 0, "ECE", 0) == pytest.approx(
        [b - a for a, b in zip(correct, sure, strict=True)]
    ), "all of its images share one bin"
    variances = [cell(result, 0, "variance", r)[0] for r in range(10)]
    assert sum(variances) / 10 == pytest.approx(vanilla.stability["test"]["variance_all_classes"])


def test_figure_1_both_ways(found, before):
    assert set(before["figure1"].values()) == {"holds"}
    vanilla = found.of(FIRST, "vanilla")
    backwards = [replace(scores, robustness=-scores.robustness) for scores in vanilla.robustness]
    other = given(found, FIRST, vanilla=replace(vanilla, robustness=backwards))
    assert lost(before, "figure1", other) == {
        "accuracy rises with robustness",
        "confidence rises with robustness",
        "ECE falls with robustness",
        "variance falls with robustness",
    }
    other = given(found, FIRST, vanilla=found.of(FIRST, "ar-adals"))
    assert "confidence is above accuracy in each level" in lost(before, "figure1", other)


def test_figure_2_both_ways(found, before):
    assert set(before["figure2"].values()) == {"holds"}
    flipped = lost(before, "figure2", swapped(found, FIRST, "ls", "ar-adals"))
    assert flipped == {text for text in before["figure2"] if "Vanilla" not in text}
    flipped = lost(before, "figure2", swapped(found, FIRST, "vanilla", "ar-adals"))
    assert {text for text in before["figure2"] if "Vanilla" in text} < flipped


def test_figure_2_low_levels_are_three(found):
    result = make("figure2", found)
    ls, ours = (
        torch.tensor([cell(result, table, "ECE", r) for r in range(3)]).mean() for table in (1, 2)
    )
    assert f"{100 * ours:.2f} against {100 * ls:.2f}" in result.claims[0].because


def test_figure_3_by_hand(found):
    result = make("figure3", found)
    vanilla = found.of(FIRST, "vanilla")
    p = torch.stack([one.logits[0].double().softmax(dim=1) for one in vanilla.predictions])
    clean = ((p - p.mean(0)) ** 2).sum(dim=(0, 2)).mean() / (len(p) - 1)
    assert cell(result, 0, "Vanilla", 0) == pytest.approx((clean.item(),))
    third = [vanilla.stability[f"test-{type}-3"]["variance_all_classes"] for type in TYPES]
    assert cell(result, 0, "Vanilla", 3) == pytest.approx(third)


def test_figure_3_draws_quartiles_and_few_types_as_points(found):
    with mpl.rc_context(STYLE):
        axes = make("figure3", found).pictures["figure3"]().axes[0]
    stability = found.of(FIRST, "vanilla").stability
    first = sorted(stability[f"test-{type}-1"]["variance_all_classes"] for type in TYPES)
    box = axes.patches[0].get_path().get_extents()  # Vanilla at intensity 1
    assert [box.y0, box.y1] == pytest.approx([(a + b) / 2 for a, b in pairwise(first)])
    drawn = [sorted(torch.as_tensor(line.get_ydata()).tolist()) for line in axes.lines]
    assert pytest.approx(first) in drawn


def test_figure_3_both_ways(found, before):
    assert set(before["figure3"].values()) == {"holds"}
    flipped = lost(before, "figure3", swapped(found, FIRST, "ls", "ar-adals"))
    text = "AR-AdaLS has a lower variance than LS"
    assert flipped == {f"{text} on clean data", f"{text} under shift", f"{text} at each intensity"}


def test_figure_4_has_both_scores_beside_the_paper(found):
    result = make("figure4", found)
    ours = found.of("cifar10-wrn", "on-the-fly").ood[0]
    name = "AR-AdaLS (on-the-fly)"
    assert cell(result, 0, name, 0) == tuple(one.auroc_confidence for one in ours.runs)
    assert cell(result, 0, name, 1) == tuple(one.auroc_entropy for one in ours.runs)
    papers = [found.paper for found in dict(result.tables[0].rows)[name]]
    assert papers == ["0.885±0.003", "0.885±0.003", None]
    assert "of 4 classes that no model was trained on" in result.notes[1]


def test_figure_4_counts_low_entropies(found):
    p = strange(0, 0.4).logits[0].double().softmax(dim=1)
    entropy = -(p * p.log()).sum(dim=1)
    share = (entropy < 0.1 * math.log(4)).double().mean().item()
    assert 0 < share < 1
    assert cell(make("figure4", found), 0, "Vanilla", 2)[0] == pytest.approx(share)


def test_figure_4_both_ways(found, before):
    assert set(before["figure4"].values()) == {"holds"}
    flipped = lost(before, "figure4", swapped(found, "cifar10-wrn", "ls", "on-the-fly"))
    assert {text for text in before["figure4"] if "Label Smoothing" in text} <= flipped


def test_figure_4_without_other_data_is_not_drawn(found):
    runs = {key: replace(r, ood=[]) for key, r in found.settings["cifar10-wrn"].runs.items()}
    result = make("figure4", found_of({"cifar10-wrn": runs}))
    assert not result.pictures
    assert "No other data" in result.notes[-1]


def test_figure_5_by_hand(found):
    result = make("figure5", found)
    figures = found.of(FIRST, "R=2").figures
    assert cell(result, 0, "clean", 1) == tuple(one["ece"] for one in figures["test"])
    means = [sum(figures[name][i]["ece"] for name in SHIFTED[1:]) / 15 for i in range(3)]
    assert cell(result, 0, "corrupted", 1) == pytest.approx(means)


def test_figure_5_both_ways(found, before):
    assert set(before["figure5"].values()) == {"holds"}
    rising = verdicts("figure5", swapped(found, FIRST, "R=1", "R=10"))
    drop, stable = (
        "ECE drops from R = 1 to 10 on the {} test set",
        "ECE is stable from R = 10 to 16 ({})",
    )
    for title in ("clean", "corrupted"):
        assert rising[drop.format(title)] == "does not hold"
        assert rising[stable.format(title)] == "not told", "there is no drop to compare with"
    other = lost(before, "figure5", swapped(found, FIRST, "R=2", "R=16"))
    assert other == {stable.format("corrupted")}


def test_figure_6_by_hand(found):
    result = make("figure6", found)
    ls = found.of(FIRST, "ls")
    fog = [one["ece"] for one in ls.figures["test-fog-4"]]
    assert cell(result, 0, "LS", 4)[1] == pytest.approx(sum(fog) / 3)
    together = ls.ensemble["test-fog-4"]["accuracy"]
    assert cell(result, 1, "Ensemble of LS", 4)[1] == pytest.approx(together)
    (joint,) = found.of(FIRST, "of-ensemble").figures["test-fog-4"]
    assert cell(result, 0, "AR-AdaLS of Ensemble", 4)[1] == joint["ece"]


def test_figure_6_best_both_ways(found):
    best = "AR-AdaLS of Ensemble has the lowest ECE everywhere"
    ours = found.of(FIRST, "of-ensemble")
    for ece, verdict, count in ((0.0, "holds", 6), (0.9, "does not hold", 0)):
        figures = {name: [of_set[0] | {"ece": ece}] for name, of_set in ours.figures.items()}
        other = given(found, FIRST, **{"of-ensemble": replace(ours, figures=figures)})
        assert verdicts("figure6", other)[best] == verdict
        assert make("figure6", other).claims[0].because.startswith(f"in {count} of 6 places")


def test_figure_6_ensembles_both_ways(found, before):
    harms, helps = (
        "ensembling AR-AdaLS harms its ECE on clean data",
        "ensembling AR-AdaLS improves its ECE at intensity 5",
    )
    holds = before["figure6"]
    assert holds[harms] == holds[helps] == "holds"
    assert harms in lost(before, "figure6", swapped(found, FIRST, "vanilla", "ar-adals"))
    similar = "all ensembles have similar accuracy"
    assert holds[similar] == "holds"
    ls = found.of(FIRST, "ls")
    worse = ls.ensemble | {"test": ls.ensemble["test"] | {"accuracy": 0.5}}
    other = given(found, FIRST, ls=replace(ls, ensemble=worse))
    assert similar in lost(before, "figure6", other)


def test_figure_7_single_models_of_a_lockstep_ensemble_are_its_members(found):
    result = make("figure7", found)
    (joint,) = found.of(FIRST, "of-ensemble").predictions
    p = joint.logits.double().softmax(dim=2)
    right = (p.argmax(2) == joint.labels).double().mean(1)
    row = [cell(result, 0, "AR-AdaLS of Ensemble", column) for column in range(4)]
    assert row[0] == pytest.approx(right.tolist())
    assert row[2] == pytest.approx(p.amax(2).mean(1).tolist())
    assert row[3] == pytest.approx([p.mean(0).amax(1).mean().item()])


def test_figure_7_both_ways(found, before):
    assert set(before["figure7"].values()) == {"holds"}
    vanilla = found.of(FIRST, "vanilla")
    alike = replace(vanilla, predictions=vanilla.predictions[:1] * 2)
    text = "Vanilla: single models are less accurate than their ensemble"
    assert text in lost(before, "figure7", given(found, FIRST, vanilla=alike))


def test_figure_8_gaps_by_hand(found):
    result = make("figure8", found)
    ours = found.of(FIRST, "ar-adals")
    gaps = [one["gap"] for one in ours.figures["test"]]
    assert cell(result, 0, "AR-AdaLS", 0) == pytest.approx(gaps)
    assert cell(result, 0, "AR-AdaLS", 1) == pytest.approx([ours.ensemble["test"]["gap"]])


def test_figure_8_both_ways(found, before):
    flipped = lost(before, "figure8", swapped(found, FIRST, "vanilla", "ar-adals"))
    assert flipped == {
        "Vanilla is over-confident",
        "its ensemble has a lower ECE than Vanilla",
        "the ensemble of AR-AdaLS is under-confident",
        "AR-AdaLS of Ensemble is less under-confident than the ensemble of AR-AdaLS",
    }


def test_figure_8_leaves_out_bins_with_few_images(found):
    with mpl.rc_context(STYLE):
        axes = make("figure8", found).pictures["figure8"]().axes[0]
    _, single, _ = (torch.as_tensor(line.get_ydata()) for line in axes.lines)
    p = torch.cat(
        [one.logits[0].double().softmax(1) for one in found.of(FIRST, "vanilla").predictions]
    )
    bins = (p.amax(1) * 15).ceil().long() - 1
    assert ((~single.isnan()) == (bins.bincount(minlength=15) >= 30)).all()
