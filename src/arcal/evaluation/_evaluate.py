"""From run folders to subjects; each image is corrupted once, one set is in memory at a time."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from arcal.auditing import CLEAN, EvaluationSet, Subject
from arcal.calibration.posthoc import EVALUATED, check_posthoc
from arcal.compute import Compute
from arcal.compute.sharing import in_shares
from arcal.data import Data, Part
from arcal.data.corrupted import CorruptedImages
from arcal.errors import ArcalError
from arcal.evaluation.ahead import measure_ahead, score_ahead
from arcal.evaluation.grouping import Group, group_runs
from arcal.evaluation.predictor import predict_together
from arcal.evaluation.row import Row
from arcal.evaluation.workload import Workload
from arcal.robustness import Attack
from arcal.store import RunFolder
from arcal.training.saved_run import check_done

log = logging.getLogger(__name__)


def evaluate(
    folders: Sequence[RunFolder],
    data: Data,
    sets: Sequence[EvaluationSet],
    order: str,
    *,
    attack: Attack | None = None,
    ood: Sequence[Part] = (),
    corrupted: CorruptedImages | None = None,
    posthoc: Sequence[str] | Mapping[str, Sequence[RunFolder]] = (),
    shifted: Part | None = None,
    scored: Sequence[RunFolder] | None = None,
    compute: Compute | None = None,
    progress: Callable[[int, int], object] = lambda done, total: None,
    refused: Callable[[str], object] | None = None,
) -> list[Subject]:
    """Evaluate runs on the clean test set, on `sets` and on parts of other data, `ood`.

    Runs that differ only in their seeds are one subject; subjects are in the order in which their
    methods first occur. All runs must have been trained on `data`. `attack` is used if `order` is
    "attack". Each set is made once for all runs. Predictions already in the run folders are read
    instead, so a killed evaluation continues.

    Each name in `posthoc`, a key of `EVALUATED`, adds to every method one more subject, the same
    runs calibrated after training: each run by its own calibrator, fitted once on its clean
    validation predictions and applied to every set. A mapping from names to runs adds the subject
    only to the methods of these runs. If a calibrator cannot be fitted to a run, such as a
    temperature to a run that has learnt nothing, its method has no such subject and `refused` is
    called with the reason; without `refused`, this raises `ArcalError`.

    Two arguments make a large evaluation cheaper: `shifted`, a smaller set of test images to make
    the corrupted sets of, and `scored`, the runs whose test images are scored. By default both are
    all. The workers of `compute` share the sets, or the runs if there are fewer sets, each with as
    many threads as this process. Its loaders are extra processes of each worker that read, decode
    and corrupt images ahead, if images are files.

    >>> from dataclasses import replace
    >>> from arcal.training import RECIPES, Run, data_of, train
    >>> size = {"images": 100, "validation": 100, "test_images": 100}
    >>> run = Run(recipe=replace(RECIPES["small"], epochs=1), **size)
    >>> folder = train(run, "runs")
    >>> data = data_of(folder)
    >>> whole, posthoc = evaluate([folder], data, [], "margin", posthoc=["temperature"])
    >>> whole.name, posthoc.name, sorted(whole.measures[CLEAN].runs[0])[:3]
    ('vanilla', 'vanilla + temperature', ['accuracy', 'aurc', 'brier'])
    """
    compute = compute or Compute()
    images = corrupted or CorruptedImages()
    work = Workload(data, sets, order, attack, ood, images, shifted, compute)
    folders = list({folder.path.resolve(): folder for folder in folders}.values())
    to_score = _paths(folders if scored is None else scored)
    if not isinstance(posthoc, Mapping):
        posthoc = dict.fromkeys(posthoc, folders)
    to_calibrate = {name: _paths(runs) for name, runs in posthoc.items()}
    for name in to_calibrate:
        check_posthoc(name, EVALUATED)
    _check_names([other.name for other in ood])
    check_done(folders)
    groups = group_runs(folders)
    work.check()
    for some in (to_score, *to_calibrate.values()):
        _check_whole(groups, some)
    to_fit = set().union(*to_calibrate.values())
    total = len(folders) * (1 + len({CLEAN, *sets}) + len(ood)) + len(to_fit)
    counter = _Counter(progress, total)
    if log.isEnabledFor(logging.INFO):
        there, needed = sum(work.done(run)() for run in folders), total - len(folders) - len(to_fit)
        log.info(f"{there} of {needed} sets of predictions are in the run folders already")
    several = in_shares(compute, {score_ahead.__module__}) if compute.workers > 1 else nullcontext()
    with several as shares:
        if shares is not None:
            score_ahead(work, shares, folders, to_score, to_fit, counter.ahead_to)
        rows = [_row(work, one, to_score, to_calibrate, refused, counter) for one in groups]
        if shares is not None:
            measure_ahead(work, shares, rows, counter.ahead_to)
    _measure(work, rows, counter)
    return [subject for row in rows for subject in row.subjects()]


def _row(
    work: Workload,
    group: Group,
    scored: Set[Path],
    calibrated: Mapping[str, Set[Path]],
    refused: Callable[[str], object] | None,
    counter: "_Counter",
) -> Row:
    """The runs of a method, scored and calibrated if their paths are among these."""
    paths = _paths(group.folders)
    row = Row(group, [work.predictor(run) for run in group.folders])
    for folder in group.folders:
        if paths <= scored:
            row.robustness.append(work.score(folder))
        counter.more(1)
    names = [name for name, runs in calibrated.items() if paths <= runs]
    row.calibrate(names, work.data.validation, refused)
    counter.more(len(row.predictors) * bool(names))
    return row


def _measure(work: Workload, rows: list[Row], counter: "_Counter") -> None:
    """Predict and measure all runs on every set, one set after another."""
    predictors = [predictor for row in rows for predictor in row.predictors]
    for where, part, name in work.parts():
        predict_together(predictors, part, name)
        for row in rows:
            row.measure(where, part, name)
            counter.more(len(row.predictors))
    for part, name in work.others():
        how = "" if part.shape == part.part.shape else part.how
        predict_together(predictors, part, name)
        for row in rows:
            row.compare(part, name, how)
            counter.more(len(row.predictors))


def _paths(folders: Sequence[RunFolder]) -> set[Path]:
    return {folder.path.resolve() for folder in folders}


def _check_names(names: Sequence[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise ArcalError(f"two other data sets are called {name}: rename the folder of one")


def _check_whole(groups: list[Group], named: Set[Path]) -> None:
    """Refuse names of only some of a method's runs: a row of the tables is for all of them."""
    for group in groups:
        paths = _paths(group.folders)
        if paths & named and not paths <= named:
            raise ArcalError(
                f"scored and posthoc name runs of {group.method.label}, but not "
                f"{min(paths - named)}: name all of a method's runs or none"
            )


@dataclass
class _Counter:
    """Reports how much is done, here or ahead by other processes."""

    progress: Callable[[int, int], object]
    total: int
    done: int = 0
    ahead: int = 0

    def more(self, done: int) -> None:
        self.done += done
        self._tell()

    def ahead_to(self, done: int) -> None:
        self.ahead = max(self.ahead, done)
        self._tell()

    def _tell(self) -> None:
        self.progress(max(self.ahead, self.done), self.total)
