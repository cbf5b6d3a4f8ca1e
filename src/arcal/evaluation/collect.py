"""Many runs on many sets: each image is corrupted once, and no more than one set is in memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from arcal.calibration.posthoc import Calibrator, check_posthoc
from arcal.data import Data, Part
from arcal.errors import ArcalError
from arcal.evaluation.asked import Asked, answer_ahead
from arcal.evaluation.figures import ece_interval, ensemble_of, figures, stability
from arcal.evaluation.ood import OutOfDistribution, out_of_distribution
from arcal.evaluation.posthoc import calibrated, fit_posthoc
from arcal.evaluation.predictions import Predictions, Predictor
from arcal.evaluation.sets import CLEAN, EvaluationSet, Source
from arcal.robustness import Attack, Robustness, levels, mean_rank
from arcal.store import RunFolder, content_hash
from arcal.training.run import nameless

R = 10
"""Levels that figures by level are cut into, unless told otherwise."""


@dataclass(frozen=True)
class MethodRuns:
    """The runs of one method with the same settings, which differ in their seeds.

    All lists have one entry a run, in the order of `seeds`. `predictions` and `robustness` are of
    the clean test set, each run's by its own model. By the name of the set: `figures` of every
    run, on the clean set with `ece_interval` and `smoothing`; and, where there are two runs or
    more, `ensemble`, the figures of all of them averaged, `stability`, how much they differ, and
    `stability_by_level`, each of these by level.

    Of a post-hoc method the folders, seeds and robustness are those of the runs that it calibrates,
    `predictions` are calibrated, and what is averaged for `ensemble` are calibrated runs.

    `robustness` is empty, and there is nothing by level, where scores were not asked for.
    """

    label: str
    folders: list[RunFolder]
    seeds: list[tuple[int, ...]]
    predictions: list[Predictions]
    robustness: list[Robustness]
    figures: dict[str, list[dict[str, float]]]
    ensemble: dict[str, dict[str, float]] = field(default_factory=dict)
    stability: dict[str, dict[str, float]] = field(default_factory=dict)
    stability_by_level: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    ood: list[OutOfDistribution] = field(default_factory=list)


def collect(
    folders: list[RunFolder],
    data: Data,
    sets: Sequence[EvaluationSet],
    order: str,
    *,
    attack: Attack | None = None,
    ood: Sequence[Part] = (),
    source: Source | None = None,
    posthoc: Sequence[str] | Mapping[str, Sequence[RunFolder]] = (),
    shifted: Part | None = None,
    scored: Sequence[RunFolder] | None = None,
    accelerator: str = "cpu",
    workers: int = 1,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> list[MethodRuns]:
    """Evaluate runs on the clean test set, on `sets` and on parts of other data, `ood`.

    Runs that differ in seeds only are grouped. All must have been trained on `data`; the order is
    that in which a method first comes up. `attack` is that of the order `attack`. Each set is made
    once for all runs; predictions that are in the run folders are read instead, so that a killed
    evaluation goes on.

    Each name of `posthoc`, a key of `POSTHOC`, adds to every method the same runs calibrated after
    training, labelled such as `vanilla + temperature`: each run by its own calibrator, fitted once
    on its clean validation predictions and applied to every set. With a mapping from names, that
    is added to the methods of these runs only.

    Two things make a large evaluation cheaper: `shifted`, fewer test images that the corrupted sets
    are made of; and `scored`, the runs whose test images are scored. None is all. With `workers`
    > 1 so many processes share the runs, each with as many threads as this one; without a cache
    each makes the sets for itself.
    """
    if workers < 1:
        raise ArcalError(f"{workers} workers: at least 1 is needed")
    asked = Asked(data, sets, order, attack, ood, source or Source(), shifted, accelerator)
    folders = list({folder.path.resolve(): folder for folder in folders}.values())
    to_score = {folder.path.resolve() for folder in (folders if scored is None else scored)}
    calibrated_runs = {
        name: {run.path.resolve() for run in (folders if of is None else of)}
        for name, of in _by_name(posthoc).items()
    }
    for name in calibrated_runs:
        check_posthoc(name)
    names = [other.name for other in ood]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ArcalError(f"two other data sets are called {twice}: rename the folder of one")
    done, total = 0, len(folders) * (1 + len({EvaluationSet(), *sets}) + len(ood))
    total += len(set().union(*calibrated_runs.values()))
    ahead = 0

    def one_more() -> None:
        nonlocal done
        progress(max(ahead, done := done + 1), total)

    def so_far(answered: int) -> None:
        nonlocal ahead
        progress(ahead := answered, total)

    groups = [_Group.of(label, of, accelerator) for label, of in _by_seeds(folders).items()]
    for some in (to_score, *calibrated_runs.values()):
        _check_whole(groups, some)
    if workers > 1 and len(folders) > 1:
        to_fit = set().union(*calibrated_runs.values())
        answer_ahead(asked, folders, to_score, to_fit, workers, so_far)
    for group in groups:
        paths = {folder.path.resolve() for folder in group.runs.folders}
        for folder in group.runs.folders:
            if paths <= to_score:
                group.runs.robustness.append(asked.score(folder))
            one_more()
        names = [name for name, of in calibrated_runs.items() if paths <= of]
        if names:
            group.calibrate(names, data.validation, one_more)

    for at, part, name in asked.of_sets():
        for group in groups:
            for runs, found in group.predict(part, name, one_more):
                _add(runs, at, found)
    for part, name in asked.of_others():
        for group in groups:
            for runs, found in group.predict(part, name, one_more):
                runs.ood.append(out_of_distribution(part, runs.predictions, found))
    return [runs for group in groups for runs in (group.runs, *(twin for twin, _ in group.twins))]


def _check_whole(groups: "list[_Group]", named: Set[Path]) -> None:
    """Refuse to name some of a method's runs: a row of the tables is of all of them."""
    for group in groups:
        paths = {folder.path.resolve() for folder in group.runs.folders}
        if paths & named and not paths <= named:
            raise ArcalError(
                f"scored and posthoc name runs of {group.runs.label}, but not "
                f"{min(paths - named)}: name all of a method's runs or none"
            )


