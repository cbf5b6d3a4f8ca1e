"""A classifier in a user's own code: what a name stands for, and one line for every fault."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from arcal.classifiers import open_classifier
from arcal.errors import ArcalError

CODE = """
import torch
from torch import nn

class Net(nn.Module):
    class_names = ("cat", "dog")

    def __init__(self, width=4):
        super().__init__()
        self.layer = nn.Linear(12, 2)

    def forward(self, x):
        return self.layer(x.flatten(1))

class Deep(Net):
    def __init__(self, depth):
        super().__init__()

torch.manual_seed(0)
module = Net()
nets = [module]

def build(width=3):
    return module

def logits(x):
    return x.flatten(1)[:, :2] * 3

class Callable:
    def __call__(self, x):
        return logits(x)

def number():
    return 3

def broken():
    if True:
        raise KeyError("depth")

def stop():
    raise SystemExit(2)

class space:
    inner = module
"""


def line(text):
    """The number of the line with this text."""
    return CODE[: CODE.index(text)].count("\n") + 1


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working folder with the code in it; what is imported from it is forgotten again."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    (tmp_path / "mine.py").write_text(CODE)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "nets.py").write_text(CODE)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def expected(x):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Linear(12, 2)(x.flatten(1))


@pytest.mark.parametrize("source", ["mine.py", "package.nets", "./package/nets.py", "mine"])
@pytest.mark.parametrize("name", ["module", "build", "space.inner"])
def test_every_way_to_name_a_module(source, name):
    x = torch.rand(3, 3, 2, 2)
    opened = open_classifier(f"{source}:{name}")
    assert torch.equal(opened.model(x), expected(x))
    assert opened.class_names == ("cat", "dog")
    assert isinstance(opened.model, nn.Module)
    assert not any(module.training for module in opened.model.modules())


@pytest.mark.parametrize("name", ["logits", "Callable"])
def test_a_function_from_inputs_to_logits_is_the_model_itself(name):
    x = torch.rand(3, 3, 2, 2)
    opened = open_classifier(f"mine.py:{name}")
    assert torch.equal(opened.model(x), x.flatten(1)[:, :2] * 3)
    normalized = open_classifier(f"mine.py:{name}", normalize=(0.5, [0.1, 0.2, 0.4]))
    layer = (x - 0.5) / torch.tensor([0.1, 0.2, 0.4]).view(3, 1, 1)
    torch.testing.assert_close(normalized.model(x), layer.flatten(1)[:, :2] * 3)


def test_a_class_gets_the_weights_of_a_file():
    x, layer = torch.rand(3, 3, 2, 2), nn.Linear(12, 2)
    torch.save({f"layer.{name}": value for name, value in layer.state_dict().items()}, "w.pt")
    opened = open_classifier("mine.py:Net", weights="w.pt")
    torch.testing.assert_close(opened.model(x), layer(x.flatten(1)))
    assert "w.pt, SHA-256 " in opened.facts["Weights"]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("mine.py:modul", r"mine.py has no modul: did you mean module\?"),
        ("mine.py:xyzzy", "it defines Net, Deep, module, nets, build, logits, Callable, number"),
        ("mine.py:", "has no name after the colon"),
        ("mine.py", r"which name in mine.py\? Write mine.py:NAME; it defines Net"),
        ("mina.py:module", r"mina.py is missing: did you mean mine.py\?"),
        ("nine:module", r"there is no module nine: did you mean mine\?"),
        ("package.bets:module", "there is no module package.bets"),
        ("mine.py:nets", "is a list"),
        ("mine.py:Deep", r"needs depth: write a function .* returns Deep\(depth\)"),
        ("mine.py:number", "returns int: it must return a torch module"),
        (
            "mine.py:broken",
            rf"in broken\(\), in .*mine.py:{line('raise KeyError')}: KeyError: 'depth'; fix",
        ),
        ("mine.py:stop", rf"mine.py:{line('raise SystemExit')}: SystemExit: 2"),
        ("mine.py:space.outer", "has no space.outer"),
        ("sys:nothing", "sys has no nothing"),
    ],
)
def test_what_cannot_be_opened_is_one_line(spec, says):
    with pytest.raises(ArcalError, match=says) as caught:
        open_classifier(spec)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("x = 1\nx = = 2\n", r"bad.py:2: SyntaxError"),
        ("\n1 / 0\n", r"while the file ran, in .*bad.py:2: ZeroDivisionError: division by zero"),
        ("import no_such_thing\n", "bad.py:1: ModuleNotFoundError: No module named 'no_such_th"),
        ("import helper\n", r"helper.py:2: NameError"),
        ("import torch\nx = torch.ones(2) @ torch.ones(3)\n", r"bad.py:2: RuntimeError"),
        ("raise ValueError(' \\n ')\n", "bad.py:1: ValueError: no message; fix"),
        ("import sys\ndel sys.modules[__name__]\n1 / 0\n", "bad.py:3: ZeroDivisionError"),
    ],
)
def test_an_error_in_the_code_names_its_file_and_line(code, says):
    Path("helper.py").write_text("\nundefined\n")
    Path("bad.py").write_text(code)
    for spec in ("bad.py:net", "bad:net"):
        with pytest.raises(ArcalError, match=says.replace("the file ran", ".*")) as caught:
            open_classifier(spec)
        assert "\n" not in str(caught.value)


def test_a_file_of_a_package_is_told_to_be_named_as_a_module():
    Path("mine/nets").mkdir(parents=True)
    for name, code in (("__init__", ""), ("util", "Z = 3\n"), ("nets/__init__", "")):
        Path(f"mine/{name}.py").write_text(code)
    code = "from torch import nn\nfrom ..util import Z\nnetwork = nn.Linear(5, Z)\n"
    Path("mine/nets/net.py").write_text(code)
    says = "imports from its own package: name it as a module of that, such as "
    with pytest.raises(ArcalError, match=rf"{says}PACKAGE\.net:network, from the folder"):
        open_classifier("mine/nets/net.py:network")
    assert open_classifier("mine.nets.net:network").model(torch.rand(2, 5)).shape == (2, 3)


def test_copies_of_a_project_each_have_their_own_modules():
    """The same module names in two folders: each file sees its neighbour, not the other's."""
    for number, folder in enumerate(("old", "new")):
        Path(folder).mkdir()
        Path(folder, "parts.py").write_text(f"FACTOR = {number + 1}\n")
        Path(folder, "net.py").write_text(
            "from parts import FACTOR\ndef net(x):\n    return x.flatten(1) * FACTOR\n"
        )
    x = torch.rand(2, 3)
    for factor, folder in ((1, "old"), (2, "new"), (1, "old")):
        assert torch.equal(open_classifier(f"{folder}/net.py:net").model(x), factor * x)


def test_a_fingerprint_sees_weights_and_code_and_nothing_else():
    before = open_classifier("mine.py:module")
    same = open_classifier("mine.py:module")
    assert before.fingerprint() == same.fingerprint()
    assert len(before.fingerprint()) == 16
    assert open_classifier("mine.py:module", normalize="cifar").fingerprint() != same.fingerprint()
    assert open_classifier("mine.py:logits").fingerprint() != same.fingerprint()
    Path("mine.py").write_text(CODE.replace("manual_seed(0)", "manual_seed(1)"))
    assert open_classifier("mine.py:module").fingerprint() != before.fingerprint()
    function = open_classifier("mine.py:logits").fingerprint()
    Path("mine.py").write_text(CODE.replace("* 3", "* 4"))
    assert open_classifier("mine.py:logits").fingerprint() != function
