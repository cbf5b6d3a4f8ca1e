"""A user's own attack, by its name in Python code."""

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from arcal.attacks import ATTACKS, Adversarial, Bounds, Model, OwnAttack, as_attack
from arcal.attacks.norms import NORMS
from arcal.classifiers import (
    check_name,
    check_needs_none,
    named_in_code,
    needed_arguments,
    one_line,
)
from arcal.errors import ArcalError, a_type


def open_attack(spec: str) -> Any:
    """The attack that `file.py:name` or `package.module:name` stands for.

    The name is an attack (an object or function that is called with a model, inputs `(N, ...)` and
    their bounds), or a class or function that returns one when called without arguments. The code
    is run. An attack of arcal's own, with settings, is returned as it is; any other becomes an
    `OwnAttack`, which knows the text of its file and of the files that it imports from its own
    folder or the working folder. Any problem raises `ArcalError` with one line.

    >>> from pathlib import Path
    >>> _ = Path("mine.py").write_text("def noise(model, x, bounds): ...")
    >>> open_attack("mine.py:noise")
    mine.py:noise
    >>> open_attack("mine.py:noise").settings["kind"]
    'noise'
    """
    check_name(spec, "a class in it")
    named = named_in_code(spec)
    attack = _made(spec, named.value, named.name)
    if type(attack) in {type(one) for one in ATTACKS.values()}:
        return attack
    norm = getattr(attack, "norm", None)
    norm = norm if isinstance(norm, str) else "l2"
    if norm not in NORMS:
        raise ArcalError(
            f"{spec} has the norm {norm!r}: distances in {' and '.join(NORMS)} can be shown; call "
            "`arcal.score` for others"
        )
    whole = _in_one_line(spec, attack)
    return OwnAttack(whole, spec, named.name, named.code, norm, _reopened)


@lru_cache(maxsize=1)
def _reopened(spec: str, code: str) -> OwnAttack:
    """The attack in another process, if its code is still the same."""
    attack = open_attack(spec)
    if getattr(attack, "code", None) != code:
        raise ArcalError(f"the code of {spec} was changed in the meantime: run the command again")
    return attack


def _made(spec: str, value: Any, name: str) -> Any:
    """The attack itself; a value that needs no arguments is called to get it."""
    if not callable(value):
        raise ArcalError(
            f"{spec} is {a_type(value)}: name an attack, which is called with a model, "
            "inputs and bounds, or a function or class that gives one"
        )
    needed = needed_arguments(_called(value))
    check_needs_none(spec, value, needed)
    if needed == [] and not _takes_three(value):
        with one_line(spec, f"in {name}()"):
            value = value()
        if not callable(value):
            raise ArcalError(
                f"{spec} returns {type(value).__name__}: it must return an attack, which is called "
                "with a model, inputs and bounds, or be one"
            )
    attack = as_attack(value)
    if not _takes_three(attack):
        takes = ", ".join(needed_arguments(_called(attack)) or ()) or "nothing"
        raise ArcalError(
            f"{spec} takes {takes}: an attack is called with a model, inputs and bounds"
        )
    return attack


def _called(value: Any) -> Any:
    """The callable whose signature says which arguments a value takes."""
    return value.forward if isinstance(value, nn.Module) else value


def _takes_three(value: Any) -> bool:
    """Whether a value can be called with a model, inputs and bounds, as far as can be known."""
    if isinstance(value, type):
        return False
    try:
        inspect.signature(_called(value)).bind(None, None, None)
    except TypeError:
        return False
    except ValueError:  # not written in Python
        pass
    return True


def _in_one_line(spec: str, attack: Callable[..., Any]) -> Callable[..., Any]:
    """The attack, whose errors become one line with the place in the user's own file."""

    def attacked(model: Model, x: Tensor, bounds: Bounds) -> Adversarial:
        with one_line(spec, "while it attacked"):
            try:
                return attack(model, x, bounds)
            except (ArcalError, MemoryError, torch.OutOfMemoryError) as error:
                its_own = error
        raise its_own

    return attacked
