"""Methods of other packages, which are really there: modules and metadata on the path."""

import sys

import pytest

from arcal.errors import ArcalError
from arcal.methods import AdaLS, LabelSmoothing, Vanilla
from arcal.methods.registry import Methods
from other_package import write_package

MODULE = """
from typing import Annotated
from arcal.methods import Method, Setting

class Mine(Method):
    name = "mine"
    def __init__(self, Z: int, *, {setting}):
        super().__init__()
"""


@pytest.fixture
def with_package(tmp_path, monkeypatch):
    """The methods once packages with these modules and entry points are installed."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(**packages):
        for name, (module, points) in packages.items():
            write_package(tmp_path, name, module, points)
            monkeypatch.delitem(sys.modules, name, raising=False)
        return Methods((Vanilla, LabelSmoothing, AdaLS))

    return install


def test_a_method_of_another_package_is_loaded_when_it_is_looked_up(with_package):
    module = MODULE.format(setting="epsilon: float = 0.3")
    methods = with_package(outside_a=(module, {"mine": "outside_a:Mine"}))
    assert list(methods) == ["vanilla", "label-smoothing", "adals", "mine"]
    assert len(methods) == 4
    assert len(methods.loaded()) == 3
    assert methods["mine"].__module__ == "outside_a"
    assert len(methods.loaded()) == 4
    assert "theirs" not in methods
    with pytest.raises(KeyError):
        methods["theirs"]


@pytest.mark.parametrize(
    ("module", "points", "says"),
    [
        ("import nothing_of_that_name", {"mine": "outside_b:Mine"}, "No module named 'nothing_of"),
        ("", {"mine": "outside_b:Mine"}, "has no attribute 'Mine'"),
        (
            "def mine(Z): pass",
            {"mine": "outside_b:mine"},
            "it is not a subclass of arcal.methods.Me",
        ),
        (MODULE.format(setting="a: int = 1"), {"ours": "outside_b:Mine"}, "has the name 'mine'"),
        (MODULE.format(setting="a: int"), {"mine": "outside_b:Mine"}, "a without a default"),
        (MODULE.format(setting="a: Gone = 1"), {"mine": "outside_b:Mine"}, "'Gone' is not defined"),
        (
            MODULE.format(setting="epsilon: int = 1"),
            {"mine": "outside_b:Mine"},
            "'epsilon' has another type or flag than 'epsilon' of 'label-smoothing'",
        ),
        (
            MODULE.format(setting="rate: Annotated[float, Setting(flag='alpha')] = 1.0"),
            {"mine": "outside_b:Mine"},
            "'rate' has another type or flag than 'alpha' of 'adals'",
        ),
    ],
)
def test_one_that_cannot_be_used_is_one_line(with_package, module, points, says):
    methods = with_package(outside_b=(module, points))
    (name,) = points
    assert list(methods)[-1] == name
    assert methods["vanilla"] is Vanilla, "it is in nobody's way"
    with pytest.raises(ArcalError) as error:
        methods[name]
    text = str(error.value)
    assert text.startswith(f"the method {name!r} of the package outside-b cannot be used (")
    assert says in text
    assert text.endswith("): fix that package or uninstall it")
    assert "\n" not in text


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["vanilla"], "outside-c and arcal both have a method 'vanilla': uninstall one"),
        (["mine", "mine"], "outside-. and outside-. both have a method 'mine': uninstall one"),
    ],
)
def test_a_name_that_two_have_is_one_line(with_package, names, says):
    packages = zip(["outside_c", "outside_d"], names, strict=False)
    methods = with_package(**{name: ("", {of: f"{name}:Mine"}) for name, of in packages})
    with pytest.raises(ArcalError, match=says):
        list(methods)
