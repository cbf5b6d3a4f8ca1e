"""Names in `src/arcal` are the field's terms, and sentences do not begin with "Of"."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import arcal

SOURCE = Path(arcal.__file__).parent
ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
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


SENTENCE_WITH_OF = re.compile(
    r"(?:^|[.:;!?][)\"`*]*\s+|^[-*|]\s+|\|\s+)[(\"*`]*(Of\s.{,40})", re.MULTILINE
)


def sentences_with_of(text: str) -> list[str]:
    """The beginnings of sentences whose first word is "Of", as a translation may leave them."""
    return SENTENCE_WITH_OF.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_sentence_of_a_document_begins_with_of(path):
    assert not sentences_with_of(path.read_text())


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_sentence_of_a_text_in_code_begins_with_of(path):
    texts = [
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert not [one for text in texts for one in sentences_with_of(text)]


@pytest.mark.parametrize(
    "text",
    [
        "Of two classes the second.",
        "It is so. Of two classes",
        "- Of rows",
        "| rows | Of rows |",
        "a (b.) Of\nrows",
    ],
)
def test_sentences_with_of_are_seen(text):
    assert sentences_with_of(text)


def test_of_within_a_sentence_and_names_are_not_seen():
    assert not sentences_with_of("A set of rows of\ntwo. `ScoreOf x`; Office.\n```\n- Of code\n```")
