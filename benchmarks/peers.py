"""What is compared: public libraries' attacks and arcal's, as `attack(model, x, y) -> x'`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import Tensor, nn

import arcal.attacks
from arcal.attacks import ATTACKS, BoundaryProjection, CarliniWagner
from arcal.robustness import Attack

OURS: list[tuple[str, Attack]] = [
    ("arcal", ATTACKS["boundary-projection"]),
    ("arcal-150", BoundaryProjection(budget=150)),
    ("arcal-quick", ATTACKS["boundary-projection-quick"]),
    ("arcal-cw", CarliniWagner()),
    ("arcal-cw-gradient", CarliniWagner(initial_c="gradient")),
    ("arcal-cw-gradient-2", CarliniWagner(initial_c="gradient", search_steps=2)),
    ("arcal-cw-full", CarliniWagner(early_stop=False)),
]

REFERENCES: list[tuple[str, Attack]] = [
    ("arcal-500", BoundaryProjection(budget=500, reach=3.0)),
]
"""Attacks too long to be of use: they count towards the best known distance, but do not compete."""

IN_EVERY_NORM = ("arcal", "arcal-150", "arcal-quick", "arcal-500")


@dataclass(frozen=True)
class Contestant:
    """One row of the table.

    `of` is the package and its version, or the hash of our source; `call` what is called with
    which settings: together they say what a stored result belongs to. A peer has `run`, which takes
    a module, `x (N, ...)` in [0,1] and the predictions `y (N,)` and returns `(N, ...)`; one of ours
    has `ours`. `long` ones are left out of a quick run. Distances are in `norm`.
    """

    name: str
    of: str
    call: str
    run: Callable[[nn.Module, Tensor, Tensor], Tensor] | None = None
    ours: Attack | None = None
    long: bool = False
    competes: bool = True
    norm: str = "l2"


def peers(*, slow: bool, norm: str = "l2") -> tuple[list[Contestant], list[str]]:
    """The public attacks in a norm that are installed, and a line for each package that is not.

    Carlini and Wagner's have the paper's settings where they can: 3 searches of 500 iterations of
    Adam at .005, c from .01. ALMA's are its authors' for L2. DDN's default is to round to 256 grey
    levels, which is switched off: no other attack rounds. `slow` adds foolbox's attack without its
    early stop.
    """
    cw = {"binary_search_steps": 3, "initial_const": 0.01}
    available: list[Contestant] = []
    missing: list[str] = []
    makers = (
        ("foolbox", "foolbox", lambda: _foolbox(slow, steps=500, stepsize=0.005, **cw)),
        ("torchattacks", "torchattacks", lambda: [_torchattacks(c=1, steps=500)]),
        ("adv_lib", "adv-lib", lambda: _adv_libs(cw)),
    )
    if norm == "linf":
        makers = ("foolbox", "foolbox", _foolbox_linf), ("adv_lib", "adv-lib", _adv_libs_linf)
    for module, package, make in makers:
        if find_spec(module) is None:
            missing.append(f"{package} is not installed: its attacks are left out")
        else:
            available += [replace(one, norm=norm) for one in make()]
    return available, missing


def _adv_libs(cw: dict[str, Any]) -> list[Contestant]:
    cw = cw | {"max_iterations": 500, "learning_rate": 0.005, "abort_early": False}
    return [
        _adv_lib("adv-lib-cw-full", "carlini_wagner_l2", long=True, **cw),
        _adv_lib("deepfool", "df"),
        _adv_lib("superdeepfool", "sdf"),
        _adv_lib("ddn-100", "ddn", steps=100, levels=None),
        _adv_lib("ddn-1000", "ddn", long=True, steps=1000, levels=None),
        _adv_lib("fmn-100", "fmn", norm=2, steps=100),
        _adv_lib("fab-100", "fab", long=True, norm=2, n_iter=100),
        _adv_lib("pdgd-500", "pdgd", long=True, num_steps=500),
        _adv_lib("alma-1000", "alma", long=True, num_steps=1000, init_lr_distance=0.1),
    ]


def _adv_libs_linf() -> list[Contestant]:
    inf = float("inf")
    return [
        _adv_lib("fmn-100", "fmn", norm=inf, steps=100),
        _adv_lib("fmn-1000", "fmn", long=True, norm=inf, steps=1000),
        _adv_lib("fab-100", "fab", long=True, norm=inf, n_iter=100),
        _adv_lib("pdpgd-500", "pdpgd", long=True, norm=inf, num_steps=500),
    ]


def _adv_lib(name: str, function: str, *, long: bool = False, **settings: Any) -> Contestant:
    attack = getattr(import_module("adv_lib.attacks"), function)

    def run(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return attack(model, x, y, **settings)

    return Contestant(name, _release("adv-lib"), _call(function, settings), run, long=long)


def _foolbox(slow: bool, **settings: Any) -> list[Contestant]:
    cw = "L2CarliniWagnerAttack"
    ddn = _of_foolbox("foolbox-ddn-100", "DDNAttack", False, steps=100)
    stopping = _of_foolbox("foolbox-cw", cw, False, abort_early=True, **settings)
    full = _of_foolbox("foolbox-cw-full", cw, True, abort_early=False, **settings)
    return [stopping, ddn, full] if slow else [stopping, ddn]


def _foolbox_linf() -> list[Contestant]:
    return [
        _of_foolbox("foolbox-deepfool", "LinfDeepFoolAttack", False, steps=50),
        _of_foolbox("foolbox-fmn-1000", "LInfFMNAttack", True, steps=1000),
    ]


def _of_foolbox(name: str, kind: str, long: bool, **settings: Any) -> Contestant:
    foolbox = import_module("foolbox")

    def run(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        attack = getattr(foolbox.attacks, kind)(**settings)
        return attack.run(foolbox.PyTorchModel(model, bounds=(0, 1), device=x.device), x, y)

    return Contestant(name, _release("foolbox"), _call(kind, settings), run, long=long)


def _torchattacks(**settings: Any) -> Contestant:
    attack = import_module("torchattacks").CW

    def run(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return attack(model, **settings)(x, y)

    return Contestant("torchattacks-cw", _release("torchattacks"), _call("CW", settings), run)


def ours(norm: str = "l2") -> list[Contestant]:
    """Our attacks in a norm.

    A change of any file of `arcal.attacks` makes their stored results stale.
    """
    folder = Path(arcal.attacks.__file__).parent
    digest = sha256(b"".join(file.read_bytes() for file in sorted(folder.glob("*.py"))))
    of = f"arcal, source {digest.hexdigest()[:12]}"
    rows = [(pair, True) for pair in OURS] + [(pair, False) for pair in REFERENCES]
    if norm != "l2":
        rows = [
            ((name, replace(attack, norm=norm)), competes)  # pyright: ignore[reportArgumentType]
            for (name, attack), competes in rows
            if name in IN_EVERY_NORM
        ]
    return [
        Contestant(name, of, repr(attack), ours=attack, competes=competes, norm=norm)
        for (name, attack), competes in rows
    ]


def _release(package: str) -> str:
    return f"{package} {version(package)}"


def _call(function: str, settings: dict[str, Any]) -> str:
    return f"{function}({', '.join(f'{name}={value!r}' for name, value in settings.items())})"
