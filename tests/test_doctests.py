"""The examples in docstrings print what they say."""

import doctest
import inspect
import linecache
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import arcal
from arcal import orders
from arcal.data import _load

SOURCE = Path(arcal.__file__).parent
FILES = sorted(path for path in SOURCE.rglob("*.py") if ">>>" in path.read_text())

EXTRAS = {"lightning.py": "pytorch_lightning", "transformers.py": "transformers"}
"""What files of `integrations` need that is not installed for the tests."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The working directory of all examples: they share trained runs, and the images once read.

    Before each docstring, doctest would look whether any file that is imported has changed.
    """
    read = _load.read_parquet
    once = cache(lambda files, name: read(dict(files), name))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linecache, "checkcache", lambda filename=None: None)
        patch.setattr(_load, "read_parquet", lambda files, name: once((*files.items(),), name))
        yield tmp_path_factory.mktemp("examples")


def decorated(module: ModuleType) -> dict[str, Callable[..., object]]:
    """A module's decorated functions: doctest takes them to be of the decorator's module."""
    return {
        name: value
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        if value.__module__ == module.__name__
        if value.__globals__ is not vars(module)
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_examples_print_what_they_say(path, folder, monkeypatch):
    monkeypatch.chdir(folder)
    if path.parent.name == "integrations" and path.name in EXTRAS:
        pytest.importorskip(EXTRAS[path.name], reason="an extra that is not installed")
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    module = import_module(".".join(parts).removesuffix(".__init__"))
    monkeypatch.setattr(module, "__test__", decorated(module), raising=False)
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0


def test_decorated_functions_are_seen():
    assert decorated(orders) == {"gradient_order": orders.gradient_order}
