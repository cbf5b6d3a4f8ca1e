"""A small file per run, enough for tables over seeds after the run's folder is deleted.

It has the figures of a run on every set, also after each post-hoc method, and its predictions on
the clean test set in half precision: 0.3 MB for ten classes and ten thousand images, while the
folder of a run that was evaluated under all corruptions has 40 MB.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from arcal._version import __version__
from arcal.auditing import (
    CLEAN,
    EvaluationSet,
    Measures,
    Method,
    Predictions,
    Provenance,
    Subject,
    measure,
)
from arcal.calibration.posthoc import EVALUATED
from arcal.data import Part
from arcal.errors import ArcalError
from arcal.store import load_header, load_tensors, save_tensors

FORMAT = 1
"""Increased when a change to the code changes the figures; other files are not used."""

Sets = Mapping[EvaluationSet, Part]
"""The sets that runs are evaluated on, including the clean test set."""


def write_summaries(subjects: Sequence[Subject], folder: Path, sets: Sets) -> None:
    """Write a file for every run of `subjects`; each method comes before its post-hoc twins."""
    by_run: dict[str, list[tuple[Subject, int]]] = {}
    for subject in subjects:
        for i, run in enumerate(subject.provenance):
            by_run.setdefault(run.name, []).append((subject, i))
    for run, variants in by_run.items():
        own, place = variants[0]
        about = {
            "version": __version__,
            "format": FORMAT,
            "seeds": own.seeds[place],
            "sets": {where.name: part.fingerprint() for where, part in sets.items()},
            "figures": {
                subject.name: {where.name: subject.measures[where].runs[i] for where in sets}
                for subject, i in variants
            },
        }
        half = own.clean[place].log_probabilities.half()
        save_tensors(_file(folder, run), {"log_probabilities": half}, **about)


def has_summary(folder: Path, run: str, sets: Sets, posthoc: Sequence[str]) -> bool:
    """Whether a run has a file with figures on exactly these sets and with these post-hoc methods.

    A file on other images under one of these names raises `ArcalError` instead of being replaced.
    """
    path = _file(folder, run)
    if not path.exists():
        return False
    about = load_header(path)
    for where, part in sets.items():
        if about["sets"].get(where.name) not in (None, part.fingerprint()):
            raise ArcalError(
                f"{path} is of different images called {where.name}: give another --keep, or, if "
                "only the machine is another, install what they were made with (for frost the "
                "package imagecorruptions, whose photographs it uses)"
            )
    return set(posthoc) <= set(_labels(about)) and _fits(about, sets)


def read_summaries(folder: Path, method: Method, runs: Sequence[str], sets: Sets) -> list[Subject]:
    """The runs of one method, by their folders' names, as subjects, with its post-hoc twins.

    Predictions, and figures that need all runs at once (ensembles and stability), exist only for
    the clean set and the method itself. Half precision changes their probabilities by less than
    10^-3. There are no figures by level or on other data.
    """
    read = [load_tensors(_file(folder, run)) for run in runs]
    headers = [about for _, about in read]
    labels = _labels(headers[0])
    for run, about in zip(runs, headers, strict=True):
        if _labels(about) != labels or not _fits(about, sets):
            raise ArcalError(
                f"{_file(folder, run)} is of different sets, post-hoc methods or code: "
                "delete it and evaluate again"
            )
    clean = [
        Predictions(
            sets[CLEAN].ids, sets[CLEAN].labels, tensors["log_probabilities"].float().unsqueeze(0)
        )
        for tensors, _ in read
    ]
    subjects = []
    for posthoc, label in labels.items():
        measures = {
            where: Measures(tuple(about["figures"][label][where.name] for about in headers))
            for where in sets
        }
        if posthoc is None:
            measures[CLEAN] = replace(measure(clean), runs=measures[CLEAN].runs)
        subjects.append(
            Subject(
                name=label,
                predictions={} if posthoc else {CLEAN: clean},
                measures=measures,
                seeds=[tuple(about["seeds"]) for about in headers],
                method=replace(method, posthoc=posthoc),
                provenance=[Provenance(run) for run in runs],
            )
        )
    return subjects


def _file(folder: Path, run: str) -> Path:
    return folder / f"{run}.safetensors"


def _labels(about: Mapping[str, Any]) -> dict[str | None, str]:
    """The names of the method (None) and its twins, by their keys in `EVALUATED`, in a file."""
    own = next(iter(about["figures"]))
    twins = {name: f"{own} + {name}" for name in EVALUATED}
    return {None: own} | {n: label for n, label in twins.items() if label in about["figures"]}


def _fits(about: Mapping[str, Any], sets: Sets) -> bool:
    if about.get("format", 1) != FORMAT:  # the first files have no format
        return False
    return all(about["sets"].get(where.name) == part.fingerprint() for where, part in sets.items())
