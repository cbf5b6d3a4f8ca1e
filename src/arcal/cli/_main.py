"""`main`: run the command that the arguments name, or print one line on why it fails."""

import os
import sys
import traceback
import warnings
from contextlib import nullcontext

from arcal._version import __version__
from arcal.cli import _launched
from arcal.cli._failures import KEPT, line_for
from arcal.cli._readable import print_what_can_be
from arcal.cli.output import results_alone, say

QUIET, VERBOSE = {"-q", "--quiet"}, {"-v", "--verbose"}
FOR_PROGRAMS = {"--json", "--markdown"}


def main() -> None:
    """Run the command line; a command that fails prints one line and exits with 2.

    Anywhere among the arguments, `--debug` prints the traceback before that line, `--quiet` or `-q`
    hides the progress, and `--verbose` or `-v` logs more.
    """
    debug = "--debug" in sys.argv
    arguments = [one for one in sys.argv[1:] if one != "--debug"]
    if arguments == ["--version"]:
        print(f"arcal {__version__}")
        return
    print_what_can_be()
    try:
        _run(arguments)
    except BrokenPipeError:  # the reader of the output, such as `head`, has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except KeyboardInterrupt as error:
        if (line := _launched.line_of(error, lambda _: f"stopped; {KEPT}")) is not None:
            say(f"arcal: {line}")
        _launched.leave(130)
    except Exception as error:
        if debug:
            traceback.print_exc()
        if (line := _launched.line_of(error, line_for)) is not None:
            say(f"arcal: {line}")
        _launched.leave(2)


def _run(arguments: list[str]) -> None:
    """Run the command; libraries are imported here, so that `main` reports any that fail."""
    from arcal.cli.config_file import expanded
    from arcal.errors import ArcalError

    typed = arguments
    arguments = expanded(typed)
    quiet, verbose = (bool(names & {*arguments}) for names in (QUIET, VERBOSE))
    if quiet and verbose:
        raise ArcalError("--quiet and --verbose: give one of them")
    from arcal.cli._parsed import command

    # Pillow opens such an image nevertheless.
    warnings.filterwarnings("ignore", message="Image size .* decompression bomb")
    called = command([one for one in arguments if one not in QUIET | VERBOSE], typed)
    if (check := getattr(called, "check", None)) is not None:
        check()  # before torch is imported, which takes seconds
    from arcal.compute.processes import keep_memory
    from arcal.console import say_less_or_more

    keep_memory()
    alone = results_alone() if FOR_PROGRAMS & {*arguments} else nullcontext()
    with say_less_or_more(quiet=quiet, verbose=verbose), alone:
        _launched.run(called)
