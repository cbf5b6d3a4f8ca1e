"""Runs that were left unfinished, and would start over."""

from collections.abc import Iterable, Iterator
from glob import escape
from pathlib import Path
from typing import Any

from arcal.data import Data
from arcal.errors import ArcalError
from arcal.store import PLACES, RunFolder, content_hash
from arcal.training.run import Run
from arcal.training.saved_run import is_done


def check_devices(run: Run, root: Path, data: Data) -> None:
    """Refuse to start over a run that was left unfinished on another number of devices."""
    for folder, other in _unfinished(run, root, run.config(data), "devices"):
        n = other.get("devices", 1)
        raise ArcalError(
            f"{folder.path} is this run on {n} device{'s' * (n > 1)}, {folder.epochs_done()} of "
            f"{run.recipe.epochs} epochs done: give --devices {n} to continue it, or delete it "
            f"to start on {run.devices}"
        )


CONTENT = {"network_digest": "network", "weights_digest": "file of weights", "data": "data"}
"""The entries of a configuration that identify what was read, and what each is called."""


def begun_before(runs: Iterable[Run], root: Path, data: Data) -> Iterator[str]:
    """A sentence for each run on `data` that starts over because what it is made from has changed.

    It was left unfinished, with the same files but other contents.
    """
    for run in runs:
        if not any(root.glob(f"{escape(run.label)}-*")):
            continue  # then the data need not be read for its digest
        config = run.config(data)
        for folder, other in _unfinished(run, root, config, *CONTENT, "validation"):
            changed = [
                what for name, what in CONTENT.items() if other.get(name) != config.get(name)
            ]
            if changed and all(other.get(place) == config.get(place) for place in PLACES):
                yield (
                    f"{folder.path} was left after {folder.epochs_done()} of {run.recipe.epochs} "
                    f"epochs, and its {' and its '.join(changed)} changed since: this starts again"
                )


def _unfinished(
    run: Run, root: Path, config: dict[str, Any], *but: str
) -> Iterator[tuple[RunFolder, dict[str, Any]]]:
    """Unfinished runs that differ from this one only in `but`, and their configurations.

    There are none if this run has begun.
    """

    def alike(config: dict[str, Any]) -> str:
        return content_hash({k: value for k, value in config.items() if k not in but})

    own = root / f"{run.label}-{content_hash(config)}"
    if RunFolder(own).epochs_done():
        return
    for path in sorted(root.glob(f"{escape(run.label)}-*")):
        folder = RunFolder(path)
        try:
            other = folder.config_checked()
        except (ArcalError, OSError):
            continue
        same = path != own and alike(other) == alike(config)
        if same and folder.epochs_done() and not is_done(folder):
            yield folder, other
