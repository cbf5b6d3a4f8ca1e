"""How methods are shown: the names that reports have always had for these settings."""

import json

import pytest

from arcal.methods import complete_settings, describe

SHOWN = [
    ("vanilla", {}, "Vanilla", []),
    (
        "label-smoothing",
        {"epsilon": 0.1, "mixup": 0.4},
        "Label smoothing",
        ["ε = 0.1", "mixup = 0.4"],
    ),
    ("focal", {"gamma": 2.0}, "Focal loss", ["γ = 2"]),
    (
        "adals",
        {"alpha": {0: 0.001, 60: 0.05}, "mixup": 0.2},
        "AdaLS",
        ["α = 0.001 from epoch 0 then 0.05 from epoch 60", "mixup = 0.2"],
    ),
    (
        "ar-adals",
        {},
        "AR-AdaLS",
        ["R = 10", "α = auto", "update = own", "attack order", "by boundary-projection-quick"],
    ),
    (
        "ar-adals",
        {"alpha": 1e-5, "rescore": (65.0, 130.0), "update": "joint", "order": "margin"}
        | {"mixup": 0.2},
        "AR-AdaLS",
        [
            "R = 10",
            "α = 1e-05",
            "update = joint",
            "margin order",
            "on the fly after 65 and 130",
            "mixup = 0.2",
        ],
    ),
    (
        "ccat",
        {},
        "CCAT",
        ["radius = 0.01", "rho = 10", "step = 0.025", "iterations = 10"],
    ),
]


@pytest.mark.parametrize(("name", "settings", "title", "words"), SHOWN)
def test_settings_are_put_into_words(name, settings, title, words):
    completed = complete_settings(name, settings)
    shown = describe(name, completed)
    assert (shown.title, list(shown.settings)) == (title, words)
    read_back = json.loads(json.dumps(completed, sort_keys=True))
    assert describe(name, read_back) == shown, "also as a run folder has them"


def test_a_run_of_a_method_that_is_not_installed_can_be_shown():
    shown = describe("elsewhere", {"gamma": 2.0, "parts": [1, 2], "off": None, "mixup": 0.2})
    assert shown.title == "elsewhere"
    assert set(shown.settings) == {"gamma = 2", "parts = 1 2", "mixup = 0.2"}
    assert describe("adals", {"alpha": 0.1, "dropped": 3}).settings == ("α = 0.1", "dropped = 3")
