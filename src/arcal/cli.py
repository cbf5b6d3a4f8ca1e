"""The command line: arcal demo | train | score | evaluate | report | reproduce."""

import sys
from typing import Annotated

import tyro

from arcal.commands.demo import Demo
from arcal.commands.evaluate import Evaluate
from arcal.commands.output import say
from arcal.commands.report import Report
from arcal.commands.reproduce import Reproduce
from arcal.commands.score import Score
from arcal.commands.train import Train
from arcal.errors import ArcalError
from arcal.training.memory import keep_memory

Command = (
    Annotated[Demo, tyro.conf.subcommand("demo")]
    | Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Score, tyro.conf.subcommand("score")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Report, tyro.conf.subcommand("report")]
    | Annotated[Reproduce, tyro.conf.subcommand("reproduce")]
)


def main() -> None:
    """Run the command line. Bad input prints one line and exits with 2."""
    try:
        command = tyro.cli(
            Command,  # pyright: ignore[reportArgumentType]
            prog="arcal",
            description="Score, audit and train classifiers that say how sure they should be.",
            config=(tyro.conf.OmitSubcommandPrefixes, tyro.conf.FlagCreatePairsOff),
        )
        keep_memory()
        command()
    except ArcalError as error:
        say(f"arcal: {error}")
        sys.exit(2)
    except OSError as error:  # a full disk, a folder that cannot be written
        say(f"arcal: {error}; what was finished is kept, the same command continues")
        sys.exit(2)
    except KeyboardInterrupt:
        say("arcal: stopped; what was finished is kept, the same command continues")
        sys.exit(130)
