"""Calibrators fitted on all inputs, and each input's scores by one that was fitted without it."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from arcal.auditing._posthoc import calibrated_blocks
from arcal.auditing._predictions import Predictions
from arcal.calibration import average
from arcal.calibration.posthoc import CALIBRATORS, POSTHOC, CalibrationSet, Calibrator
from arcal.calibration.resampled import Scores, scores_of
from arcal.errors import ArcalError


def cross_validated(
    names: Sequence[str],
    predictions: Predictions,
    fold: Tensor,
    progress: Callable[[int, int], object] = lambda done, total: None,
    weights: Tensor | None = None,
) -> tuple[dict[str, Calibrator], dict[str, Scores], dict[str, str]]:
    """Each calibrator fitted on all inputs, and each input's scores by one fitted without it.

    `fold` is int64 `(N,)`: each of its numbers is left out in turn, and scored. What has been
    fitted, its scores of all N inputs, and the lines that say why the others could not be fitted,
    are by name. All calibrators are fitted to one part of the inputs before the next, so that they
    share what they need of it. `progress` is told how many fits of all are done. `weights` `(N,)`
    count in the fits.

    >>> from arcal.auditing import as_predictions
    >>> from arcal.auditing._halves import folds_of
    >>> sure = as_predictions(logits=[[3.0, 0.0]] * 40, labels=[0, 0, 0, 1] * 10)
    >>> fold = folds_of(sure.ids, sure.labels, 2)
    >>> fitted, scores, refused = cross_validated(["temperature"], sure, fold)
    >>> scores["temperature"].confidence[0]
    tensor(0.7500, dtype=torch.float64)
    """
    calibrators: dict[str, Calibrator] = {}
    parts: dict[str, list[Scores]] = {name: [] for name in names}
    refused: dict[str, str] = {}
    numbers: list[int] = fold.unique().tolist()
    total = (1 + len(numbers)) * len(names)
    for i, number in enumerate([None, *numbers] if names else []):

        def report(done: int, before: int = i * len(names)) -> None:
            progress(before + done, total)

        lines = _fitted(predictions, weights, fold, number, calibrators, parts, report)
        folds = "" if number is None else f"in {len(numbers) - 1} of {len(numbers)} folds, "
        for name, line in lines.items():
            refused[name] = folds + line
            calibrators.pop(name, None)
            del parts[name]
    progress(total, total)
    order = torch.cat([(fold == number).nonzero()[:, 0] for number in numbers]).argsort()
    scores = {name: _joined(some, order) for name, some in parts.items()}
    return calibrators, scores, {name: refused[name] for name in names if name in refused}


def _fitted(
    predictions: Predictions,
    weights: Tensor | None,
    fold: Tensor,
    number: int | None,
    calibrators: dict[str, Calibrator],
    parts: dict[str, list[Scores]],
    report: Callable[[int], object],
) -> dict[str, str]:
    """Fit all that have `parts` without a fold, and score it; or with all, and keep the fitted.

    Returned is why some could not be fitted.
    """
    refused = {}
    rest = (
        torch.ones(len(fold), dtype=torch.bool, device="cpu") if number is None else fold != number
    )
    logits = predictions.logits if number is None else predictions.logits[:, rest]
    w = None if weights is None else weights[rest]
    given = CalibrationSet(average(logits), predictions.labels[rest], w)
    del logits
    out = predictions.rows(~rest)
    assert out.log_probabilities is not None  # kept for all calibrators
    for done, name in enumerate(parts):
        report(done)
        energy = predictions.energy[rest] if CALIBRATORS[name].needs_energy else None
        try:
            calibrator = POSTHOC[name](given, given.labels, energy=energy)
            if number is None:
                calibrators[name] = calibrator
            else:
                blocks = calibrated_blocks(calibrator, out)
                parts[name].append(scores_of(blocks, out.labels, answers=out.answers))
        except ArcalError as error:
            refused[name] = str(error)
    return refused


def _joined(parts: Sequence[Scores], order: Tensor) -> Scores:
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    return Scores(*(torch.cat(column)[order] for column in columns))
