"""arcal demo"""

from dataclasses import dataclass
from pathlib import Path

from arcal.commands.output import say, show


@dataclass(frozen=True)
class Demo:
    """Train vanilla, label smoothing and AR-AdaLS on embedded images and report what it shows.

    Three seeds each on a subset of Fashion-MNIST that comes with the package; about three minutes
    on two cores. Nothing that is already there is done again.
    """

    out: Path = Path("arcal-demo")
    """Folder for the runs and the report."""
    workers: int = 2
    """Processes that train at the same time, one thread each."""
    json: bool = False
    """Print the figures as JSON on standard output."""

    def __call__(self) -> None:
        from arcal.demo import demo

        evaluated, page = demo(self.out, workers=self.workers)
        show(evaluated, self.json)
        say(f"report: {page}")
