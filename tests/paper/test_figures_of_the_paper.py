"""The paper's figures from made-up runs: drawn, with the right numbers, and verdicts both ways."""

import json
import math
from dataclasses import replace
from itertools import pairwise

import matplotlib as mpl
import pytest
import torch
from made_up import (
    HUNDRED,
    RESNET,
    WIDE,
    N,
    approx,
    changed,
    evaluated,
    every_run,
    given,
    lockstep,
    shifts,
    strange,
    subject,
)

from arcal.auditing import CLEAN, INTENSITIES, measure
from arcal.paper import ITEMS
from arcal.paper.result import as_json, as_markdown
from arcal.paper.scales import Sources, settings_of
from arcal.paper.variants import (
    ADALS,
    AR_ADALS,
    LS,
    MIXUP,
    OF_ENSEMBLE,
    ON_THE_FLY,
    VANILLA,
)
from arcal.report.plots import STYLE

FIGURES = [f"figure{n}" for n in range(1, 9)]
TYPES = ("gaussian_noise", "fog", "contrast")
SHIFTED = shifts(*(f"{type} {intensity}" for type in TYPES for intensity in INTENSITIES))
SETS = (CLEAN, *SHIFTED)
R1, R2, R10, R16 = map(AR_ADALS.with_levels, (1, 2, 10, 16))
(FOG_4,) = shifts("fog 4")


@pytest.fixture(scope="module")
def settings():
    """AR-AdaLS is the best calibrated, LS better than Vanilla."""
    torch.set_num_threads(1)
    vanilla, ls, ours = (subject(gap, sets=SETS) for gap in (0.4, 0.2, -0.05))
    first = {VANILLA: vanilla, LS: ls, ADALS: ls, AR_ADALS: ours}
    first |= {OF_ENSEMBLE: lockstep(0.02, sets=SETS), R1: vanilla, R2: ls, R10: ours, R16: ours}
    gaps = {VANILLA: 0.4, LS: 0.25, MIXUP: 0.2, ON_THE_FLY: 0.0}
    second = {variant: subject(gap, ood=True) for variant, gap in gaps.items()}
    by_setting = {RESNET: first, WIDE: second, HUNDRED: {VANILLA: vanilla}}
    return evaluated(by_setting, levels=(1, 2, 10, 16))


@pytest.fixture(scope="module")
def alone():
    """One run each."""
    one = subject(seeds=(0,), sets=SETS, ood=True)
    first = dict.fromkeys((VANILLA, LS, ADALS, AR_ADALS, OF_ENSEMBLE, R1, R2, R10, R16), one)
    second = dict.fromkeys((VANILLA, LS, MIXUP, ON_THE_FLY), one)
    return evaluated({RESNET: first, WIDE: second}, levels=(1, 2, 10, 16), seeds=(0,))


def swapped(settings, setting, a, b):
    """The same with the subjects of two variants exchanged."""
    subjects = settings[setting].subjects
    return given(settings, setting, {a: subjects[b], b: subjects[a]})


def make(name, settings):
    return ITEMS[name].make(settings)


def verdicts(name, settings):
    """By the claim without the setting's name."""
    claims = make(name, settings).claims
    return {c.text.replace(" (CIFAR-10, small network)", ""): c.verdict for c in claims}


@pytest.fixture(scope="module")
def before(settings):
    """The verdicts of each figure."""
    return {name: verdicts(name, settings) for name in FIGURES}


def lost(before, name, other):
    """The claims that hold, and do not with other subjects."""
    after = verdicts(name, other)
    verdict = {text: (was, after[text]) for text, was in before[name].items()}
    return {text for text, pair in verdict.items() if pair == ("holds", "does not hold")}


def cell(result, table, row, column):
    return dict(result.tables[table].rows)[row][column].ours.values


def drawn(result):
    assert result.picture is not None
    with mpl.rc_context(STYLE):
        return result.picture()


@pytest.mark.parametrize("name", FIGURES)
def test_drawn_with_table_and_claims(name, settings):
    result = make(name, settings)
    assert result.name == name
    figure = drawn(result)
    with mpl.rc_context(STYLE):
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
    result = make(name, {})
    assert (result.picture, result.claims, result.tables) == (None, [], [])
    assert "not run at this scale" in result.notes[0]


