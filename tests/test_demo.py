"""The demo on two of its three seeds: what it must show, on the untouched test set."""

import json
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [sys.executable, "-m", "arcal", "demo", "--seeds", "1", "0", "--out", out, "--json"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) == 12, "three methods, two seeds, two sets"
    report = json.loads((out / "report" / "figures.json").read_text())
    return {of_method["label"].split(" ")[0]: of_method for of_method in report["methods"]}, report


def of_seeds(figures, method, name, measure):
    return figures[0][method]["sets"][name][measure]["values"]


def test_ar_adals_is_better_calibrated_than_vanilla_on_every_seed(figures):
    for name in ("test", "test-gaussian_noise-3"):
        vanilla = of_seeds(figures, "vanilla", name, "ece")
        adaptive = of_seeds(figures, "ar-adals", name, "ece")
        assert len(vanilla) == len(adaptive) == 2
        assert all(a < v for a, v in zip(adaptive, vanilla, strict=True))


def test_accuracy_stays_within_a_point(figures):
    vanilla = of_seeds(figures, "vanilla", "test", "accuracy")
    adaptive = of_seeds(figures, "ar-adals", "test", "accuracy")
    assert abs(sum(adaptive) - sum(vanilla)) / 2 < 0.01


def test_a_plain_network_is_over_confident_where_it_is_easily_attacked(figures):
    for gap in figures[0]["vanilla"]["levels"]["gap"]:
        assert min(gap[:3]) > 0.03
        assert sum(gap[:3]) / 3 > 5 * abs(sum(gap[7:]) / 3)


def test_its_gap_over_the_least_robust_levels_is_below_label_smoothings(figures):
    weakest = {
        name: of_method["levels"]["mean_gap_of_the_three_least_robust"]["mean"]
        for name, of_method in figures[0].items()
    }
    assert weakest["ar-adals"] < weakest["label-smoothing"] < weakest["vanilla"]


def test_the_quick_attack_agrees_with_the_longer_one(figures):
    showcase = figures[1]["showcase"]
    assert showcase["failed"] == 0
    assert showcase["rho"] > 0.99


def test_what_was_chosen_is_said(figures):
    notes = " ".join(figures[1]["notes"])
    assert "Chosen on validation, seed 1" in notes
    assert "Nothing was chosen on a test set" in notes
