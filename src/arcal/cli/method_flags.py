"""The flags of `arcal train` that methods declare, and the choices of the others."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import field, fields, make_dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypedDict, Union, get_origin

import tyro

from arcal.cli.output import say
from arcal.cli.train import Train
from arcal.errors import ArcalError

if TYPE_CHECKING:
    from arcal.methods import Method, Setting


def train_command() -> type[Train]:
    """`Train` with a flag for each setting of each method, including those of other packages."""
    from arcal.networks import NETWORKS
    from arcal.training.recipes import RECIPES

    methods = _methods()
    about = "\n".join(f"{name}: {kind.about}." for name, kind in methods.items())
    recipes = (
        f"{_list(RECIPES, 'or')}, or a TOML file: optimizer, learning rates, epochs, augmentation."
    )
    networks = (
        f"{_list(NETWORKS, 'or')}; or your own: file.py:name or package.module:name, a function "
        "that returns a new one (called with those of classes=, shape= and channels= that it "
        "takes); or timm:NAME or torchvision:NAME."
    )
    flags = {name: _flag(takers, methods) for name, takers in _takers(methods).items()}
    settings = TypedDict("Settings", flags, total=False)  # pyright: ignore
    own = [
        ("method", _with_help(str, about, **_named("vanilla")), "vanilla"),
        ("network", _with_help(str, networks, **_named("small")), "small"),
        ("recipe", _with_help(str, recipes, **_named("small")), "small"),
        ("settings", tyro.conf.OmitArgPrefixes[settings], field(default_factory=dict)),
    ]
    about_it = {"__doc__": Train.__doc__}
    return make_dataclass("Train", own, bases=(Train,), frozen=True, namespace=about_it)


def _methods() -> dict[str, "type[Method]"]:
    """Every method that can be used; a line says why another package's method cannot."""
    from arcal.methods import METHODS

    methods = {}
    for name in METHODS:
        try:
            methods[name] = METHODS[name]
        except ArcalError as error:
            say(f"arcal: {error}")
    return methods


def _takers(methods: Mapping[str, "type[Method]"]) -> dict[str, dict[str, "Setting"]]:
    """Each setting by its name, as declared by each method that takes it."""
    taken = {"help", *(one.name for one in fields(Train))}
    takers: dict[str, dict[str, Setting]] = {}
    for name, kind in methods.items():
        for setting in kind.settings():
            if (setting.flag or setting.name) in taken:
                say(
                    f"arcal: {setting.name} of the method {name} cannot be given here, since "
                    f"--{setting.flag or setting.name} is another flag: its package can name one "
                    "by Setting(flag=...)"
                )
                continue
            takers.setdefault(setting.name, {})[name] = setting
    return takers


def _flag(takers: Mapping[str, "Setting"], methods: Collection[str]) -> Any:
    """The type of a setting's flag, with its name and help."""
    setting = next(iter(takers.values()))
    by_help: dict[tuple[str, str], list[str]] = {}
    by_default: dict[Any, list[str]] = {}
    for name, one in takers.items():
        by_help.setdefault((one.range, one.help), []).append(name)
        by_default.setdefault(str(one.default), []).append(name)
    by_default.pop("None", None)
    texts = [
        f"{help[:1].upper()}{help[1:]} ({'; '.join(filter(None, [_for(names, methods), bounds]))})."
        for (bounds, help), names in by_help.items()
    ]
    defaults = ", ".join(
        default if len(by_default) == 1 else f"{default} for {_list(names, 'and')}"
        for default, names in by_default.items()
    )
    return _with_help(
        tyro.conf.FlagConversionOff[Union[setting.types]],  # noqa: UP007
        "\n".join(texts),
        name=setting.flag or setting.name,
        metavar=_metavar(setting.types),
        help_behavior_hint=f"(default: {defaults})" if defaults else "",
    )


def _for(names: Collection[str], methods: Collection[str]) -> str:
    others = [name for name in methods if name not in names]
    if not others:
        return "all methods"
    few = len(others) < 2 < len(names)
    return f"all methods but {_list(others, 'and')}" if few else _list(names, "and")


def _metavar(types: Collection[Any]) -> str:
    """The placeholder for a setting's value; its help says which values it takes."""
    known = [get_origin(one) or one for one in types]
    words = {int: "N", float: "NUMBER", str: "NAME", bool: "True or False"}
    if any(isinstance(one, type) and one not in words for one in known):  # a list or a mapping
        return "NUMBER ..."
    return next((words[one] for one in known if one in words), "NAME")


def _named(usual: str) -> dict[str, str]:
    return {"metavar": "NAME", "help_behavior_hint": f"(default: {usual})"}


def _with_help(type: Any, help: str, **options: Any) -> Any:
    return Annotated[type, tyro.conf.arg(help=help, **options)]


def _list(names: Iterable[str], word: str) -> str:
    *first, last = names
    return f"{', '.join(first)} {word} {last}" if first else last
