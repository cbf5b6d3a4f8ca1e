"""Predictions calibrated after training."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from torch import Tensor

from arcal.auditing._predictions import Predictions
from arcal.auditing._subject import Subject
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


def calibrated_subject(subject: Subject, name: str, calibrators: Sequence[Calibrator]) -> Subject:
    """The subject with each run calibrated by its own calibrator, on all sets with predictions.

    >>> from arcal.auditing import CLEAN, as_predictions
    >>> sure = as_predictions(logits=[[3.0, 0.0]] * 4, labels=[0, 0, 0, 1])
    >>> subject = Subject.from_predictions("mine", {CLEAN: [sure]})
    >>> calibrators = [fit_posthoc("temperature", sure, "my run")]
    >>> mild = calibrated_subject(subject, "temperature", calibrators)
    >>> mild.name, round(mild.measures[CLEAN].runs[0]["confidence"], 2)
    ('mine + temperature', 0.75)
    """
    predictions = {
        where: [calibrated(*pair) for pair in zip(calibrators, runs, strict=True)]
        for where, runs in subject.predictions.items()
    }
    return Subject.from_predictions(
        f"{subject.name} + {name}",
        predictions,
        seeds=subject.seeds,
        robustness=subject.robustness,
        method=replace(subject.method, posthoc=name) if subject.method else None,
        provenance=subject.provenance,
    )
