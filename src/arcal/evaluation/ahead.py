"""Work that processes do ahead of an evaluation, which then finds it in the run folders."""

from collections import deque
from collections.abc import Callable, Sequence, Set
from functools import partial
from pathlib import Path
from typing import Any

import torch

from arcal.auditing import CLEAN
from arcal.compute.processes import watched
from arcal.compute.sharing import Shares
from arcal.evaluation.predictor import predict_together
from arcal.evaluation.row import VALIDATION, Row
from arcal.evaluation.workload import Workload
from arcal.store import RunFolder
from arcal.training.scoring import score_share


def score_ahead(
    work: Workload,
    shares: Shares,
    folders: Sequence[RunFolder],
    scored: Set[Path],
    calibrated: Set[Path],
    progress: Callable[[int], object],
) -> None:
    """Have processes compute and keep scores, and the predictions that calibrators need.

    Test images are scored for the runs at the paths `scored`; validation images are predicted for
    the runs at the paths `calibrated`.
    """
    to_score = [
        folder
        for folder in folders
        if folder.path.resolve() in scored and not work.score_file(folder).exists()
    ]
    to_predict = [
        folder
        for folder in folders
        if folder.path.resolve() in calibrated and not folder.predictions(VALIDATION).exists()
    ]
    if to_score or to_predict:
        share = partial(score_share_of, work.sent(), to_score, to_predict)
        _share(work, shares, share, folders, progress)


def measure_ahead(
    work: Workload, shares: Shares, rows: Sequence[Row], progress: Callable[[int], object]
) -> None:
    """Have processes compute and keep all predictions of `rows`, and their figures on every set."""
    missing = [
        name
        for where, part, name in work.parts()
        if not all(row.is_measured(where, part, name) for row in rows)
    ]
    folders = [folder for row in rows for folder in row.group.folders]
    missing += [
        name
        for _, name in work.others()
        if not all(folder.predictions(name).exists() for folder in folders)
    ]
    if missing:
        share = partial(measure_share_of, work.sent(), rows, missing)
        _share(work, shares, share, folders, progress)


def _share(
    work: Workload,
    shares: Shares,
    do: Callable[[int, int, int], object],
    folders: Sequence[RunFolder],
    progress: Callable[[int], object],
) -> None:
    """Have each worker do its share, and report how many sets are done."""
    counts = [work.done(folder) for folder in folders]
    with watched(lambda: progress(sum(count() for count in counts))):
        shares(do)


def score_share_of(
    work: Workload,
    to_score: Sequence[RunFolder],
    to_predict: Sequence[RunFolder],
    share: int,
    of: int,
    threads: int,
) -> None:
    """The share `share` in [0, of) of `score_ahead`: blocks of images, and runs to predict."""
    torch.set_num_threads(threads)
    how: dict[str, Any] = {"attack": work.attack, "loaders": work.compute.loaders}
    how |= {"share": share, "of": of, "device": work.compute.device}
    for folder in to_score:
        score_share(folder, work.data.test, CLEAN.part, work.order, **how)
    for folder in to_predict[share::of]:
        work.predictor(folder)(work.data.validation, VALIDATION)


def measure_share_of(
    work: Workload,
    rows: Sequence[Row],
    missing: Sequence[str],
    share: int,
    of: int,
    threads: int,
) -> None:
    """The share `share` in [0, of) of `measure_ahead`, on the sets of these names.

    It is some of the sets, so that one process reads and corrupts each set for all runs. With fewer
    sets than processes it is some of the runs on all sets, and figures are computed later.
    """
    torch.set_num_threads(threads)
    predictors = [predictor for row in rows for predictor in row.predictors]
    by_run = len(missing) < of
    mine = set(missing if by_run else missing[share::of])
    if by_run:
        predictors = predictors[share::of]
    left = deque([*work.parts(), *((None, part, name) for part, name in work.others())])
    while left:
        where, part, name = left.popleft()  # so that its images are freed
        if name not in mine:
            continue
        predict_together(predictors, part, name)
        if where is not None and not by_run:
            for row in rows:
                row.measure(where, part, name)
