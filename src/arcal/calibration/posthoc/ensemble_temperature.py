"""Ensemble temperature scaling, ETS (Zhang, Kailkhura, Han: Mix-n-Match, ICML 2020)."""

import math
from itertools import combinations

import torch
from torch import Tensor

from arcal.arrays import TensorLike, row_blocks
from arcal.calibration.posthoc.calibration_set import LogProbabilities, as_calibration_set
from arcal.calibration.posthoc.calibrator import Calibrator, fitted
from arcal.calibration.posthoc.temperature import as_temperature


class EnsembleTemperature(Calibrator):
    """q = w_1 p^(1/T) + w_2 p + w_3 / Z, with p^(1/T) normalised.

    An impossible class, of log-probability -inf, stays so. Each part keeps the order of the
    classes, so predictions and accuracy stay as they are. `T` and `weights` `(3,)`, which sum to 1,
    are kept as tensors.

    >>> mixed = EnsembleTemperature(2.0, (0.5, 0.3, 0.2))(torch.tensor([[0.9, 0.1]]).log())
    >>> mixed.exp()  # .5 x .75 + .3 x .9 + .2 / 2
    tensor([[0.7450, 0.2550]], dtype=torch.float64)
    """

    kind = "ets"
    keeps_order = True
    T: Tensor
    weights: Tensor

    def __init__(self, T: float | Tensor, weights: tuple[float, float, float] | Tensor):
        super().__init__(T=as_temperature(T), weights=fitted(weights, "weights", ndim=1))

    def calibrate(self, log_p: Tensor) -> Tensor:
        parts = _parts(log_p, self.T)
        log_w = self.weights.to(log_p).log()[:, None, None]
        masked = log_p.isneginf()  # before the sum: the gradient of a sum of -inf alone is nan
        q = (parts + log_w).masked_fill(masked, 0).logsumexp(0)
        return q.masked_fill(masked, -torch.inf).log_softmax(1)

    def extra_repr(self) -> str:
        return f"T={self.T:.4g}, weights=({', '.join(f'{w:.4g}' for w in self.weights)})"


def fit_ensemble_temperature(
    log_p: LogProbabilities, labels: TensorLike, *, weights: TensorLike | None = None
) -> EnsembleTemperature:
    """First T by `fit_temperature`, then the weights with the lowest squared error on `labels`.

    The paper's published code has these two steps and offers NLL and squared error (the Brier
    score) for either; its demonstration uses squared error for both. Here T is that of temperature
    scaling, by NLL, which has one optimum. The squared error is convex in the weights, which are
    found exactly. Errors are those of `fit_temperature`.

    >>> log_p = torch.tensor([[0.9, 0.1]]).log().expand(4, 2)
    >>> fitted = fit_ensemble_temperature(log_p, torch.tensor([0, 0, 0, 1]))
    >>> fitted(log_p)[0].exp()  # right 3 times in 4
    tensor([0.7500, 0.2500], dtype=torch.float64)
    """
    given = as_calibration_set(log_p, labels, weights)
    T, (log_p, labels) = given.T, given.finite
    G = torch.zeros(3, 3, dtype=torch.float64, device="cpu")
    c = torch.zeros(3, dtype=torch.float64, device="cpu")
    for some in row_blocks(*log_p.shape):
        parts = _parts(log_p[some], T).exp()
        w = given.weights[some]
        weighted = w[:, None] * parts if given.weighted else parts
        G += weighted.flatten(1) @ parts.flatten(1).T
        c += parts[:, torch.arange(len(parts[0]), device="cpu"), labels[some]].mul(w).sum(1)
    return EnsembleTemperature(T, _on_simplex(G, c))


def _parts(log_p: Tensor, T: Tensor | float) -> Tensor:
    """Logarithms of the three parts, `(3, N, Z)`."""
    tempered = (log_p / T).log_softmax(1)
    # The uniform part is over the possible classes.
    share = log_p.isfinite().sum(1, keepdim=True).to(log_p) / log_p.shape[1]
    uniform = (-math.log(log_p.shape[1]) - share.log()).expand_as(log_p)
    return torch.stack([tempered, log_p, uniform])


def _on_simplex(G: Tensor, c: Tensor) -> Tensor:
    """The weights w >= 0 of sum 1 with the lowest wGw - 2cw: the best optimum of all faces."""
    best, lowest = torch.zeros(3, dtype=torch.float64, device="cpu"), math.inf
    scale = G.diagonal().mean()
    for size in (1, 2, 3):
        for face in map(list, combinations(range(3), size)):
            # Stationary under the sum: G w + lambda = c. Parts can be equal (T = 1): least squares.
            system = torch.ones(size + 1, size + 1, dtype=torch.float64, device="cpu")
            system[:size, :size] = G[face][:, face] / scale
            system[size, size] = 0
            right = torch.cat([c[face] / scale, torch.ones(1, dtype=torch.float64, device="cpu")])
            w = torch.zeros(3, dtype=torch.float64, device="cpu")
            w[face] = torch.linalg.lstsq(system, right[:, None], driver="gelsd").solution[:size, 0]
            value = (w @ G @ w - 2 * c @ w).item()
            if (w >= 0).all() and value < lowest:
                best, lowest = w / w.sum(), value
    return best
