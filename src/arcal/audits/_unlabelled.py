"""Estimates for inputs without labels: how many predictions are right, and how sure to be."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.auditing import Predictions, Zeros, without_zeros
from arcal.calibration.clusters import as_numbers
from arcal.calibration.posthoc import (
    BatchTemperature,
    Calibrator,
    Temperature,
    Today,
    as_calibration_set,
    fit_accuracy_by_threshold,
    fit_batch_temperature,
)
from arcal.errors import ArcalError

UNLIKE_ANSWERS = (
    "these answers are nothing like the labelled ones: look at some before you believe the estimate"
)

NOT_CLUSTERED = (
    "which of these inputs belong together is not known, so they count as independent, and the "
    "interval of their estimate is too narrow if some are much alike"
)


def check_alike(labelled: Predictions, unlabelled: Mapping[str, Predictions]) -> None:
    """Refuse sets, by name, with another number of classes than the labelled inputs.

    If only one side has probabilities of all classes and the other answers with a confidence alone,
    they are refused, too.
    """
    has = ("the probabilities of all classes", "a confidence alone")
    for name, one in unlabelled.items():
        what = f"the unlabelled inputs {name}".rstrip()
        if one.answers != labelled.answers:
            raise ArcalError(
                f"{what} have {has[one.answers]}, and the labelled ones {has[labelled.answers]}: "
                "give both alike"
            )
        if one.classes != labelled.classes:
            raise ArcalError(f"{what} have {one.classes} classes, not {labelled.classes}")


def estimates_of(
    unlabelled: Mapping[str, Predictions],
    labelled: Predictions,
    calibrator: Calibrator | None,
    weights: TensorLike | None = None,
    clusters: TensorLike | None = None,
    clusters_of: Mapping[str, TensorLike] | None = None,
) -> tuple[BatchTemperature | None, dict[str, Today], list[str]]:
    """The stream, an estimate for each set by name, and what could not be estimated and why.

    The stream is fitted to the `labelled` predictions, with their `weights` and `clusters`; it is
    None for answers. The `calibrator` is the one that was picked, if any. `clusters_of` are the
    clusters of the sets' inputs, by name.
    """
    stream, estimates, doubts = None, dict[str, Today](), list[str]()
    clusters_of = clusters_of or {}
    try:
        given = without_zeros(labelled)[0]
        if given.answers:
            estimate = _by_confidence(given, calibrator or Temperature(1.0), weights, clusters)
        else:
            stream = fit_batch_temperature(
                given.log_probabilities,
                given.labels,
                weights=weights,
                clusters=clusters,
                zeros=_zeros_of(labelled),
            )
            estimate = _by_entropy(stream)
    except ArcalError as error:
        return None, {}, [f"no estimate for the unlabelled inputs: {error}"] * bool(unlabelled)
    for name, one in unlabelled.items():
        try:
            estimates[name] = estimate(without_zeros(one, like=labelled)[0], clusters_of.get(name))
        except ArcalError as error:
            what = f"those of {name}" if name else "the unlabelled inputs"
            doubts.append(f"no estimate for {what}: {error}")
            continue
        if clusters is not None and name not in clusters_of:
            doubts.append(f"{name or 'the unlabelled inputs'}: {NOT_CLUSTERED}")
    return stream, estimates, doubts


def _zeros_of(labelled: Predictions) -> Zeros | None:
    """What zeros among later inputs are taken for; None if -inf stands for an impossible class."""
    if labelled.impossible:
        return None
    return Zeros.among((log_p for _, log_p in labelled.blocks()), labelled.classes)


Estimating = Callable[[Predictions, TensorLike | None], Today]


def _by_entropy(stream: BatchTemperature) -> Estimating:
    return lambda some, clusters: stream.estimate(some.log_probabilities, clusters)


def _by_confidence(
    labelled: Predictions,
    calibrator: Calibrator,
    weights: TensorLike | None,
    clusters: TensorLike | None,
) -> Estimating:
    """An estimate for answers, from their confidence alone.

    The share that is right depends only on the order of the confidences, which no calibrator
    changes; the mean confidence is that after the `calibrator`.
    """
    given = as_calibration_set(labelled.log_probabilities, labelled.labels, weights)
    w = given.weights if given.weighted else None
    if clusters is not None:
        clusters = as_numbers(clusters, given.inputs)[given.counted]
    fitted = fit_accuracy_by_threshold(_sure(given.log_p), given.labels == 0, w, clusters)

    def estimate(some: Predictions, clusters: TensorLike | None) -> Today:
        log_p = some.log_probabilities
        share, low, high = fitted.estimate(_sure(log_p), clusters)
        confidence = _sure(calibrator(log_p)).mean().item()
        doubt = None if high >= fitted.accuracy / 2 else UNLIKE_ANSWERS
        return Today(len(log_p), share, low, high, confidence, torch.nan, doubt)

    return estimate


def _sure(log_p: Tensor) -> Tensor:
    """The confidence in each answer, from log-probabilities `(N, 2)` of right and wrong."""
    return log_p[:, 0].exp()
