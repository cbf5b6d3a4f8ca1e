"""Negative log-likelihood and Brier score: proper scores, lower is better."""

import torch.nn.functional as F
from torch import Tensor

from arcal.calibration._checks import as_classes, as_probabilities
from arcal.errors import ArcalError


def nll(log_probabilities: Tensor, labels: Tensor) -> float:
    """Mean negative log-likelihood of `labels` `(N,)` in nats, in [0, inf].

    It takes logarithms `(N, Z)`, the log-softmax of logits or an `average` of members, because
    probabilities underflow where it matters most. A true class given probability 0 (a logarithm
    of -inf) costs inf, and so does the mean: nothing is clipped.
    """
    log_probabilities = log_probabilities.detach().cpu().double()
    N, Z = as_probabilities(
        log_probabilities.exp(), name="exp(log_probabilities)", remedy="pass a log-softmax"
    ).shape
    of_true_class = log_probabilities.gather(1, _as_labels(labels, N, Z)[:, None])
    return -of_true_class.mean().item()


def brier(probabilities: Tensor, labels: Tensor) -> float:
    """Mean over inputs of the squared distance from `(N, Z)` to the one-hot label, in [0, 2].

    Summed over classes, as Brier (1950) defined it: for two classes it is twice the score that
    looks at one class only.
    """
    probabilities = as_probabilities(probabilities)
    N, Z = probabilities.shape
    one_hot = F.one_hot(_as_labels(labels, N, Z), Z)
    return (probabilities - one_hot).square().sum(1).mean().item()


def _as_labels(labels: Tensor, N: int, Z: int) -> Tensor:
    if N == 0:
        raise ArcalError("a mean over no inputs is undefined: pass at least one row")
    return as_classes(labels, N, Z)