@pytest.mark.parametrize("name", FIGURES)
def test_one_seed_is_enough_where_nothing_is_compared(name, alone):
    result = make(name, alone)
    needs_several = name in ("figure3", "figure6", "figure7", "figure8")
    assert (result.picture is None) == needs_several
    assert ("one seed has neither" in " ".join(result.notes)) == needs_several
    assert needs_several or drawn(result).axes
    assert verdicts(name, alone).get("variance falls with robustness") in (None, "undecided")


@pytest.mark.parametrize("name", ["figure3", "figure5", "figure6"])
def test_few_types_are_said(name, settings):
    assert "3 of 19 types (gaussian_noise, fog, contrast)" in make(name, settings).notes[0]


def test_what_a_figure_needs_is_what_it_uses(settings, before):
    """Each figure is made of nothing but the subjects that it names."""
    for name in FIGURES:
        item = ITEMS[name]
        needed = {
            setting: replace(
                one, subjects={v: one.subject(v) for v in item.variants_on(one.setting)}
            )
            for setting, one in settings.items()
            if setting in item.settings
        }
        assert verdicts(name, needed) == before[name]


def test_the_other_data_of_smoke_is_never_trained_on():
    setting = settings_of("smoke", Sources())[WIDE]
    assert setting.ood == setting.run.data
    assert sorted((setting.ood_classes or ()) + (setting.run.classes or ())) == list(range(10))


