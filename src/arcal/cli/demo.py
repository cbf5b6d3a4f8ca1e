"""arcal demo"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from arcal.cli._paths import check_folder
from arcal.cli.model_and_data import flag
from arcal.cli.output import say, show
from arcal.errors import ArcalError


@dataclass(frozen=True)
class Demo:
    """Train vanilla, label smoothing and AR-AdaLS on embedded images; write a report and an audit.

    Three seeds each on a subset of Fashion-MNIST that comes with the package; then vanilla and
    AR-AdaLS of the first seed are audited. It takes a few minutes on two cores. Finished work is
    not repeated.
    """

    out: Annotated[Path, flag("FOLDER")] = Path("arcal-demo")
    """Folder for the runs and the report."""
    seeds: Annotated[tuple[int, ...], flag("N ...")] = (0, 1, 2)
    """One run of each method for each seed; epsilon is chosen with the first."""
    workers: Annotated[int, flag("N")] = 3
    """Processes that train at the same time, one thread each: one more than there are cores keeps
    all of them busy."""
    json: Annotated[bool, flag()] = False
    """Print the figures as JSON on standard output."""

    def __call__(self) -> None:
        from arcal.compute import Compute
        from arcal.demo import demo

        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ArcalError(f"seeds are {list(self.seeds)}: give at least one, each once")
        check_folder(self.out)
        compute = Compute(workers=self.workers, threads=1)
        compute.begin("arcal.training", "arcal.evaluation", "arcal.compute.device")
        compute.log()
        evaluated, page, audit = demo(self.out, seeds=self.seeds, compute=compute)
        show(evaluated, self.json)
        say(f"report: {page}")
        say(f"audit: {audit}")
