"""arcal report"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from arcal.cli._paths import check_folder
from arcal.cli.evaluate import Evaluate, evaluated
from arcal.cli.model_and_data import flag
from arcal.cli.output import say


@dataclass(frozen=True)
class Report(Evaluate):
    """Write one self-contained page about runs: means over seeds, and one run of each to explore.

    Pictures over seeds lie beside it as SVG and PNG, and the numbers as JSON. Runs that have not
    been evaluated are evaluated first.
    """

    out: Annotated[Path, flag("FOLDER")] = Path("report")
    """Folder of the report."""
    no_images: Annotated[bool, flag()] = False
    """Leave all pictures of inputs out of the page, so that you can share it."""

    def __call__(self) -> None:
        from arcal.report import write_report

        check_folder(self.out, ("index.html", "figures.json"))
        data, subjects, notes = evaluated(self, self.table or self.out / "evaluation.parquet")
        page = write_report(
            self.out,
            subjects,
            title="Calibration by adversarial robustness",
            classes=data.classes,
            notes=notes,
            part=None if self.no_images else data.test,
        )
        self.show(subjects)
        say(f"report: {page}")
