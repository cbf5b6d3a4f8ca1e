"""The examples in docstrings print what they say, and public names have one."""

import doctest
import inspect
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import arcal
from arcal.data import _load

SOURCE = Path(arcal.__file__).parent
FILES = sorted(path for path in SOURCE.rglob("*.py") if ">>>" in path.read_text())

ROOMS = (
    "arcal",
    "arcal.auditing",
    "arcal.auditing.models",
    "arcal.calibration",
    "arcal.calibration.posthoc",
    "arcal.compute",
    "arcal.data",
    "arcal.evaluation",
    "arcal.networks",
    "arcal.report",
    "arcal.training",
    "arcal.transforms",
    "arcal.transforms.corruptions",
)
"""Packages whose public names are checked."""
LATER = (
    "arcal.attacks",
    "arcal.robustness",
    "arcal.training._fit",
    "arcal.training.recipes",
)
"""Modules whose public names have no examples yet."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The working directory of all examples: they share trained runs, and the images once read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_load, "read_parquet", cache(_load.read_parquet))
        yield tmp_path_factory.mktemp("examples")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_examples_print_what_they_say(path, folder, monkeypatch):
    monkeypatch.chdir(folder)
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    module = import_module(".".join(parts).removesuffix(".__init__"))
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("room", ROOMS)
def test_public_names_have_an_example(room):
    module = import_module(room)
    public = {name: getattr(module, name) for name in module.__all__}
    without = [
        name
        for name, value in public.items()
        if inspect.isclass(value) or inspect.isfunction(value)
        if not value.__module__.startswith(LATER)
        if ">>>" not in (value.__doc__ or "")
    ]
    assert not without


def test_a_wrong_example_fails(capsys):
    wrong = ModuleType("wrong", ">>> 1 + 1\n3\n")
    assert doctest.testmod(wrong).failed == 1
