"""Progress in the terminal, and other messages for the user.

Progress bars and sentences for people go to standard error, tables and JSON to standard output, so
that a command's result can be piped. This file draws the bars; `arcal.report.terminal` prints the
tables. Details that only some users want, such as where something was read, are logged with
Python's `logging` under the name `arcal`; `--verbose` shows them.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic, process_time
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from arcal.printable import printable

console: Console = Console(stderr=True)
"""Standard error, where progress is drawn."""

EVERY = 30.0
"""Seconds between two lines of progress where there is no terminal."""


log: logging.Logger = logging.getLogger("arcal")
epochs: logging.Logger = logging.getLogger("arcal.epochs")


class _Shown(logging.Handler):
    """Prints log messages above the bar that is being drawn."""

    def emit(self, record: logging.LogRecord) -> None:
        line = printable(record.getMessage())
        console.print(line, style="dim", soft_wrap=True, highlight=False, markup=False)


@contextmanager
def say_less_or_more(*, quiet: bool, verbose: bool) -> Iterator[None]:
    """While the block runs, draw no progress if `quiet`, and show what is logged if `verbose`.

    Without a terminal, every epoch is shown as well, unless `quiet`.

    >>> with say_less_or_more(quiet=False, verbose=True):
    ...     log.isEnabledFor(logging.INFO)
    True
    """
    before, console.quiet = console.quiet, quiet
    handler, levels = _Shown(), (log.level, epochs.level)
    log.addHandler(handler)
    if verbose:
        log.setLevel(logging.INFO)
    elif not quiet and not console.is_terminal:
        epochs.setLevel(logging.INFO)
    started, worked = monotonic(), process_time()
    try:
        yield
        spent = monotonic() - started, process_time() - worked
        log.info(f"done in {spent[0]:.1f} s, {spent[1]:.1f} s of processor time in this process")
    finally:
        console.quiet = before
        log.removeHandler(handler)
        log.setLevel(levels[0])
        epochs.setLevel(levels[1])


class Bar(Protocol):
    """Receives progress: how much is done, and how much there is in total."""

    def __call__(self, done: int, total: int) -> None:
        """Report that `done` of `total` units are done."""

    def skipped(self, done: int, total: int) -> None:
        """Report the same, where the last of these units took no work."""


class _Rate(ProgressColumn):
    """Units done per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        unit = task.fields.get("unit", "")
        return Text("" if speed is None else f"{speed:,.1f} {unit}/s", style="progress.data.speed")


class _Lines:
    """Progress as lines of a log: how much is done, how fast, and how long the rest takes."""

    def __init__(self, description: str, unit: str):
        self.description, self.unit = description, unit
        self.started = self.said = monotonic()
        self.before: int | None = None
        self.now, self.reported = (0, 0), (0, 0)

    def __call__(self, done: int, total: int) -> None:
        if self.before is None or done < self.now[0]:
            # the rate leaves out what an earlier, killed command or another piece of work did
            self.before, self.started = done, monotonic()
        self.now = done, total
        if monotonic() - self.said >= EVERY:
            self.say()

    def skipped(self, done: int, total: int) -> None:
        if self.before is None or self.now[0] == self.before:  # nothing has been done here yet
            self.before, self.started = done, monotonic()
        else:
            self.before += done - self.now[0]
        self.now = done, total

    def say(self) -> None:
        self.said = monotonic()
        done, total = self.now
        spent, new = self.said - self.started, done - (self.before or 0)
        rate = f", {new / spent:,.3g} {self.unit}/s" if new and spent else ""
        left = timedelta(seconds=round((total - done) * spent / new)) if new else None
        left = f", {left} left" if left and done < total else ""
        line = f"{self.description}: {done:,} of {total:,} {self.unit}{rate}{left}"
        self.reported = self.now
        console.print(line, soft_wrap=True, highlight=False, markup=False)

    def last(self) -> None:
        if self.reported not in ((0, 0), self.now):  # only after an earlier line
            self.say()


class _Drawn:
    """Progress as a bar."""

    def __init__(self, progress: Progress, task: TaskID):
        self.progress, self.task = progress, task

    def __call__(self, done: int, total: int) -> None:
        self.progress.update(self.task, completed=done, total=total)

    def skipped(self, done: int, total: int) -> None:
        (task,) = self.progress.tasks
        started = task.start_time
        self.progress.reset(self.task, completed=done, total=total)  # forgets the rate
        task.start_time = started


@contextmanager
def bar(description: str, unit: str) -> Iterator[Bar]:
    """A progress bar on standard error with the rate in `unit` per second and the time left.

    The block gets a function to call with the units done and the total. It calls that function's
    `skipped` instead where the last units took no work, such as those that an earlier, killed
    command had done: they do not count towards the rate. When the block raises, the bar disappears,
    so that only the error message is left. Where standard error is not a terminal, such as a log
    file, a line is printed every `EVERY` seconds.

    >>> with bar("scoring", "images") as progress:
    ...     for done in range(5):
    ...         progress(done, 4)
    """
    if not console.is_terminal:
        lines = _Lines(description, unit)
        yield lines
        lines.last()
        return
    columns = (
        SpinnerColumn("line", finished_text="✓"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, refresh_per_second=4) as progress:
        task = progress.add_task(description, total=None, unit=unit)
        try:
            yield _Drawn(progress, task)
        except BaseException:
            progress.update(task, visible=False)
            raise
