"""Flags that methods declare."""

import sys

import pytest

from arcal.cli import main


@pytest.fixture
def settings_of(monkeypatch):
    """The settings of the run that `arcal train` would train."""

    def parse(*arguments):
        monkeypatch.setattr(sys, "argv", ["arcal", "train", *map(str, arguments)])
        runs = []

        def trained(self):
            runs.append(self._run())

        monkeypatch.setattr("arcal.cli.train.Train.__call__", trained)
        main()
        return runs[0].settings

    return parse


def test_flags_are_settings(settings_of):
    assert settings_of() == {}
    assert settings_of("--mixup", 0.2) == {"mixup": 0.2}
    assert settings_of("--method", "label-smoothing", "--epsilon", 0.1) == {"epsilon": 0.1}
    auto = settings_of("--method", "adals", "--alpha", "auto")
    assert auto == settings_of("--method", "adals") == {"alpha": "auto"}
    schedule = settings_of("--method", "adals", "--alpha", 0, 0.001, 60, 0.05)
    assert schedule == {"alpha": {"0": 0.001, "60": 0.05}}
    assert settings_of(
        "--method", "ar-adals", "--alpha", 0.3, "--levels", 4, "--rescore", 5, 0.5, "--mixup", 0.2,
        "--attack", "carlini-wagner", "--update", "joint", "--order", "attack",
    ) == {
        "alpha": 0.3, "update": "joint", "R": 4, "order": "attack", "attack": "carlini-wagner",
        "rescore": (5, 0.5), "mixup": 0.2,
    }  # fmt: skip
    added = {"noise": 0.1, "augmix": 12.0, "perturbed": 0.5, "perturbed_by": "gradient"}
    added |= {"regmixup": 20.0, "entropy": 0.1, "mbls": 6.0}
    given = [text for name, value in added.items() for text in (f"--{name}", value)]
    given[given.index("--perturbed_by")] = "--perturbed-by"
    assert settings_of(*given) == added
    assert settings_of("--method", "focal", "--gamma", 2, *given) == {"gamma": 2.0, **added}
    assert settings_of("--method", "focal") == {"gamma": None}
    ccat = {"radius": 0.02, "rho": 2.0, "step": 0.1, "iterations": 3}
    given = [text for name, value in ccat.items() for text in (f"--{name}", value)]
    assert settings_of("--method", "ccat", *given) == ccat
