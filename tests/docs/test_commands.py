"""Commands in the documents are ones that can be typed."""

import re
import shlex
from importlib.util import find_spec

import pytest
from documents import DOCUMENTS, NAMES, blocks

from arcal.cli._help import options_of
from arcal.cli._parsed import COMMANDS
from arcal.cli.method_flags import train_command

COMMON = {"--config", "--quiet", "--verbose", "--debug", "--help"}
OF_AN_EXAMPLE = {"--weight"}
"""The setting of the method that methods.md writes."""


def lines(document):
    """The commands in its shell blocks, without comments."""
    for block in blocks(document.read_text(), "sh"):
        yield from (re.sub(r"\s+#.*", "", line) for line in block.replace("\\\n", "").split("\n"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_commands_and_their_options_exist(document):
    for line in lines(document):
        if match := re.match(r"(?:\.venv\S*/bin/)?arcal ([a-z]+)", line):
            command = train_command() if match[1] == "train" else COMMANDS[match[1]]
            known = COMMON | OF_AN_EXAMPLE | {*options_of(command)}
            unknown = {word for word in shlex.split(line) if word.startswith("--")} - known
            assert not unknown, line
        elif match := re.search(r"python -m (benchmarks\.\w+)", line):
            assert find_spec(match[1]), line
