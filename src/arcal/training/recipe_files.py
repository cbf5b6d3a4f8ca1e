"""A recipe as a TOML file; and a run as the TOML file of the command that trains it."""

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import tomli_w

from arcal._version import __version__
from arcal.classifiers import near
from arcal.data.remote import absolute
from arcal.errors import ArcalError, prefixing_errors
from arcal.files import expanded, write_text
from arcal.methods import METHODS
from arcal.store import RunFolder
from arcal.training._types import has_type
from arcal.training.recipes import RECIPES, Recipe, recipe_named
from arcal.training.run import CHOICE, Run


def open_recipe(spec: str) -> Recipe:
    """The recipe of a name in `RECIPES`, or of a TOML file.

    A file has the fields of `Recipe` as keys, at its top or in a table `recipe`. `like` names one
    of `RECIPES` that gives what the file leaves out; without it `epochs`, `batch_size`, `optimizer`
    and `learning_rate` are needed. A recipe without a name is named after its file. A file that
    cannot be read, an unknown key or a value of another type raises `ArcalError`.

    >>> _ = Path("mine.toml").write_text('like = "fast"')
    >>> recipe = open_recipe("mine.toml")
    >>> recipe.name, recipe.epochs, recipe.batch_size
    ('mine', 16, 256)
    """
    if not spec.endswith(".toml"):
        return recipe_named(spec)
    path = expanded(spec)
    content = read_toml(path)
    table = content.get("recipe", content)
    if not isinstance(table, Mapping):
        raise ArcalError(f"{path}: its recipe is not a table: write the keys below a line [recipe]")
    return _recipe(path, dict(table))


def as_table(recipe: Recipe) -> dict[str, Any]:
    """A recipe as the keys and values of such a file.

    >>> as_table(recipe_named("resnet29"))["steps"][0]
    [80, 0.1]
    """
    table = {name: value for name, value in asdict(recipe).items() if value is not None}
    return table | {"steps": [list(step) for step in recipe.steps]}


def write_command(run: Run, folder: RunFolder) -> None:
    """Write train.toml into a run's folder: `arcal train --config` with it trains the run again."""
    data = run.data if run.data == "fashion" else absolute(run.data)
    usual = {field.name: field.default for field in fields(Run)}
    values = {
        "command": "train",
        "data": data,
        "runs": str(folder.path.parent.absolute()),
        "seeds": list(run.seeds),
        "ensemble": len(run.seeds) > 1,
    }
    for name in ("method", "network", "weights", *CHOICE, "threads", "devices"):
        value = getattr(run, name)
        if value != usual[name]:
            values[name] = list(value) if isinstance(value, tuple) else value
    flags = {one.name: one.flag or one.name for one in METHODS[run.method].settings()}
    values["recipe"] = as_table(run.recipe)
    values["settings"] = {
        flags[name]: {str(key): one for key, one in value.items()}
        if isinstance(value, Mapping)
        else value
        for name, value in run.settings.items()
        if value is not None
    }
    text = tomli_w.dumps(values)
    file = folder.path / "train.toml"
    if not file.exists() or not file.read_bytes().endswith(text.encode()):  # else unchanged
        text = f"# written by arcal {__version__}\n{text}"
        write_text(file, text)


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file; one that is missing or is not TOML raises `ArcalError`."""
    if not path.is_file():
        raise ArcalError(f"{path} is missing: name a TOML file")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise ArcalError(f"{path} is not UTF-8: save it as UTF-8") from None
    except ValueError as error:
        raise ArcalError(f"{path} is not TOML: {error}; correct it there") from None


def _recipe(path: Path, table: dict[str, Any]) -> Recipe:
    hints = get_type_hints(Recipe)
    like = table.pop("like", None)
    if like is not None and like not in tuple(RECIPES):
        raise ArcalError(f"{path}: like = {like!r}: choose from {', '.join(RECIPES)}")
    if unknown := next((key for key in table if key not in hints), None):
        keys = ", ".join(["like", *hints])
        raise ArcalError(f"{path}: {unknown}: {near(unknown, hints, f'the keys are {keys}')}")
    values: dict[str, Any] = {} if like is None else vars(RECIPES[like]).copy()
    values["name"] = path.stem
    for key, value in table.items():
        values[key] = _typed(path, key, value, hints[key])
    needed = [field.name for field in fields(Recipe) if field.default is MISSING]
    if like is None and (missing := [name for name in needed if name not in values]):
        raise ArcalError(
            f"{path} lacks {' and '.join(missing)}: add it, or begin with like = 'fast'"
        )
    with prefixing_errors(path):
        return Recipe(**values)


def _typed(path: Path, key: str, value: Any, hint: Any) -> Any:
    """A value of the type that a recipe's field has."""
    types = {hint, *get_args(hint)}
    if key == "steps":
        wanted = "pairs of an epoch and a factor, such as [[80, 0.1], [120, 0.01]]"
        if isinstance(value, list) and all(isinstance(pair, list) for pair in value):
            steps = tuple(map(tuple, value))
            if has_type(steps, hint):
                return tuple((done, float(factor)) for done, factor in steps)
    elif int in types:
        wanted = "a whole number"
        if type(value) is int:  # not a bool
            return value
    elif float in types:
        wanted = "a number"
        if type(value) in (int, float):
            return float(value)
    else:
        wanted = "text"
        if isinstance(value, str):
            return value
    raise ArcalError(f"{path}: {key} = {value!r}: it has to be {wanted}")
