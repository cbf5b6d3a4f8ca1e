"""Flags that methods declare, and a method that another package adds."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from arcal.cli import main
from other_package import write_package
from tiny_files import write_tiny

DOCUMENT = Path(__file__).parents[2] / "docs" / "methods.md"


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


@pytest.fixture
def arcal(tmp_path):
    """The command line where packages in `tmp_path/site` are installed."""
    there = str(tmp_path / "site")
    path = os.pathsep.join(filter(None, [there, os.environ.get("PYTHONPATH")]))

    def call(*arguments):
        return subprocess.run(
            [sys.executable, "-W", "error::UserWarning", "-m", "arcal", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": path},
        )

    return call


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    """The arguments that train for an epoch on very little."""
    tiny = write_tiny(tmp_path_factory.mktemp("data"))
    return ["train", "--data", tiny, "--validation", 40, "--epochs", 1, "--json"]


@pytest.mark.slow
def test_a_method_of_another_package_is_trained_and_evaluated(
    arcal, train, tmp_path, capsys, monkeypatch
):
    text = DOCUMENT.read_text()
    modules = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (module,) = (one for one in modules if "(Method)" in one)
    (toml,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    points = tomllib.loads(toml)["project"]["entry-points"]["arcal.methods"]
    write_package(tmp_path / "site", "arcal_poly", module, points)

    explained = arcal("train", "--help")
    assert explained.returncode == 0, explained.stderr
    words = " ".join(explained.stdout.split())
    assert "How much 1 - f_y weighs (poly; at least 0). (default: 1.0)" in words
    assert "poly: cross-entropy, and 1 - f_y" in words

    settings = ["--method", "poly", "--weight", 2, "--mixup", 0.2, "--noise", 0.1]
    trained = arcal(*train, *settings)
    assert trained.returncode == 0, trained.stderr
    (record,) = json.loads(trained.stdout)
    assert record["settings"] == {"weight": 2.0, "mixup": 0.2, "noise": 0.1}

    evaluate = ["evaluate", record["run"], "--json"]
    evaluated = arcal(*evaluate)
    assert evaluated.returncode == 0, evaluated.stderr
    (figures,) = json.loads(evaluated.stdout)
    assert 0 <= figures["ece"] <= 1
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["arcal", *evaluate])
    main()
    assert capsys.readouterr().out == evaluated.stdout, "here that package is not installed"
