"""Predictions calibrated after training, each run's by a calibrator of its own."""

from arcal.calibration.posthoc import POSTHOC, Calibrator
from arcal.errors import ArcalError
from arcal.evaluation.predictions import Predictions
from arcal.store import RunFolder


def fit_posthoc(name: str, folder: RunFolder, validation: Predictions) -> Calibrator:
    """The post-hoc method of this name, fitted on what a run says of its validation images.

    Of several members it is their average that is calibrated. What cannot be fitted raises
    `ArcalError`, which names the run.
    """
    try:
        return POSTHOC[name](validation.log_probabilities, validation.labels)
    except ArcalError as error:
        raise ArcalError(f"{name} of {folder.path.name}: {error}") from error


def calibrated(calibrator: Calibrator, predictions: Predictions) -> Predictions:
    """The same inputs' calibrated log-probabilities as the logits of a single member.

    float64 `(1, N, Z)`, whatever the number of members was.
    """
    found = calibrator(predictions.log_probabilities)
    return Predictions(predictions.ids, predictions.labels, found[None])
