"""Progress in the terminal.

Progress bars and sentences for people go to standard error, tables and JSON to standard output, so
that a command's result can be piped. This file draws the bars; `arcal.report.terminal` prints the
tables.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

console = Console(stderr=True)
"""Standard error, where progress is drawn."""


class _Rate(ProgressColumn):
    """Units done per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        unit = task.fields.get("unit", "")
        return Text("" if speed is None else f"{speed:,.1f} {unit}/s", style="progress.data.speed")


@contextmanager
def bar(description: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error with the rate in `unit` per second and the time left.

    The block gets a function to call with how much is done and how much there is in total. When the
    block raises, the bar disappears, so that the error message is the only line left.

    >>> with bar("scoring", "images") as progress:
    ...     for done in range(5):
    ...         progress(done, 4)
    """
    columns = (
        SpinnerColumn(finished_text="✓"),
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
            yield lambda done, total: progress.update(task, completed=done, total=total)
        except BaseException:
            progress.update(task, visible=False)
            raise
