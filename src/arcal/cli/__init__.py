"""The command line, `arcal COMMAND`.

Each command is one file here. Nothing heavy is imported before it runs, because torch takes seconds
to import and `--help` does not need it.
"""

from arcal.cli._main import main

__all__ = ["main"]
