"""What commands print: lines for people on standard error, tables and JSON on standard output."""

import json
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any

from arcal.printable import printable, printable_lines

if TYPE_CHECKING:
    from arcal.auditing import Subject


def show(
    subjects: "list[Subject]", as_json: bool, as_markdown: bool = False, as_latex: bool = False
) -> None:
    """Print the table of methods, perhaps as markup, or every run's figures as JSON.

    All are printed on standard output, and only one of them.
    """
    from arcal.report.markup import latex_tables, markdown_tables
    from arcal.report.terminal import as_records, print_table

    if as_json:
        print_json(as_records(subjects))
    elif as_markdown or as_latex:
        print(printable_lines((markdown_tables if as_markdown else latex_tables)(subjects)))
    else:
        print_table(subjects)


def print_json(value: Any) -> None:
    """Print a value as indented JSON, on standard output."""
    print(json.dumps(value, indent=2))


def wrapped(text: str) -> str:
    """Lines no longer than the terminal is wide, 80 columns where there is none.

    What is carried over of an indented line is indented further. A number keeps its per cent sign.
    """
    width = shutil.get_terminal_size().columns
    lines = []
    for line in printable_lines(text).split("\n"):
        before = len(line) - len(line.lstrip())
        indent = " " * (before + 2 if before else 0)
        usual = {"subsequent_indent": indent, "break_on_hyphens": False, "break_long_words": False}
        lines += textwrap.wrap(line.replace(" %", "\0%"), width, **usual) or [""]
    return "\n".join(lines).replace("\0", " ")


def say(line: str) -> None:
    """Print a line for people, on standard error."""
    print(printable(line), file=sys.stderr)
