"""`arcal --help` and `arcal COMMAND --help`: plain text that fits the terminal."""

import ast
import inspect
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_args, get_type_hints, is_typeddict

import tyro

COMMON = (
    ("--config FILE", "A TOML file with the command's options."),
    ("-q, --quiet", "Hide the progress."),
    (
        "-v, --verbose",
        "Log the device, what is read from where, what was already done, and how many seconds "
        "each stage took.",
    ),
    ("--debug", "Show the traceback of an error."),
    ("-h, --help", "Show this text."),
)
"""The options of every command, and what they do."""

HIDDEN = "hidden"
"""Marks, in its annotation, an option that the command refuses and the help does not show."""

BESIDE = 60
"""In terminals of at least this many columns, an explanation is beside its option."""
INDENT = 26
WIDEST = 100
"""The most columns of a line: longer ones are hard to read."""


def dashed(name: str) -> str:
    """The name of a field as its option is typed.

    >>> dashed("fail_if")
    '--fail-if'
    """
    return f"--{name.replace('_', '-')}"


def overview(about: str, commands: Mapping[str, type]) -> str:
    """The help of `arcal` itself: what it is `about`, and its commands."""
    firsts = [(name, inspect.getdoc(of) or "") for name, of in commands.items()]
    lines = ["usage: arcal COMMAND [options]", "", *_paragraphs(about), "", "Commands:"]
    lines += _explained((name, text.partition("\n")[0]) for name, text in firsts)
    lines += ["", "Options of every command:", *_explained(COMMON)]
    lines += ["", "Other options:", *_explained([("--version", "Show the version of arcal.")])]
    lines += ["", *_paragraphs("`arcal COMMAND --help` explains the others.")]
    return "\n".join(lines)


def help_for(name: str, command: type) -> str:
    """The help of a command: what it does, and each of its options with its explanation.

    `command` is a dataclass whose fields are options, or dataclasses of options. Each option is
    explained by the text under it, or by the `help` of its `tyro.conf.arg`.
    """
    sections = dict(_sections(command))
    named = sections.pop("", [])
    usage = " ".join(["usage: arcal", name, *(row[0] for row in named), "[options]"])
    lines = [*_wrapped(usage, ""), "", *_paragraphs(inspect.getdoc(command) or "")]
    for title, rows in {"": named, **sections, "Options of every command:": [*COMMON]}.items():
        if rows:
            lines += ["", *_wrapped(title, "")] if title else [""]
            lines += _explained(rows)
    return "\n".join(lines)


def options_of(command: type) -> list[str]:
    """The options that the help of a command shows, as they are typed."""
    rows = (row for _, some in _sections(command) for row in some)
    return [typed.split()[0] for typed, _ in rows if typed.startswith("--")]


def lists_of(command: type) -> dict[str, Any]:
    """The options of a command that take any number of values, as typed, with their defaults."""
    lists, hints = dict[str, Any](), get_type_hints(command, include_extras=True)
    for one in fields(command):
        kind, *notes = get_args(hints[one.name]) or (hints[one.name],)
        if is_dataclass(kind):
            assert isinstance(kind, type)
            lists |= lists_of(kind)
        elif tyro.conf.Positional not in notes and any(
            str(getattr(note, "metavar", "")).endswith("...") for note in notes
        ):
            lists[dashed(one.name)] = one.default
    return lists


def _sections(command: type) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The titles of groups of options, with their options; positional arguments have no title."""
    named, own, groups = [], [], []
    hints, texts = get_type_hints(command, include_extras=True), _texts(command)
    for one in fields(command):
        hint = hints[one.name]
        notes = getattr(hint, "__metadata__", ())
        kind = get_args(hint)[0] if notes else hint
        if is_dataclass(kind):
            assert isinstance(kind, type)
            rows = [row for _, some in _sections(kind) for row in some]
            groups.append((f"{(inspect.getdoc(kind) or '').rstrip('.')}:", rows))
        elif typed := get_type_hints(kind, include_extras=True) if is_typeddict(kind) else None:
            rows = [_row(name, note.__metadata__, "", None) for name, note in typed.items()]
            groups.append(("Settings of the methods:", rows))
        elif tyro.conf.Positional in notes:
            named.append(_row("", notes, texts.get(one.name, ""), None))
        elif tyro.conf.Suppress not in notes and HIDDEN not in notes:
            default = None if one.default is MISSING else one.default
            own.append(_row(one.name, notes, texts.get(one.name, ""), default))
    yield from (("", named), ("Options:", own), *groups)


def _row(name: str, notes: Iterable[Any], text: str, default: Any) -> tuple[str, str]:
    """An option as it is typed, and its explanation."""
    how: Any = next(note for note in notes if hasattr(note, "metavar"))
    typed = dashed(how.name or name) if name else ""
    hint: Any = how.help_behavior_hint
    if callable(hint):
        several = isinstance(default, tuple)
        hint = hint(" ".join(map(str, default)) if several else str(default))
    text = how.help or " ".join(text.split())
    return f"{typed} {how.metavar or ''}".strip(), f"{text} {hint or ''}".strip()


def _texts(command: type) -> dict[str, str]:
    """The text under each field of a dataclass and of its base classes."""
    texts = {}
    for base in reversed(command.__mro__):
        try:
            body: Any = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        except (OSError, TypeError):  # made at run time, where each field has its `help`
            continue
        for field, text in zip(body.body, body.body[1:], strict=False):
            match field, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(ast.Constant(str(words))):
                    texts[name] = words
    return texts


def _width() -> int:
    return min(shutil.get_terminal_size().columns, WIDEST)


def _wrapped(text: str, indent: str, further: str | None = None) -> list[str]:
    usual: Any = {"break_on_hyphens": False, "break_long_words": False}
    further = indent if further is None else further
    usual |= {"initial_indent": indent, "subsequent_indent": further}
    return [line for part in text.split("\n") for line in textwrap.wrap(part, _width(), **usual)]


def _paragraphs(text: str) -> list[str]:
    parts = [_wrapped(" ".join(part.split()), "") for part in text.split("\n\n")]
    return [line for part in parts for line in (*part, "")][:-1]


def _explained(rows: Iterable[tuple[str, str]]) -> Sequence[str]:
    """Options with their explanations: beside them if there is room, otherwise below."""
    lines = []
    beside = _width() >= BESIDE
    for option, text in rows:
        indent = " " * (INDENT if beside else 6)
        left = _wrapped(option, "  ", "    ")
        right = _wrapped(text, indent)
        if beside and right and len(left) == 1 and len(left[0]) + 2 <= INDENT:
            right[0] = left.pop().ljust(INDENT) + right[0].lstrip()
        lines += [*left, *right]
    return lines
