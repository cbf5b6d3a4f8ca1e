"""The command line within this process, whatever it raises."""

import contextlib
import io
import sys
from dataclasses import dataclass
from unittest.mock import patch

from arcal.cli import main


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit code."""

    code: int
    stdout: str
    stderr: str

    @property
    def line(self) -> str:
        """The one line that says what is wrong."""
        assert self.code == 2, self.stderr
        (line,) = self.stderr.strip().splitlines()
        return line


def arcal(*arguments: object) -> Done:
    """Run a command; a process of its own would take seconds to start."""
    code = 0
    with (
        patch.object(sys, "argv", ["arcal", *map(str, arguments)]),
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as err,
    ):
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
    assert isinstance(code, int)
    return Done(code, out.getvalue(), err.getvalue())
