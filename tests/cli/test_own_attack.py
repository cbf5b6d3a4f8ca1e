"""An attack in somebody's own code: what a name may stand for, and what tells it from another."""

import pickle
from pathlib import Path

import pytest
import torch

from arcal.attacks import Adversarial, BoundaryProjection, OwnAttack, name_of, settings_of
from arcal.cli._own_attack import open_attack
from arcal.errors import ArcalError
from tests.audits import tiny

CODE = """
from dataclasses import dataclass
import torch
from arcal.attacks import Adversarial, BoundaryProjection

def straight(model, x, bounds):
    lead = x.flatten(1).mean(1) - 0.5
    there = x - (1.01 * lead).view(-1, 1, 1, 1)
    distance = (there - x).flatten(1).norm(dim=1)
    ones = torch.ones(len(x))
    return Adversarial(distance, ones.bool(), there, model(x).argmax(1), ones.long())

@dataclass(frozen=True)
class Straight:
    norm: str = "l2"
    def __call__(self, model, x, bounds=(0, 1), **more):
        return straight(model, x, bounds)

class Wide:
    def __init__(self, width): ...

class Module(torch.nn.Module):
    def forward(self, model, x, bounds):
        return straight(model, x, bounds)

object = Straight()
module = Module()
another_norm = Straight(norm="l1")
largest = Straight(norm="linf")
shorter = BoundaryProjection(budget=9)
network = torch.nn.Flatten()
number = 3

def made(): return Straight()
def a_class(): return Straight
def nothing(): return None
def two(model, x): ...
def fails(model, x, bounds): return x.nothing
def refuses(model, x, bounds):
    from arcal import ArcalError
    raise ArcalError("no such input")
def fills(model, x, bounds): raise MemoryError
"""


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(CODE)


@pytest.mark.parametrize("name", ["straight", "Straight", "object", "made", "module", "Module"])
def test_an_object_a_function_and_what_gives_one(name):
    attack = open_attack(f"mine.py:{name}")
    attacked = attack(tiny.Brightness(), tiny.X)
    assert isinstance(attack, OwnAttack)
    assert isinstance(attacked, Adversarial)
    assert torch.equal(attacked.x.mean((1, 2, 3)) > 0.5, attacked.predicted == 0)
    assert (repr(attack), settings_of(attack)["kind"]) == (f"mine.py:{name}", name)
    assert name_of(attack) == f"own-mine-{name}"


def test_an_attack_of_arcal_with_settings_is_that_attack():
    assert open_attack("mine.py:shorter") == BoundaryProjection(budget=9)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("mine.py", "which name in mine.py? Write mine.py:NAME; it defines straight, Straight"),
        ("mine.py:strait", "mine.py has no strait: did you mean straight"),
        ("nowhere.py:straight", "nowhere.py is missing"),
        ("mine.py:number", "is an int: name an attack"),
        (
            "mine.py:Wide",
            "needs width: write a function without arguments that returns Wide(width)",
        ),
        ("mine.py:a_class", "attack is the class Straight: give an instance of it"),
        ("mine.py:nothing", "returns NoneType: it must return an attack"),
        ("mine.py:two", "takes model, x: an attack is called with a model, inputs and bounds"),
        ("mine.py:network", "takes input: an attack is called with"),
        ("mine.py:another_norm", "has the norm 'l1'"),
    ],
)
def test_what_is_no_attack_is_refused_in_a_line(name, says):
    with pytest.raises(ArcalError) as raised:
        open_attack(name)
    assert says in str(raised.value)


def test_what_it_raises_is_a_line_with_its_place_but_not_what_is_said_already():
    def of(name):
        return lambda: open_attack(f"mine.py:{name}")(tiny.Brightness(), tiny.X)

    with pytest.raises(ArcalError, match=r"fails while it attacked, in .*mine\.py:\d+: Attribute"):
        of("fails")()
    with pytest.raises(ArcalError, match=r"^no such input$"):
        of("refuses")()
    with pytest.raises(MemoryError):
        of("fills")()


def test_it_is_told_apart_by_its_code_and_by_what_this_imports():
    Path("mine.py").write_text(f"import sizes\nfrom parts import inner\n{CODE}")
    Path("sizes.py").write_text("A = 1")
    Path("parts").mkdir()
    Path("parts/__init__.py").write_text("")
    Path("parts/inner.py").write_text("from . import deep")
    Path("parts/deep.py").write_text("B = 1")
    seen = [open_attack("mine.py:object").code]
    assert open_attack("mine.py:object").code == seen[0]
    for path in ("mine.py", "sizes.py", "parts/inner.py", "parts/deep.py"):
        Path(path).write_text(f"{Path(path).read_text()}\nmore = 1\n")
        seen.append(open_attack("mine.py:object").code)
    assert len(set(seen)) == 5
    Path("other.py").write_text("C = 1")
    assert open_attack("mine.py:object").code == seen[-1]


def test_another_process_opens_the_same_or_refuses():
    attack = open_attack("mine.py:object")
    sent = pickle.dumps(attack)
    again = pickle.loads(sent)
    assert settings_of(again) == settings_of(attack)
    Path("mine.py").write_text(CODE.replace("1.01", "1.02"))
    changed = open_attack("mine.py:object")
    assert changed.code != attack.code
    unseen = pickle.dumps(changed)
    Path("mine.py").write_text(CODE)
    with pytest.raises(ArcalError, match="was changed in the meantime: run the command again"):
        pickle.loads(unseen)
