"""Proper scores: negative log-likelihood and Brier score; lower is better."""

import torch
from torch import Tensor

from arcal.arrays import TensorLike, as_tensor
from arcal.calibration.checks import (
    as_classes,
    as_probabilities,
    as_weights,
    check_log_probabilities,
)
from arcal.calibration.weighted import weighted_mean
from arcal.errors import ArcalError


def nll(
    log_probabilities: TensorLike, labels: TensorLike, *, weights: TensorLike | None = None
) -> float:
    """Mean negative log-likelihood -1/N sum_i log p_i[y_i] of the labels, in nats, in [0, inf].

    `log_probabilities` `(N, Z)` are the log-softmax of a model's logits or the `average` of an
    ensemble; probabilities would underflow where the loss is largest. `labels` `(N,)` are integers
    in 0 .. Z-1. Nothing is clipped: a true class of probability 0 makes the mean infinite. With
    `weights` `(N,)`, 0 or more, the mean is weighted. No inputs, invalid weights, or anything that
    is not a log-softmax, raise `ArcalError`.

    >>> nll(torch.tensor([[0.5, 0.5], [0.0, 1.0]]).log(), torch.tensor([0, 1]))  # (log 2) / 2
    0.34657...
    """
    log_probabilities = as_tensor(log_probabilities, "log_probabilities")
    check_log_probabilities(log_probabilities, "log_probabilities")
    N, Z = log_probabilities.shape
    log_probabilities = log_probabilities.detach().cpu().double()
    log_likelihoods = log_probabilities.gather(1, _as_labels(labels, N, Z)[:, None])
    return _mean(-log_likelihoods[:, 0], weights)


def brier(
    probabilities: TensorLike, labels: TensorLike, *, weights: TensorLike | None = None
) -> float:
    """Brier score 1/N sum_i sum_z (p_i[z] - [z = y_i])^2 of probabilities `(N, Z)`, in [0, 2].

    `labels` `(N,)` are integers in 0 .. Z-1. The sum is over all classes, as Brier (1950) defined
    it; the version with one term per input is half of it for two classes. With `weights` `(N,)`, 0
    or more, the mean is weighted. No inputs, invalid weights, or anything that is not
    probabilities, raise `ArcalError`.

    >>> brier(torch.tensor([[0.5, 0.5], [0.0, 1.0]]), torch.tensor([0, 1]))
    0.25
    """
    probabilities = as_probabilities(probabilities)
    N, Z = probabilities.shape
    errors = probabilities.clone()
    errors[torch.arange(N, device="cpu"), _as_labels(labels, N, Z)] -= 1
    return _mean(errors.square_().sum(1), weights)


def _mean(losses: Tensor, weights: TensorLike | None) -> float:
    if weights is None:
        return losses.mean().item()
    w = as_weights(weights, len(losses))
    return weighted_mean(losses.where(w > 0, 0), w).item()  # else 0 x inf would be nan


def _as_labels(labels: TensorLike, N: int, Z: int) -> Tensor:
    if N == 0:
        raise ArcalError("the mean over no inputs is undefined: pass at least one row")
    return as_classes(labels, N, Z)
