"""The demo: what it writes, on few images; and, of minutes, what it must show on all of them."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from scipy.stats import spearmanr

from arcal.attacks import BoundaryProjection
from arcal.compute import Compute
from arcal.data import as_input
from arcal.demo import RANKING, VANILLA, demo
from arcal.store import RunFolder
from arcal.training import data_of, model_of, score_run
from tests.audits.numbers_of_a_page import numbers, payload_of


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The subjects, what the page draws, its figures and the audit's, of little work."""
    out = tmp_path_factory.mktemp("demo")
    few = {"images": 80, "validation": 40, "test_images": 50}
    vanilla = replace(VANILLA, recipe=VANILLA.recipe.shortened(2), **few)
    subjects, page, audit = demo(out, seeds=(1, 0), vanilla=vanilla, compute=Compute(threads=1))
    assert audit == out / "audit" / "index.html"
    figures = json.loads((page.parent / "figures.json").read_text())
    return (
        subjects,
        payload_of(page),
        figures,
        json.loads((out / "audit" / "audit.json").read_text()),
    )


def test_three_methods_of_every_seed_on_two_sets(small):
    subjects, _, figures, _ = small
    assert [len(subject.seeds) for subject in subjects] == [2, 2, 2]
    for method in figures["methods"]:
        assert set(method["sets"]) == {"test", "test-gaussian_noise-3"}
        assert len(method["levels"]["gap"]) == 2
        assert all(len(gap) == 10 for gap in method["levels"]["gap"])


def test_the_page_explores_the_first_run_of_each_with_its_images(small):
    subjects, page, *_ = small
    assert len(page["models"]) == 3
    assert numbers(page["inputs"]["id"]).tolist() == sorted(subjects[0].clean[0].ids.tolist())
    assert page["images"]["width"] == 28
    for model, subject in zip(page["models"], subjects, strict=True):
        assert model["name"].endswith(f", seed {subject.seeds[0][0]}")


def test_it_ends_with_an_audit_of_vanilla_and_ar_adals(small):
    *_, found = small
    assert [model["name"] for model in found["models"]] == ["vanilla", "AR-AdaLS"]
    assert found["data"]["n"] == 50
    methods = [model["facts"]["Method"] for model in found["models"]]
    assert methods[0] == "vanilla"
    assert methods[1].startswith("ar-adals")
    assert all(model["levels"] and model["shift"] for model in found["models"])


def test_epsilon_is_the_best_on_validation_and_alpha_is_not_chosen(small):
    _, _, figures, _ = small
    notes = " ".join(figures["notes"])
    assert "Chosen on validation, seed 1" in notes
    assert "Nothing was chosen on a test set" in notes
    (listed,) = re.findall(r"epsilon of label smoothing ([\d.]+) \((.*?)\)", notes)
    tried = {e: float(ece) for e, ece in (pair.split(": ") for pair in listed[1].split(", "))}
    assert len(tried) >= 3
    assert tried[listed[0]] == min(tried.values())
    _, smoothing, adaptive = (method["label"] for method in figures["methods"])
    assert f"epsilon {listed[0]}" in smoothing
    assert "alpha auto" in adaptive


def test_the_headline_is_that_of_the_figures(small):
    """Whoever wins: words and amounts, worked out anew from what figures.json has."""
    _, page, figures, _ = small
    headline, remarks = page["sentence"], page["comparison"]["remarks"]
    methods = figures["methods"]
    titles = {"vanilla": "Vanilla", "label-smoothing": "Label smoothing", "ar-adals": "AR-AdaLS"}
    names = [titles[method["label"].split(" ")[0]] for method in methods]
    clean, shifted = re.split("[;,] (?=(?:and )?under)", headline)
    sets = {
        "test": ("On the clean test set", clean),
        "test-gaussian_noise-3": ("Under Gaussian noise of intensity 3", shifted),
    }
    for name, (where, sentence) in sets.items():
        values = [method["sets"][name]["ece"]["values"] for method in methods]
        ece = [100 * sum(both) / 2 for both in values]
        best, *others = sorted(range(3), key=ece.__getitem__)
        equal = [i for i in others if ece[i] == ece[best]]
        second = next((i for i in others if i not in equal), None)
        assert f"{ece[best]:.2f} ± " in sentence
        assert names[best] in sentence or "the lowest, too" in sentence
        (remark,) = (line for line in remarks if line.startswith(where))
        if second is None:
            assert remark == f"{where}, all methods have the same ECE."
            continue
        lowest = " and ".join(names[i] for i in sorted([best, *equal]))
        has = "have" if equal else "has"
        assert f"{where}, {lowest} {has} an ECE of {ece[best]:.2f} ± " in remark
        assert f"and {names[second]}, the next, of {ece[second]:.2f} ± " in remark
        ahead = sum(a < b for a, b in zip(values[best], values[second], strict=True))
        assert f"lower on {'each' if ahead == 2 else ahead} of the 2 seeds" in remark
    levels = [method["levels"]["mean_gap_of_the_three_least_robust"] for method in methods]
    mildest = min(range(3), key=lambda i: abs(levels[i]["mean"]))
    assert remarks[0].startswith("In the 3 least robust levels of 10, Vanilla's confidence minus")
    closest = f"closest to 0 is {names[mildest]} with" if mildest else "which no other method"
    assert closest in remarks[0]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of the command as it is, on two of its three seeds."""
    out = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "arcal", "demo", "--seeds", "1", "0", "--out", out, "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) == 12, "three methods, two seeds, two sets"
    return out


@pytest.mark.slow
def test_what_the_paper_says_is_seen(whole):
    """By margins several times what seeds, and other processors' rounding, move."""
    methods = json.loads((whole / "report" / "figures.json").read_text())["methods"]
    vanilla, smoothing, adaptive = methods
    for name in ("test", "test-gaussian_noise-3"):
        for other in (smoothing, adaptive):
            less = [m["sets"][name]["ece"]["values"] for m in (other, vanilla)]
            assert sum(less[0]) < 0.8 * sum(less[1])
    accuracy = [sum(m["sets"]["test"]["accuracy"]["values"]) / 2 for m in methods]
    assert max(accuracy) - min(accuracy) < 0.02
    for gap in vanilla["levels"]["gap"]:
        assert sum(gap[:3]) / 3 > 0.03, "over-confident where it is easily attacked"
        assert abs(sum(gap[7:]) / 3) < 0.02, "and not where it is robust"
    weakest = [m["levels"]["mean_gap_of_the_three_least_robust"]["mean"] for m in methods]
    assert abs(weakest[2]) < 0.8 * weakest[0]


@pytest.mark.slow
def test_eight_passes_rank_as_forty_eight_do(whole):
    (folder,) = (whole / "runs").glob("vanilla-s0-*")
    run = RunFolder.open(folder)
    test = data_of(run).test
    ranked = score_run(run, test, "test", "attack", attack=RANKING).robustness[:64]
    x = as_input(test.images(torch.arange(64)), "cpu")
    longer = BoundaryProjection()(model_of(run), x)
    assert longer.success.all()
    rho: float = spearmanr(ranked, longer.distance)[0]  # pyright: ignore
    assert rho > 0.97
