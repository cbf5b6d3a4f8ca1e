"""Run folders are found again: a configuration's hash is what it was when they were trained."""

from typing import Any

import pytest

from arcal.data import load
from arcal.training.recipes import RECIPES
from arcal.training.run import Run

IMAGES: dict[str, Any] = {"images": 100, "validation": 50, "test_images": 20}


@pytest.fixture(scope="module")
def data():
    return load("fashion", **IMAGES)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("vanilla-s0-36e9dac975cf", {}),
        ("vanilla-s0-b1165efdb127", {"mixup": 0.2}),
        ("label-smoothing-s0-0719375b898a", {}),
        ("label-smoothing-s0-636ef934b1a9", {"epsilon": 0.1, "mixup": 0.4}),
        ("adals-s0-51e22525722a", {"alpha": 0.005}),
        ("adals-s0-7803de8c9bbe", {"alpha": {0: 0.001, 60: 0.05}}),
        ("adals-s0-7803de8c9bbe", {"alpha": {"0": 0.001, "60": 0.05}}),
        ("ar-adals-s0-2b13c989603e", {}),
        (
            "ar-adals-s0-4768ebde167b",
            {"alpha": 0.2, "R": 4, "rescore": (0.3, 0.6), "attack": "carlini-wagner"},
        ),
        (
            "ar-adals-s0-bcfebf548a2f",
            {"alpha": 0.2, "rescore": [3.0, 6.0], "update": "joint", "order": "margin"}
            | {"mixup": 0.2},
        ),
        ("ccat-s0-a13f2a7ee83e", {}),
        ("vanilla-s0-2061cd92e3e7", {"noise": 0.1, "augmix": None}),
        ("vanilla-s0-007931b8002a", {"perturbed": 0.15}),
        ("vanilla-s0-c5846e0efb5c", {"perturbed": 0.5, "perturbed_by": "gradient"}),
        ("vanilla-s0-0c051a7565b7", {"augmix": 12.0}),
        ("vanilla-s0-3ad4374751e7", {"regmixup": 20.0}),
        ("vanilla-s0-5c8f2c5f1188", {"entropy": 0.1}),
        ("vanilla-s0-9e8486e3330a", {"mbls": 6.0}),
        ("focal-s0-eaef17b2d983", {}),
        ("ar-adals-s0-cd05acf691c4", {"noise": 0.1, "augmix": 12.0}),
    ],
)
def test_a_run_keeps_its_folder(data, name, settings):
    method = name.partition("-s0-")[0]
    run = Run(method=method, settings=settings, recipe=RECIPES["demo"], **IMAGES)
    assert run.path("", data).name == name
