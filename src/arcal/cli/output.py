"""What commands print: lines for people on standard error, tables and JSON on standard output."""

import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from arcal.auditing import Subject


def show(subjects: "list[Subject]", as_json: bool) -> None:
    """Print the table of methods, or every run's figures as JSON on standard output."""
    from arcal.report.terminal import as_records, print_table

    if as_json:
        print(json.dumps(as_records(subjects), indent=2))
    else:
        print_table(subjects)


def say(line: str) -> None:
    """Print a line for people, on standard error."""
    print(line, file=sys.stderr)
