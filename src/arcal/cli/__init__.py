"""The command line, `arcal COMMAND`.

A command is one file here. Nothing heavy is imported before it runs: torch takes seconds, and
`--help` needs none of it.
"""

from arcal.cli._main import main

__all__ = ["main"]
