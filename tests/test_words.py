"""Names in `src/arcal` are the field's terms: a few words of no meaning are not among them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import arcal

SOURCE = Path(arcal.__file__).parent
BANNED = {"asked", "at", "every_method", "found", "kept", "looks", "study", "tidy", "told"}

FILES = sorted(SOURCE.rglob("*.py"))


def names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """What a file defines, with its line: functions, classes, parameters, variables, attributes."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name, node.lineno
            case ast.arg():
                yield node.arg, node.lineno
            case ast.Name(ctx=ast.Store()):
                yield node.id, node.lineno
            case ast.Attribute(ctx=ast.Store()):
                yield node.attr, node.lineno
            case ast.alias(asname=str(name)) | ast.ExceptHandler(name=str(name)):
                yield name, node.lineno
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name, node.lineno


def banned(source: str) -> list[str]:
    """The banned names that a source text defines, as `name (line)`."""
    return [
        f"{name} (line {line})"
        for name, line in names(ast.parse(source))
        if (bare := name.strip("_")) in BANNED or bare.startswith("of_")
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_names_are_terms_of_the_field(path):
    assert path.stem.strip("_") not in BANNED
    assert not banned(path.read_text())


@pytest.mark.parametrize(
    "source",
    [
        "def of_sets(): ...",
        "class _of_run: ...",
        "def f(at): ...",
        "f = lambda *, found: 0",
        "kept = 1",
        "(a, *tidy), b = x",
        "for at, part in parts: ...",
        "[of_one for of_one in values]",
        "if (study := f()): ...",
        "self._asked = 1",
        "import json as looks",
        "with open(p) as found: ...",
    ],
)
def test_banned_names_are_seen(source):
    assert banned(source)


def test_uses_and_parts_of_words_are_not_banned():
    assert not banned("positions_of = x.at(found); attack = f(kept=1); 'found'; office = 1")
