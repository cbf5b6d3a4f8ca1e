"""`main`: run the command that the arguments name, or say in one line why it cannot be."""

import os
import sys
import traceback

from arcal._version import __version__
from arcal.cli._failures import KEPT, line_for
from arcal.cli.output import say


def main() -> None:
    """Run the command line. What cannot be done prints one line and exits with 2.

    Anywhere among the arguments `--debug` prints the traceback before that line, and `--quiet` or
    `-q` leaves out the progress.
    """
    debug, quiet = "--debug" in sys.argv, bool({"-q", "--quiet"} & {*sys.argv})
    arguments = [one for one in sys.argv[1:] if one not in ("--debug", "-q", "--quiet")]
    if arguments == ["--version"]:
        print(f"arcal {__version__}")
        return
    for stream in (sys.stdout, sys.stderr):  # what they cannot encode is written as an escape
        if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            reconfigure(errors="backslashreplace")
    try:
        _run(arguments, quiet)
    except BrokenPipeError:  # whoever read the output, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except KeyboardInterrupt:
        say(f"arcal: stopped; {KEPT}")
        sys.exit(130)
    except Exception as error:
        if debug:
            traceback.print_exc()
        say(f"arcal: {line_for(error)}")
        sys.exit(2)


def _run(arguments: list[str], quiet: bool) -> None:
    """Libraries are loaded here, where it is said if one cannot be."""
    from arcal.cli._parsed import command

    called = command(arguments)
    from arcal.compute.memory import keep_memory
    from arcal.console import console

    console.quiet = quiet
    keep_memory()
    called()
