"""What is kept of a run when its folder is gone: one small file, enough for tables over seeds.

A file has the figures of a run on every set, those of its post-hoc twins beside them, and its
predictions on the clean test set in half precision: 0.3 MB for ten classes and ten thousand images,
where the folder of a run that was evaluated under all corruptions has 40.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from arcal import __version__
from arcal.data import Part
from arcal.errors import ArcalError
from arcal.evaluation.collect import CLEAN, MethodRuns
from arcal.evaluation.figures import ensemble_of, figures, stability
from arcal.evaluation.predictions import Predictions
from arcal.store import RunFolder, load_header, load_tensors, save_tensors

FORMAT = 1
"""Raised when a change of the code changes the figures; files of another one are not taken."""


def keep(groups: Sequence[MethodRuns], folder: Path, sets: Mapping[str, Part]) -> None:
    """Write a file for every run of `groups`, each method followed by its post-hoc twins.

    `sets` are those they were evaluated on, by name, the clean one among them.
    """
    of_run: dict[str, list[tuple[MethodRuns, int]]] = {}
    for group in groups:
        for i, run in enumerate(group.folders):
            of_run.setdefault(run.name, []).append((group, i))
    for run, variants in of_run.items():
        own, at = variants[0]
        about = {
            "version": __version__,
            "format": FORMAT,
            "seeds": own.seeds[at],
            "sets": {name: part.fingerprint() for name, part in sets.items()},
            "figures": {
                group.label: {name: group.figures[name][i] for name in sets}
                for group, i in variants
            },
        }
        half = own.predictions[at].log_probabilities.half()
        save_tensors(_file(folder, run), {"log_probabilities": half}, **about)


def is_kept(folder: Path, run: str, sets: Mapping[str, Part], posthoc: Sequence[str]) -> bool:
    """Whether the run of this name is kept with its figures on these very sets, and these twins.

    A file of other images under one of these names raises `ArcalError`: it would be made anew.
    """
    path = _file(folder, run)
    if not path.exists():
        return False
    about = load_header(path)
    for name, part in sets.items():
        if about["sets"].get(name) not in (None, part.fingerprint()):
            raise ArcalError(
                f"{path} is of other images called {name}: install what they were made with (for "
                "frost the package imagecorruptions, whose photographs it uses), or keep elsewhere"
            )
    twins = {label.rpartition(" + ")[2] for label in about["figures"]}
    return set(posthoc) <= twins and _fits(about, sets)


def kept(folder: Path, runs: Sequence[RunFolder], sets: Mapping[str, Part]) -> list[MethodRuns]:
    """The runs of one method, which differ in their seeds, as `collect` gave them; then its twins.

    `predictions`, and what needs all runs at once, ensembles and stability, are there for the clean
    set and the method itself, from probabilities that half precision moves by less than 10^-3.
    Nothing is by level, and there is no other data.
    """
    read = [load_tensors(_file(folder, run.name)) for run in runs]
    labels = list(read[0][1]["figures"])
    for run, (_, about) in zip(runs, read, strict=True):
        if list(about["figures"]) != labels or not _fits(about, sets):
            raise ArcalError(
                f"{_file(folder, run.name)} is of other sets, post-hoc methods or code: "
                "delete it and evaluate again"
            )
    seeds = [tuple(about["seeds"]) for _, about in read]
    groups = [
        MethodRuns(
            label,
            list(runs),
            seeds,
            [],
            [],
            {name: [about["figures"][label][name] for _, about in read] for name in sets},
        )
        for label in labels
    ]
    own, clean = groups[0], sets[CLEAN]
    for tensors, _ in read:
        logits = tensors["log_probabilities"].float().unsqueeze(0)
        own.predictions.append(Predictions(clean.ids, clean.labels, logits))
    if len(runs) > 1:
        own.ensemble[CLEAN] = figures(ensemble_of(own.predictions))
        own.stability[CLEAN], _ = stability(own.predictions, None, 1)
    return groups


def _file(folder: Path, run: str) -> Path:
    return folder / f"{run}.safetensors"


def _fits(about: Mapping[str, Any], sets: Mapping[str, Part]) -> bool:
    if about.get("format", 1) != FORMAT:  # the first files do not say it
        return False
    return all(about["sets"].get(name) == part.fingerprint() for name, part in sets.items())
