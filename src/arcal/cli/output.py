"""What commands print: lines for people on standard error, tables and JSON on standard output."""

import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from io import UnsupportedOperation
from typing import TYPE_CHECKING, Any, TextIO

from arcal.printable import printable
from arcal.printable import wrapped as wrapped_to

if TYPE_CHECKING:
    from arcal.auditing import Subject

_results: TextIO | None = None


@contextmanager
def results_alone() -> Iterator[None]:
    """Reserve standard output for results that a program reads.

    Anything else printed there meanwhile, by a user's model, its libraries or subprocesses, goes to
    standard error.
    """
    global _results
    usual = sys.stdout
    try:
        whole = usual.fileno() == 1
    except (AttributeError, UnsupportedOperation):  # it is not a file, as in a notebook
        whole = False
    if not whole:
        _results = usual
        try:
            with redirect_stdout(sys.stderr):
                yield
        finally:
            _results = None
        return
    usual.flush()
    before = os.dup(1)
    os.dup2(2, 1)
    _results = os.fdopen(before, "w", encoding=usual.encoding, errors=usual.errors)
    try:
        yield
    finally:
        usual.flush()
        os.dup2(before, 1)
        results, _results = _results, None
        results.close()


def print_results(text: str) -> None:
    """Print results, which a program may read, on standard output."""
    print(text, file=_results or sys.stdout, flush=True)


def show(subjects: "list[Subject]", as_json: bool) -> None:
    """Print, on standard output, the table of methods, or all figures as JSON."""
    from arcal.report.terminal import as_records, print_table

    if as_json:
        print_json(as_records(subjects))
    else:
        print_table(subjects)


def print_json(value: Any) -> None:
    """Print a value as indented JSON, on standard output."""
    print_results(json.dumps(value, indent=2))


def wrapped(text: str) -> str:
    """Lines wrapped to the width of the terminal, or to 80 columns if there is none."""
    return wrapped_to(text, shutil.get_terminal_size().columns)


def say(line: str) -> None:
    """Print a line for people, on standard error."""
    print(printable(line), file=sys.stderr)


def end_if_failed(lines: Sequence[str]) -> None:
    """Say which conditions of --fail-if hold, if any, and end the program with exit code 1."""
    for line in lines:
        say(f"arcal: {line}")
    if lines:
        sys.exit(1)
