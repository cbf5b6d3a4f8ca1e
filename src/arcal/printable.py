"""Text that came with data, without characters that a terminal or a page would act on."""

import textwrap
import unicodedata
from collections.abc import Sequence

ORDERS = {"Cc", "Cs", "Cn", "Co", "Zl", "Zp"}
"""Control characters, surrogates, private or unassigned characters, and line separators."""

TURNS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Marks that change the direction of text, so that it reads as something else."""


def printable(text: str) -> str:
    r"""The text on one line, with unprintable characters escaped.

    Names of classes, files and columns may hold sequences that clear a terminal or rename its
    window, and control characters make an SVG invalid.

    >>> printable("cat\x1b[2J\n"), printable("猫 · José")
    ('cat\\x1b[2J\\n', '猫 · José')
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_escaped, text))


def first_few(names: Sequence[str], most: int = 8) -> str:
    """The first few of many names, for a message, with dots if there are more.

    >>> first_few(["cat", "dog", "fox"], most=2), first_few(["", "label"])
    ('cat, dog, ...', '(no name), label')
    """
    shown = (name or "(no name)" for name in names[:most])
    return ", ".join(shown) + (", ..." if len(names) > most else "")


def _escaped(character: str) -> str:
    if character in TURNS or unicodedata.category(character) in ORDERS:
        return character.encode("unicode_escape", "surrogatepass").decode()
    return character


def one_line(message: object) -> str:
    r"""A message of several lines as one printable line; of a traceback, only its last line.

    >>> one_line("the first\n  and the second")
    'the first and the second'
    """
    lines = [line.strip() for line in str(message).split("\n") if line.strip()]
    if any(line.startswith("Traceback (most recent call last)") for line in lines):
        lines = lines[-1:]
    return printable(" ".join(lines))


def printable_lines(text: str) -> str:
    r"""A text of several lines, each made printable.

    >>> printable_lines("one\ntwo\x07")
    'one\ntwo\\x07'
    """
    return "\n".join(map(printable, text.split("\n")))


def wrapped(text: str, width: int = 80) -> str:
    r"""Lines wrapped to a width in characters, and made printable.

    Continuations of an indented line are indented further. A number keeps its per cent sign.

    >>> wrapped("right on 91 % of these\n  ECE 5.5 points", width=14)
    'right on 91 %\nof these\n  ECE 5.5\n    points'
    """
    lines = []
    for line in printable_lines(text).split("\n"):
        before = len(line) - len(line.lstrip())
        indent = " " * (before + 2 if before else 0)
        usual = {"subsequent_indent": indent, "break_on_hyphens": False, "break_long_words": False}
        lines += textwrap.wrap(line.replace(" %", "\0%"), width, **usual) or [""]
    return "\n".join(lines).replace("\0", " ")
