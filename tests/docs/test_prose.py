"""Prose in the documents is wrapped: no line is longer than its neighbours by oversight."""

import re

import pytest
from documents import DOCUMENTS, ROOT

WIDEST = 105
"""The most characters in a line of prose, without the targets of its links."""
PROSE = [*DOCUMENTS, ROOT / "CHANGELOG.md", ROOT / "SECURITY.md"]


def too_long(text: str) -> list[str]:
    """The lines of prose that are too long, as `number: text`; not those in tables or code."""
    code = generated = False
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"<!-- \w+: (generated|end)", line):
            generated = line.endswith("generated -->")
        elif line.lstrip().startswith("```"):
            code = not code
        elif not (code or generated or line.startswith(("|", "    ", "!["))):
            seen = re.sub(r"\]\([^)]*\)", "]", line)
            lines += [f"{number}: {line}"] * (len(seen) > WIDEST)
    return lines


@pytest.mark.parametrize("document", PROSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_prose_is_wrapped(document):
    assert not too_long(document.read_text())


def test_long_lines_are_seen_outside_tables_code_and_links():
    long = "word " * 30
    assert too_long(f"Short.\n- {long}") == [f"2: - {long}"]
    link = f"[here](page.md#{'x' * 100})"
    assert not too_long(f"| {long} |\n```\n{long}\n```\n    {long}\n{link}")
    assert not too_long(f"<!-- one: generated -->\n{long}\n<!-- one: end -->\n")