def test_figure_1_by_hand(settings):
    result = make("figure1", settings)
    vanilla = settings[RESNET].subject(VANILLA)
    correct, sure = [], []
    for robustness, predictions in zip(vanilla.robustness, vanilla.clean, strict=True):
        weakest = robustness.robustness.argsort()[: N // 10]
        p = predictions.logits[0, weakest].double().softmax(dim=1)
        correct.append((p.argmax(1) == predictions.labels[weakest]).double().mean().item())
        sure.append(p.amax(1).mean().item())
    assert cell(result, 0, "accuracy", 0) == approx(correct)
    assert cell(result, 0, "confidence", 0) == approx(sure)
    assert cell(result, 0, "ECE", 0) == approx(
        [b - a for a, b in zip(correct, sure, strict=True)]
    ), "all of its images share one bin"
    variances = [cell(result, 0, "variance", r)[0] for r in range(10)]
    whole = vanilla.measures[CLEAN].stability["variance_all_classes"]
    assert sum(variances) / 10 == approx(whole)


def test_figure_1_both_ways(settings, before):
    assert set(before["figure1"].values()) == {"holds"}
    vanilla = settings[RESNET].subject(VANILLA)
    backwards = [replace(run, robustness=-run.robustness) for run in vanilla.robustness]
    other = given(settings, RESNET, {VANILLA: replace(vanilla, robustness=backwards)})
    assert lost(before, "figure1", other) == {
        "accuracy rises with robustness",
        "confidence rises with robustness",
        "ECE falls with robustness",
        "variance falls with robustness",
    }
    other = swapped(settings, RESNET, VANILLA, AR_ADALS)
    assert "confidence is above accuracy in each level" in lost(before, "figure1", other)
    result = make("figure1", other)
    gaps = [
        sum(cell(result, 0, "confidence", r)) / 3 - sum(cell(result, 0, "accuracy", r)) / 3
        for r in range(10)
    ]
    least = f"least in level {gaps.index(min(gaps))}, {100 * min(gaps):+.2f} points"
    assert result.claims[2].because == f"in {sum(g > 0 for g in gaps)} of 10 levels; {least}"


def test_figure_2_both_ways(settings, before):
    assert set(before["figure2"].values()) == {"holds"}
    flipped = lost(before, "figure2", swapped(settings, RESNET, LS, AR_ADALS))
    assert flipped == {text for text in before["figure2"] if "Vanilla" not in text}
    flipped = lost(before, "figure2", swapped(settings, RESNET, VANILLA, AR_ADALS))
    assert {text for text in before["figure2"] if "Vanilla" in text} < flipped


def test_figure_2_low_levels_are_three(settings):
    result = make("figure2", settings)
    ls, ours = (
        torch.tensor([cell(result, table, "ECE", r) for r in range(3)]).mean() for table in (1, 2)
    )
    assert f"{100 * ours:.2f} against {100 * ls:.2f}" in result.claims[0].because


def test_figure_3_by_hand(settings):
    result = make("figure3", settings)
    vanilla = settings[RESNET].subject(VANILLA)
    p = torch.stack([run.logits[0].double().softmax(dim=1) for run in vanilla.clean])
    clean = ((p - p.mean(0)) ** 2).sum(dim=(0, 2)).mean() / (len(p) - 1)
    assert cell(result, 0, "Vanilla", 0) == approx((clean.item(),))
    assert cell(result, 0, "Vanilla", 3) == approx(variances(vanilla, 3))


def variances(subject, intensity):
    """By type."""
    return [
        subject.measures[where].stability["variance_all_classes"]
        for where in SHIFTED
        if where.intensity == intensity
    ]


def test_figure_3_draws_quartiles_and_few_types_as_points(settings):
    axes = drawn(make("figure3", settings)).axes[0]
    first = sorted(variances(settings[RESNET].subject(VANILLA), 1))
    box = axes.patches[0].get_path().get_extents()  # Vanilla at intensity 1
    assert [box.y0, box.y1] == approx([(a + b) / 2 for a, b in pairwise(first)])
    points = [sorted(torch.as_tensor(line.get_ydata()).tolist()) for line in axes.lines]
    assert approx(first) in points


def test_figure_3_both_ways(settings, before):
    assert set(before["figure3"].values()) == {"holds"}
    flipped = lost(before, "figure3", swapped(settings, RESNET, LS, AR_ADALS))
    text = "AR-AdaLS has a lower variance than LS"
    assert flipped == {f"{text} on clean data", f"{text} under shift", f"{text} at each intensity"}


def test_figure_4_has_both_scores_beside_the_paper(settings):
    settings = evaluated({WIDE: settings[WIDE].subjects}, "smoke")  # which has other classes
    result = make("figure4", settings)
    (ours,) = settings[WIDE].subject(ON_THE_FLY).ood
    name = "AR-AdaLS (on-the-fly)"
    assert cell(result, 0, name, 0) == tuple(one.auroc_confidence for one in ours.runs)
    assert cell(result, 0, name, 1) == tuple(one.auroc_entropy for one in ours.runs)
    papers = [one.paper for one in dict(result.tables[0].rows)[name]]
    assert papers == ["0.885±0.003", "0.885±0.003", None]
    assert "of 4 classes that no model was trained on" in result.notes[1]


def test_figure_4_counts_low_entropies(settings):
    p = strange(0, 0.4).logits[0].double().softmax(dim=1)
    entropy = -(p * p.log()).sum(dim=1)
    share = (entropy < 0.1 * math.log(4)).double().mean().item()
    assert 0 < share < 1
    assert cell(make("figure4", settings), 0, "Vanilla", 2)[0] == approx(share)


def test_figure_4_both_ways(settings, before):
    assert set(before["figure4"].values()) == {"holds"}
    flipped = lost(before, "figure4", swapped(settings, WIDE, LS, ON_THE_FLY))
    assert {text for text in before["figure4"] if "Label Smoothing" in text} <= flipped


def test_figure_4_without_other_data_is_not_drawn(settings):
    subjects = {v: replace(one, ood=[]) for v, one in settings[WIDE].subjects.items()}
    result = make("figure4", evaluated({WIDE: subjects}))
    assert result.picture is None
    assert "No other data" in result.notes[-1]


def test_figure_5_by_hand(settings):
    result = make("figure5", settings)
    measures = settings[RESNET].subject(R2).measures
    assert cell(result, 0, "clean", 1) == approx([run["ece"] for run in measures[CLEAN].runs])
    means = [sum(measures[where].runs[i]["ece"] for where in SHIFTED) / 15 for i in range(3)]
    assert cell(result, 0, "corrupted", 1) == approx(means)


def test_figure_5_both_ways(settings, before):
    assert set(before["figure5"].values()) == {"holds"}
    rising = verdicts("figure5", swapped(settings, RESNET, R1, R10))
    drop, stable = (
        "ECE drops from R = 1 to 10 on the {} test set",
        "ECE is stable from R = 10 to 16 ({})",
    )
    for title in ("clean", "corrupted"):
        assert rising[drop.format(title)] == "does not hold"
        assert rising[stable.format(title)] == "undecided", "there is no drop to compare with"
    other = lost(before, "figure5", swapped(settings, RESNET, R2, R16))
    assert other == {stable.format("corrupted")}


def test_figure_6_by_hand(settings):
    result = make("figure6", settings)
    measures = settings[RESNET].subject(LS).measures[FOG_4]
    assert cell(result, 0, "LS", 4)[1] == approx(sum(r["ece"] for r in measures.runs) / 3)
    together = measures.ensemble["accuracy"]
    assert cell(result, 1, "Ensemble of LS", 4)[1] == approx(together)
    (joint,) = settings[RESNET].subject(OF_ENSEMBLE).measures[FOG_4].runs
    assert cell(result, 0, "AR-AdaLS of Ensemble", 4)[1] == approx(joint["ece"])


def test_figure_6_best_both_ways(settings):
    best = "AR-AdaLS of Ensemble has the lowest ECE everywhere"
    ours = settings[RESNET].subject(OF_ENSEMBLE)
    for ece, verdict, count in ((0.0, "holds", 6), (0.9, "does not hold", 0)):
        other = given(settings, RESNET, {OF_ENSEMBLE: changed(ours, every_run(ece=ece))})
        assert verdicts("figure6", other)[best] == verdict
        assert make("figure6", other).claims[0].because.startswith(f"in {count} of 6 places")


def test_figure_6_ensembles_both_ways(settings, before):
    harms, helps = (
        "ensembling AR-AdaLS harms its ECE on clean data",
        "ensembling AR-AdaLS improves its ECE at intensity 5",
    )
    holds = before["figure6"]
    assert holds[harms] == holds[helps] == "holds"
    assert harms in lost(before, "figure6", swapped(settings, RESNET, VANILLA, AR_ADALS))
    similar = "all ensembles have similar accuracy"
    assert holds[similar] == "holds"
    worse = changed(
        settings[RESNET].subject(LS),
        lambda one: replace(one, ensemble={**one.ensemble, "accuracy": 0.5}),
        sets=[CLEAN],
    )
    assert similar in lost(before, "figure6", given(settings, RESNET, {LS: worse}))


def test_figure_7_single_models_of_a_lockstep_ensemble_are_its_members(settings):
    result = make("figure7", settings)
    (joint,) = settings[RESNET].subject(OF_ENSEMBLE).clean
    p = joint.logits.double().softmax(dim=2)
    right = (p.argmax(2) == joint.labels).double().mean(1)
    row = [cell(result, 0, "AR-AdaLS of Ensemble", column) for column in range(4)]
    assert row[0] == approx(right.tolist())
    assert row[2] == approx(p.amax(2).mean(1).tolist())
    assert row[3] == approx([p.mean(0).amax(1).mean().item()])


def test_figure_7_both_ways(settings, before):
    assert set(before["figure7"].values()) == {"holds"}
    vanilla = settings[RESNET].subject(VANILLA)
    same = [*vanilla.clean[:1]] * 2
    measures = {**vanilla.measures, CLEAN: measure(same)}
    alike = replace(
        vanilla,
        predictions={CLEAN: same},
        measures={CLEAN: measures[CLEAN]},
        seeds=vanilla.seeds[:2],
        robustness=vanilla.robustness[:2],
        provenance=vanilla.provenance[:2],
    )
    text = "Vanilla: single models are less accurate than their ensemble"
    assert text in lost(before, "figure7", given(settings, RESNET, {VANILLA: alike}))


def test_figure_8_gaps_by_hand(settings):
    result = make("figure8", settings)
    measures = settings[RESNET].subject(AR_ADALS).measures[CLEAN]
    assert cell(result, 0, "AR-AdaLS", 0) == approx([run["gap"] for run in measures.runs])
    assert cell(result, 0, "AR-AdaLS", 1) == approx([measures.ensemble["gap"]])


def test_figure_8_both_ways(settings, before):
    flipped = lost(before, "figure8", swapped(settings, RESNET, VANILLA, AR_ADALS))
    assert flipped == {
        "Vanilla is over-confident",
        "its ensemble has a lower ECE than Vanilla",
        "the ensemble of AR-AdaLS is under-confident",
        "AR-AdaLS of Ensemble is less under-confident than the ensemble of AR-AdaLS",
    }


def test_figure_8_leaves_out_bins_with_few_images(settings):
    axes = drawn(make("figure8", settings)).axes[0]
    _, single, _ = (torch.as_tensor(line.get_ydata()) for line in axes.lines)
    runs = settings[RESNET].subject(VANILLA).clean
    p = torch.cat([run.logits[0].double().softmax(1) for run in runs])
    bins = (p.amax(1) * 15).ceil().long() - 1
    assert ((~single.isnan()) == (bins.bincount(minlength=15) >= 30)).all()