def _by_name(
    posthoc: Sequence[str] | Mapping[str, Sequence[RunFolder]],
) -> Mapping[str, Sequence[RunFolder] | None]:
    """Which runs a post-hoc method is for; None is all."""
    return posthoc if isinstance(posthoc, Mapping) else dict.fromkeys(posthoc)


@dataclass(frozen=True)
class _Group:
    """The runs of a method, their models, and their twins with a calibrator for each run."""

    runs: MethodRuns
    predictors: list[Predictor]
    twins: list[tuple[MethodRuns, list[Calibrator]]] = field(default_factory=list)

    @classmethod
    def of(cls, label: str, folders: list[RunFolder], accelerator: str) -> "_Group":
        folders = sorted(folders, key=lambda folder: folder.config_checked()["seeds"])
        seeds = [tuple(folder.config_checked()["seeds"]) for folder in folders]
        predictors = [Predictor(folder, accelerator=accelerator) for folder in folders]
        return cls(MethodRuns(label, folders, seeds, [], [], {}), predictors)

    def calibrate(self, posthoc: list[str], part: Part, one_more: Callable[[], None]) -> None:
        """Fit the post-hoc methods of these names on the validation part."""
        folders, validation = self.runs.folders, self._read(part, "validation", one_more)
        for name in posthoc:
            label, seeds = f"{self.runs.label} + {name}", self.runs.seeds
            twin = MethodRuns(label, folders, seeds, [], self.runs.robustness, {})
            of_runs = zip(folders, validation, strict=True)
            self.twins.append((twin, [fit_posthoc(name, *of_run) for of_run in of_runs]))

    def predict(
        self, part: Part, name: str, one_more: Callable[[], None]
    ) -> Iterator[tuple[MethodRuns, list[Predictions]]]:
        """What the runs say of a part, and what each post-hoc method makes of it."""
        found = self._read(part, name, one_more)
        yield self.runs, found
        for twin, calibrators in self.twins:
            yield twin, [calibrated(*of_run) for of_run in zip(calibrators, found, strict=True)]

    def _read(self, part: Part, name: str, one_more: Callable[[], None]) -> list[Predictions]:
        found = []
        for predictor in self.predictors:
            found.append(predictor(part, name))
            one_more()
        return found


