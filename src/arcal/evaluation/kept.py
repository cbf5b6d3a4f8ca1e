"""What is kept of a run when its folder is gone: one small file, enough for tables over seeds.

A file has the figures of a run on every set, those of its post-hoc twins beside them, and its
predictions on the clean test set in half precision: 0.3 MB for ten classes and ten thousand images,
where the folder of a run that was evaluated under all corruptions has 40.
"""

from collections.abc import Sequence
from pathlib import Path

import torch

from arcal import __version__
from arcal.errors import ArcalError
from arcal.evaluation.collect import CLEAN, MethodRuns
from arcal.evaluation.figures import ensemble_of, figures, stability
from arcal.evaluation.predictions import Predictions
from arcal.store import RunFolder, load_header, load_tensors, save_tensors


def kept_file(folder: Path, run: str) -> Path:
    """Where the run of this name is kept."""
    return folder / f"{run}.safetensors"


def keep(groups: Sequence[MethodRuns], folder: Path) -> None:
    """Write a file for every run of `groups`, which hold each method with its post-hoc twins."""
    of_run: dict[str, list[tuple[str, MethodRuns, int]]] = {}
    for group in groups:
        for i, run in enumerate(group.folders):
            of_run.setdefault(run.name, []).append((group.label, group, i))
    for run, variants in of_run.items():
        _, group, i = variants[0]
        clean, sets = group.predictions[i], list(group.figures)
        measures = list(group.figures[CLEAN][i])
        values = [
            [[of.figures[at][j].get(measure, torch.nan) for measure in measures] for at in sets]
            for _, of, j in variants
        ]
        tensors = {
            "ids": clean.ids.int(),
            "labels": clean.labels.short(),
            "logits": clean.logits.half(),
            "figures": torch.tensor(values, dtype=torch.float64),
        }
        about = {
            "version": __version__,
            "seeds": list(group.seeds[i]),
            "labels_of": [label for label, _, _ in variants],
            "sets": sets,
            "measures": measures,
            "smoothing": smoothing_of(group.folders[i]),
            "seconds": sum(record["seconds"] for record in group.folders[i].epochs()),
        }
        save_tensors(kept_file(folder, run), tensors, **about)


def is_kept(folder: Path, run: str, sets: Sequence[str]) -> bool:
    """Whether the run of this name is kept with its figures on all of these sets."""
    path = kept_file(folder, run)
    return path.exists() and set(sets) <= set(load_header(path)["sets"])


def kept(folder: Path, runs: Sequence[RunFolder]) -> list[MethodRuns]:
    """The runs of one method, which differ in their seeds, as `collect` gave them; then its twins.

    What needs all runs at once, ensembles and stability, is there for the clean set and the method
    itself, from probabilities that half precision moves by less than 10^-3. Nothing is by level.
    `figures` have one more measure on the clean set: `smoothing`, see `smoothing_of`.
    """
    read = [load_tensors(kept_file(folder, run.name)) for run in runs]
    first = read[0][1]
    for run, (_, about) in zip(runs, read, strict=True):
        if any(about[name] != first[name] for name in ("labels_of", "sets", "measures")):
            raise ArcalError(
                f"{kept_file(folder, run.name)} has other methods, sets or measures than that of "
                f"{runs[0].name}: delete it and evaluate again"
            )
    seeds = [tuple(about["seeds"]) for _, about in read]
    groups = []
    for v, label in enumerate(first["labels_of"]):
        group = MethodRuns(label, list(runs), seeds, [], [], {})
        for s, at in enumerate(first["sets"]):
            rows = [tensors["figures"][v, s].tolist() for tensors, _ in read]
            group.figures[at] = [_measured(first["measures"], row) for row in rows]
        groups.append(group)
    own = groups[0]
    for found, (tensors, about) in zip(own.figures[CLEAN], read, strict=True):
        found["smoothing"] = about["smoothing"]
        logits = tensors["logits"].float()
        own.predictions.append(Predictions(tensors["ids"].long(), tensors["labels"].long(), logits))
    if len(runs) > 1:
        own.ensemble[CLEAN] = figures(ensemble_of(own.predictions))
        own.stability[CLEAN], _ = stability(own.predictions, None, 1)
    return groups


def smoothing_of(folder: RunFolder) -> float:
    """The share of a label that is spread over all classes at the end, a mean over the levels."""
    last = folder.epochs()[-1].get("epsilon")
    if last is not None:
        return sum(last) / len(last)
    return float(folder.config_checked()["settings"].get("epsilon", 0.0))


def _measured(measures: Sequence[str], row: Sequence[float]) -> dict[str, float]:
    """A row of figures by measure; NaN stands for what was not measured on this set."""
    return {name: value for name, value in zip(measures, row, strict=True) if value == value}
