"""The demo: what it writes, on few images; and, of minutes, what it must show on all of them."""

import json
import re
from dataclasses import replace

import pytest

from arcal.compute import Compute
from arcal.demo import VANILLA, demo
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
