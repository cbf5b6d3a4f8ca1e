"""A temperature by the logit gap: SMART (Guo, Tao, Luo, Dong, Xu, 2025)."""

from torch import Tensor

from arcal.arrays import TensorLike
from arcal.calibration.posthoc._temperature_network import TemperatureNetwork, fit_network
from arcal.calibration.posthoc.calibration_set import LogProbabilities

HIDDEN = 16
"""Units of the hidden layer: 49 parameters in all."""
FARTHEST = 1e3
"""The largest gap that counts, so that a gap to a class of probability 0 is finite."""


class Smart(TemperatureNetwork):
    """log q = log p / T(g) + constant, with the logit gap g = z_max - z_2nd.

        T(g) = softplus(h(x)) + 0.05 softplus(b),   x = (g - mean) / scale

    with h a tanh network with one hidden layer, of the standardised gap, and b the bias of its
    output, which keeps T above 0. Each row is divided by a positive number, so predictions and
    accuracy stay as they are. The gap is the same between log-probabilities as between logits, and
    is cut at 1000. Buffers are `mean` and `scale` `(1,)`, `weight_1` `(H, 1)` and `bias_1` `(H,)`
    of the hidden layer, `weight_2` `(1, H)` and `bias_2` `(1,)`.

    >>> import torch
    >>> log_p = torch.tensor([[0.9, 0.1]]).log().expand(4, 2)
    >>> smart = fit_smart(log_p, torch.tensor([0, 0, 0, 1]))
    >>> smart(log_p)[0].exp().round(decimals=3)  # right 3 times in 4
    tensor([0.7500, 0.2500], dtype=torch.float64)
    """

    kind = "smart"

    def __init__(
        self,
        mean: Tensor,
        scale: Tensor,
        weight_1: Tensor,
        bias_1: Tensor,
        weight_2: Tensor,
        bias_2: Tensor,
    ):
        super().__init__(mean, scale, (weight_1, bias_1), (weight_2, bias_2))

    def calibrate(self, log_p: Tensor) -> Tensor:
        return self.divided(log_p, logit_gap(log_p))


def fit_smart(
    log_p: LogProbabilities, labels: TensorLike, *, weights: TensorLike | None = None
) -> Smart:
    """Fit the network by at most 50 steps of L-BFGS, from one temperature for all inputs.

    The objective is the mean log-loss of `labels` `(N,)` plus half the sum of squared weights over
    N. The paper minimises a soft-binned ECE; the log-loss is a proper score, and calibrators are
    chosen by it here. Errors are those of `fit_temperature`.

    >>> import torch
    >>> log_p = torch.tensor([[0.9, 0.1], [0.6, 0.4]]).log().repeat(50, 1)
    >>> labels = (torch.arange(100) % 5 == 0).long()
    >>> bool((fit_smart(log_p, labels)(log_p) - log_p).abs().max() < 1)
    True
    """
    return Smart(*fit_network(log_p, labels, weights, logit_gap, [HIDDEN]))


def logit_gap(log_p: Tensor) -> Tensor:
    """The gap `(N, 1)` between the two most probable classes, at most `FARTHEST`.

    >>> import torch
    >>> logit_gap(torch.tensor([[1.0, 4.0, 2.0]]))
    tensor([[2.]])
    """
    first, second = log_p.topk(2, dim=1).values.split(1, dim=1)
    return (first - second).clamp(max=FARTHEST)
