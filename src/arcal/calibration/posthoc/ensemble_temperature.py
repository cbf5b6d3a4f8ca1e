"""Ensemble temperature scaling, ETS (Zhang, Kailkhura, Han: Mix-n-Match, ICML 2020)."""

import math
from dataclasses import dataclass
from itertools import combinations

import torch
import torch.nn.functional as F
from torch import Tensor

from arcal.calibration.posthoc.calibrator import as_examples, as_log_probabilities
from arcal.calibration.posthoc.temperature import Temperature, fit_temperature


@dataclass(frozen=True)
class EnsembleTemperature:
    """w_1 p^(1/T) + w_2 p + w_3 / Z, with p^(1/T) normalised; `weights` >= 0 sum to 1.

    Each part keeps the order of the classes, so predictions and accuracy stay as they are.
    """

    T: float
    weights: tuple[float, float, float]

    def __call__(self, log_probabilities: Tensor) -> Tensor:
        """Calibrated log-probabilities, float64 `(N, Z)`."""
        parts = _parts(as_log_probabilities(log_probabilities), self.T)
        weights = torch.tensor(self.weights, dtype=torch.float64)
        return (parts + weights.log()[:, None, None]).logsumexp(0).log_softmax(1)


def fit_ensemble_temperature(log_probabilities: Tensor, labels: Tensor) -> EnsembleTemperature:
    """First T by `fit_temperature`, then the weights with the lowest squared error on `labels`.

    The paper's published code has these two steps and offers NLL and squared error (the Brier
    score) for either; its demonstration takes squared error for both. Here T is that of temperature
    scaling, by NLL, which has one optimum; in the weights the squared error is convex, and they are
    found exactly. Errors are those of `fit_temperature`.
    """
    T = fit_temperature(log_probabilities, labels).T
    log_p, labels = as_examples(log_probabilities, labels)
    parts = _parts(log_p, T).exp().flatten(1)
    target = F.one_hot(labels, log_p.shape[1]).double().flatten()
    return EnsembleTemperature(T, _on_simplex(parts @ parts.T, parts @ target))


def _parts(log_p: Tensor, T: float) -> Tensor:
    """Logarithms of the three parts, `(3, N, Z)`."""
    uniform = torch.full_like(log_p, -math.log(log_p.shape[1]))
    return torch.stack([Temperature(T)(log_p), log_p, uniform])


def _on_simplex(G: Tensor, c: Tensor) -> tuple[float, float, float]:
    """The weights w >= 0 of sum 1 with the lowest wGw - 2cw: the best of all faces' optima."""
    best, lowest = torch.zeros(3, dtype=torch.float64), math.inf
    scale = G.diagonal().mean()
    for size in (1, 2, 3):
        for face in map(list, combinations(range(3), size)):
            # Stationary under the sum: G w + lambda = c. Parts can be equal (T = 1): least squares.
            system = torch.ones(size + 1, size + 1, dtype=torch.float64)
            system[:size, :size] = G[face][:, face] / scale
            system[size, size] = 0
            right = torch.cat([c[face] / scale, torch.ones(1, dtype=torch.float64)])
            w = torch.zeros(3, dtype=torch.float64)
            w[face] = torch.linalg.lstsq(system, right[:, None], driver="gelsd").solution[:size, 0]
            value = (w @ G @ w - 2 * c @ w).item()
            if (w >= 0).all() and value < lowest:
                best, lowest = w / w.sum(), value
    first, second, third = best.tolist()
    return first, second, third