def _add(group: MethodRuns, at: EvaluationSet, found: list[Predictions]) -> None:
    """What is to be kept of the predictions on one set."""
    name = at.name
    if name == CLEAN:
        group.predictions.extend(found)
    group.figures[name] = [figures(predictions) for predictions in found]
    if name == CLEAN:
        for of_run, predictions, folder in zip(
            group.figures[name], found, group.folders, strict=True
        ):
            of_run |= ece_interval(predictions) | {"smoothing": smoothing_of(folder)}
    if len(found) < 2:
        return
    group.ensemble[name] = figures(ensemble_of(found))
    scored = group.robustness and at.part == CLEAN and len(found[0].ids) >= R
    cut = shared_levels(group, R, found[0].ids) if scored else None
    group.stability[name], by_level = stability(found, cut, R)
    if by_level:
        group.stability_by_level[name] = by_level


def shared_levels(group: MethodRuns, R: int, ids: torch.Tensor | None = None) -> torch.Tensor:
    """The levels `(N,)` of the test images that all runs of a method share: by their mean rank.

    With `ids` `(N,)` only these images are ranked and cut, and their levels are in this order. One
    that has no score raises `ArcalError`.
    """
    found = group.robustness[0].ids
    if ids is None:
        ids = found
    if len(ids) < R:
        raise ArcalError(
            f"{len(ids)} test images cannot be cut into {R} levels, as a report does: use more"
        )
    order = found.argsort()
    at = order[torch.searchsorted(found[order], ids).clamp(max=len(found) - 1)]
    if not torch.equal(found[at], ids):
        raise ArcalError(f"{group.label}: not all of these images are scored; levels are of others")
    scores = torch.stack([of_run.robustness[at] for of_run in group.robustness])
    return levels(mean_rank(scores, ids), ids, R)


def smoothing_of(folder: RunFolder) -> float:
    """The share of a label that is spread over all classes at the end, a mean over the levels."""
    last = folder.epochs()[-1].get("epsilon")
    if last is not None:
        return sum(last) / len(last)
    return float(folder.config_checked()["settings"].get("epsilon", 0.0))


def _by_seeds(folders: list[RunFolder]) -> dict[str, list[RunFolder]]:
    """Runs that differ in nothing but their seeds, by a label that tells the groups apart.

    The name of the data does not count. Two folders of one run, which would pass for two seeds,
    raise `ArcalError`.
    """
    groups: dict[str, list[RunFolder]] = {}
    known: dict[str, RunFolder] = {}
    for folder in folders:
        if (first := known.setdefault(folder.name, folder)) is not folder:
            raise ArcalError(f"{first.path} and {folder.path} are the same run: name one of them")
        config = folder.config_checked()
        alike = config | {"seeds": len(config["seeds"]), "data": nameless(config["data"])}
        group = groups.setdefault(content_hash(alike), [])
        for other in group:
            if other.config_checked()["seeds"] == config["seeds"]:
                raise ArcalError(
                    f"{other.path} and {folder.path} are of the same seeds, on the same data by "
                    "another name: name one of them"
                )
        group.append(folder)
    labels = [label_of(group[0]) for group in groups.values()]
    labelled = {}
    for label, group in zip(labels, groups.values(), strict=True):
        if labels.count(label) > 1:
            config = group[0].config_checked()
            label += f" [{config['network']}, {config['recipe']['epochs']} epochs"
            label += f", {content_hash(config)}]"
        labelled[label] = group
    return labelled


def label_of(folder: RunFolder) -> str:
    """A run's method and settings as people read it, such as `label-smoothing (epsilon 0.1)`."""
    config = folder.config_checked()
    settings = config["settings"].items()
    details = [f"{name} {_words(value)}" for name, value in settings if value is not None]
    if len(config["seeds"]) > 1:
        details.append(f"{len(config['seeds'])} members")
    return config["method"] + (f" ({', '.join(details)})" if details else "")


def _words(value: Any) -> str:
    if isinstance(value, dict):  # a schedule by the first epoch of each value
        return " then ".join(f"{v} from epoch {first}" for first, v in value.items())
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
