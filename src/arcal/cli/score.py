"""arcal score"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from arcal.cli.output import say
from arcal.errors import ArcalError


@dataclass(frozen=True)
class Score:
    """Score every input of a run's data by its robustness; writes Parquet into the run's folder.

    With the order `attack` the robustness is the L2 norm of the smallest perturbation found that
    changes the model's prediction, and +inf where none was found. The others are rankings. A killed
    scoring continues with what is missing, and its file is the same as if it had not been.
    """

    run: tyro.conf.Positional[Path]
    """Run folder."""
    part: str = "test"
    """train, validation or test."""
    data: str | None = None
    """Where the run's data lies now, if it has moved since the training."""
    order: str = "attack"
    """attack, gradient, margin, confidence or random."""
    attack: str | None = None
    """Of the order attack: boundary-projection (the default), boundary-projection-quick, which
    ranks nearly as well with a third of the passes, carlini-wagner, the paper's, or
    carlini-wagner-gradient, the same from a better c."""
    budget: int | None = None
    """Of boundary-projection: forward and backward passes spent on each image, 48 unless given (16
    of the quick one)."""
    processes: int = 1
    """Processes that share the work, one a core or one a GPU; the file is the same."""
    threads: int = 1
    """Threads of each process."""
    accelerator: str = "cpu"
    """cpu, gpu or auto."""
    json: bool = False
    """Print a summary as JSON on standard output."""

    def __call__(self) -> None:
        from arcal.compute import Compute
        from arcal.console import bar
        from arcal.store import RunFolder
        from arcal.training.run import data_of
        from arcal.training.scoring import score_file, score_run

        if (self.attack, self.budget) != (None, None) and self.order != "attack":
            raise ArcalError(
                f"--attack and --budget are of the order attack: leave them out with {self.order}"
            )
        compute = Compute(self.accelerator, processes=self.processes, threads=self.threads)
        attack = None if self.order != "attack" else self._attack()
        fabric = compute.fabric()
        folder = RunFolder.open(self.run)
        part = data_of(folder, self.data).part(self.part)
        with compute.limited(), bar(f"scoring {self.part} by {self.order}", "images") as progress:
            scores = score_run(
                folder,
                part,
                self.part,
                self.order,
                attack=attack,
                fabric=fabric,
                progress=progress,
            )
        median = float(scores.robustness.median())
        summary: dict[str, Any] = {
            "file": str(score_file(folder, self.part, self.order, attack)),
            "order": self.order,
            "inputs": len(scores.ids),
            "success": None if scores.success is None else float(scores.success.double().mean()),
            "kind": "ranking" if scores.success is None else "distance",
            "median": median if median < float("inf") else None,
            "passes": float(scores.passes.double().mean()),
        }
        if self.json:
            print(json.dumps(summary, indent=2))
        say(", ".join(f"{name} {value}" for name, value in summary.items()))
        if scores.success is not None and not scores.success.all():
            failed = int((~scores.success).sum())
            say(f"the attack failed on {failed} of {len(scores.ids)} inputs: they have +inf")

    def _attack(self) -> Any:
        from dataclasses import replace

        from arcal.attacks import BoundaryProjection, attack_named

        attack = attack_named("boundary-projection" if self.attack is None else self.attack)
        if self.budget is None:
            return attack
        if not isinstance(attack, BoundaryProjection):
            raise ArcalError(f"--budget is of boundary-projection: leave it out with {self.attack}")
        return replace(attack, budget=self.budget)
