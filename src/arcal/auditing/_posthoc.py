"""Predictions calibrated after training."""

from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor

from arcal.auditing._predictions import Predictions
from arcal.calibration.posthoc import EVALUATED, Calibrator
from arcal.errors import prefixing_errors


def fit_posthoc(name: str, validation: Predictions, run: str) -> Calibrator:
    """The post-hoc method of this name, fitted on a run's predictions of its validation images.

    The name is a key of `EVALUATED`. If there are several members, their average is calibrated. If
    the method cannot be fitted, `ArcalError` is raised and names the `run`.

    >>> from arcal.auditing import as_predictions
    >>> sure = as_predictions(logits=[[3.0, 0.0]] * 4, labels=[0, 0, 0, 1])
    >>> calibrator = fit_posthoc("temperature", sure, "my run")
    >>> calibrated(calibrator, sure).log_probabilities.exp()[0].round(decimals=2).tolist()
    [0.75, 0.25]
    """
    with prefixing_errors(f"{name} of {run}"):
        log_p, energy = validation.log_probabilities, validation.energy
        return EVALUATED[name](log_p, validation.labels, energy=energy)


def calibrated(calibrator: Calibrator, predictions: Predictions) -> Predictions:
    """The same inputs' calibrated log-probabilities as the logits of a single member.

    The logits are float64 `(1, N, Z)`, however many members there were.

    >>> from arcal.auditing import as_predictions
    >>> sure = as_predictions(logits=[[3.0, 0.0]] * 4, labels=[0, 0, 0, 1])
    >>> mild = calibrated(fit_posthoc("temperature", sure, "my run"), sure)
    >>> mild.logits.shape, mild.logits.dtype
    (torch.Size([1, 4, 2]), torch.float64)
    """
    log_probabilities = calibrator(predictions.log_probabilities, energy=predictions.energy)
    return replace(predictions, logits=log_probabilities[None])


def calibrated_blocks(calibrator: Calibrator, predictions: Predictions) -> Iterator[Tensor]:
    """The calibrated log-probabilities, in blocks of rows, float64 `(n, Z)`.

    The calibrator must treat each row by itself, as all of `CALIBRATORS` do.

    >>> from arcal.auditing import as_predictions
    >>> sure = as_predictions(logits=[[3.0, 0.0]] * 4, labels=[0, 0, 0, 1])
    >>> (block,) = calibrated_blocks(fit_posthoc("temperature", sure, "my run"), sure)
    >>> block.shape
    torch.Size([4, 2])
    """
    energy = predictions.energy if calibrator.needs_energy else None
    for some, log_p in predictions.blocks():
        yield calibrator(log_p, energy=None if energy is None else energy[some])
