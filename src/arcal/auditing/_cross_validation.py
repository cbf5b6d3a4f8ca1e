"""Cross-validated calibrators: fitted on all inputs, and scored on folds they have not seen."""

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
    """Fit each calibrator on all inputs, and score each input by a fit that left it out.

    `fold` int64 `(N,)` numbers the folds: each is left out in turn, and scored. Returned by name:
    the fitted calibrators, their scores of all N inputs, and for each calibrator that could not be
    fitted a line that says why. All calibrators are fitted to one part of the inputs before the
    next part, so that they share intermediate results. `progress` is called with the number of fits
    done and the total. `weights` `(N,)` count in the fits.
    """
    calibrators: dict[str, Calibrator] = {}
    parts: dict[str, list[Scores]] = {name: [] for name in names}
    refused: dict[str, str] = {}
    numbers: list[int] = fold.unique().tolist()
    total = (1 + len(numbers)) * len(names)
    for i, number in enumerate([None, *numbers] if names else []):
        rest = slice(None) if number is None else fold != number
        w = None if weights is None else weights[rest]
        given = CalibrationSet(average(predictions.logits[:, rest]), predictions.labels[rest], w)
        left_out = None if number is None else predictions.rows(fold == number)
        if left_out is not None:
            _ = left_out.log_probabilities  # computed once for all calibrators
        folds = "" if number is None else f"in {len(numbers) - 1} of {len(numbers)} folds, "
        for done, name in enumerate([*parts]):
            progress(i * len(names) + done, total)
            energy = predictions.energy[rest] if CALIBRATORS[name].needs_energy else None
            try:
                fitted = POSTHOC[name](given, given.labels, energy=energy)
                if left_out is None:
                    calibrators[name] = fitted
                else:
                    blocks, answers = calibrated_blocks(fitted, left_out), left_out.answers
                    parts[name].append(scores_of(blocks, left_out.labels, answers=answers))
            except ArcalError as error:
                refused[name] = f"{folds}{error}"
                calibrators.pop(name, None)
                del parts[name]
    progress(total, total)
    order = fold.argsort(stable=True).argsort()
    scores = {name: _joined(some, order) for name, some in parts.items()}
    return calibrators, scores, {name: refused[name] for name in names if name in refused}


def _joined(parts: Sequence[Scores], order: Tensor) -> Scores:
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    return Scores(*(torch.cat(column)[order] for column in columns))
