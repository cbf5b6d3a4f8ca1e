"""Parameterized temperature scaling, PTS (Tomani, Cremers, Buettner, ECCV 2022)."""

from torch import Tensor

from arcal.arrays import TensorLike
from arcal.calibration.posthoc._linear import bounded
from arcal.calibration.posthoc._temperature_network import TemperatureNetwork, fit_network
from arcal.calibration.posthoc.calibration_set import LogProbabilities
from arcal.errors import ArcalError

TOP = 10
"""The most probable classes that the network sees, as in the paper."""
HIDDEN = (5, 5)


class ParameterizedTemperature(TemperatureNetwork):
    """log q = log p / T(z^s) + constant, with z^s the largest log-probabilities, sorted.

        T(z^s) = softplus(g(x)) + 0.05 softplus(b),   x = (z^s - mean) / scale

    with g a tanh network with two hidden layers of 5 units, and b the bias of its output, which
    keeps T above 0. The inputs of g are the standardised K largest log-probabilities, at least -50
    each; K is 10, or the number of classes if that is smaller. Each row is divided by a positive
    number, so predictions and accuracy stay as they are. Buffers are `mean` and `scale` `(K,)` and
    `weight_i`, `bias_i` of the three layers.

    >>> import torch
    >>> log_p = torch.tensor([[0.9, 0.1]]).log().expand(4, 2)
    >>> pts = fit_pts(log_p, torch.tensor([0, 0, 0, 1]))
    >>> pts(log_p)[0].exp().round(decimals=3)  # right 3 times in 4
    tensor([0.7500, 0.2500], dtype=torch.float64)
    """

    kind = "pts"

    def __init__(
        self,
        mean: Tensor,
        scale: Tensor,
        weight_1: Tensor,
        bias_1: Tensor,
        weight_2: Tensor,
        bias_2: Tensor,
        weight_3: Tensor,
        bias_3: Tensor,
    ):
        super().__init__(mean, scale, (weight_1, bias_1), (weight_2, bias_2), (weight_3, bias_3))

    def calibrate(self, log_p: Tensor) -> Tensor:
        K = len(self.mean)
        if log_p.shape[1] < K:
            raise ArcalError(
                f"log_p has {log_p.shape[1]} classes, and it was fitted to {K} or more"
            )
        return self.divided(log_p, largest(log_p, K))

    def extra_repr(self) -> str:
        return f"classes={len(self.mean)}, {super().extra_repr()}"


def fit_pts(
    log_p: LogProbabilities, labels: TensorLike, *, weights: TensorLike | None = None
) -> ParameterizedTemperature:
    """Fit the network by at most 50 steps of L-BFGS, from one temperature for all inputs.

    The objective is the mean log-loss of `labels` `(N,)` plus half the sum of squared weights over
    N; the steps often end before its minimum. The paper minimises the squared error, but here
    calibrators are chosen by the log-loss. Errors are those of `fit_temperature`.

    >>> import torch
    >>> log_p = torch.tensor([[0.9, 0.1], [0.6, 0.4]]).log().repeat(50, 1)
    >>> labels = (torch.arange(100) % 5 == 0).long()
    >>> bool((fit_pts(log_p, labels)(log_p) - log_p).abs().max() < 1)
    True
    """

    def features(z: Tensor) -> Tensor:
        return largest(z, min(TOP, z.shape[1]))

    return ParameterizedTemperature(*fit_network(log_p, labels, weights, features, HIDDEN))


def largest(log_p: Tensor, K: int) -> Tensor:
    """The `K` largest log-probabilities of each row, descending, `(N, K)`, at least -50.

    >>> import torch
    >>> largest(torch.tensor([[-3.0, -torch.inf, -0.1]]), 3)
    tensor([[ -0.1000,  -3.0000, -50.0000]])
    """
    return bounded(log_p.topk(K, dim=1).values)
