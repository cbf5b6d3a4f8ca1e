"""A classifier in a user's own code: `package.module:name` or `file.py:name`."""

from pathlib import Path
from typing import Any

from torch import nn
from torch.export import ExportedProgram

from arcal.classifiers._opened_classifier import Loaded
from arcal.errors import ArcalError
from arcal.external import (
    load_into,
    named_in_code,
    needed_arguments,
    one_line,
    parameters,
    read_weights,
    versions,
)


def load_object(spec: str, weights: Path | None = None) -> Loaded:
    """The classifier that a name in Python code stands for.

    The name is a module, an exported program, a class or function that gives one when it is called
    without arguments, or a function from inputs to logits. Code runs because it is named here, with
    the working folder and the file's own folder importable; whatever it raises becomes one line
    with the file and line where it happened. `weights`, if given, are loaded into the module.

    An attribute `class_names` of the module, a tuple or list of strings, names its classes.
    """
    named = named_in_code(spec)
    name = named.name
    classifier = _build(spec, named.value, name)
    facts = {"Network": name}
    if isinstance(classifier, nn.Module):
        facts["Network"] = f"{type(classifier).__name__} of {spec}, {parameters(classifier)}"
        if weights is not None:
            fitted = load_into(classifier, read_weights(weights), name)
            facts["Weights"] = fitted.words
    elif weights is not None:
        raise ArcalError(f"{spec} is no torch module, and cannot be given {weights}: leave it out")
    names = getattr(classifier, "class_names", None)
    text = isinstance(names, tuple | list) and all(isinstance(one, str) for one in names)
    return Loaded(
        name,
        classifier,
        identity=f"{name}\n{named.source}",
        facts=facts,
        library=versions(),
        class_names=tuple(names) if text else None,  # pyright: ignore[reportArgumentType]
        classes=len(names) if text else None,  # pyright: ignore[reportArgumentType]
    )


def _build(spec: str, value: Any, name: str) -> Any:
    """The classifier itself: what is called without arguments is called."""
    if isinstance(value, nn.Module | ExportedProgram):
        return value
    if not callable(value):
        raise ArcalError(
            f"{spec} is a {type(value).__name__}: name a module, a function that returns one, or a "
            "function from inputs to logits"
        )
    needed = needed_arguments(value)
    if needed and isinstance(value, type):
        raise ArcalError(
            f"{spec} needs {', '.join(needed)}: write a function without arguments that returns "
            f"{name}({', '.join(needed)}), and name that"
        )
    if needed and len(needed) > 1:
        raise ArcalError(
            f"{spec} needs {' and '.join(needed)}: name a function without arguments that returns "
            "the network, or one from inputs alone to logits"
        )
    if needed or needed is None:
        return value
    with one_line(spec, f"in {name}()"):
        built = value()
    if not isinstance(built, nn.Module | ExportedProgram) and not callable(built):
        raise ArcalError(
            f"{spec} returns {type(built).__name__}: it must return a torch module, or take inputs "
            "and return logits"
        )
    return built
