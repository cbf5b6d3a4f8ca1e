"""Isotonic regression for many classes: IRM and IROvA-TS (Zhang, Kailkhura, Han: Mix-n-Match)."""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import isotonic_regression
from torch import Tensor

from arcal.calibration.posthoc.calibrator import as_examples, as_log_probabilities
from arcal.calibration.posthoc.temperature import Temperature, fit_temperature
from arcal.errors import ArcalError

SLOPE = 1e-9
"""Of the line added to a monotone function to make it strictly so, as in the published code."""


@dataclass(frozen=True, eq=False)
class Isotonic:
    """A non-decreasing function on [0, 1]: linear between the knots `x` `(K,)`, flat beyond them.

    `y` `(K,)` are its values, in [0, 1]; both are float64.
    """

    x: Tensor
    y: Tensor

    def __call__(self, p: Tensor) -> Tensor:
        """Its values at float64 `p` of any shape."""
        return torch.from_numpy(np.interp(p.numpy(), self.x.numpy(), self.y.numpy()))

    def strict_log(self, log_p: Tensor) -> Tensor:
        """Log of the function plus SLOPE p: where the function is 0 or flat, p still counts."""
        return torch.logaddexp(self(log_p.exp()).log(), log_p + math.log(SLOPE))


def fit_isotonic(p: Tensor, hit: Tensor) -> Isotonic:
    """The non-decreasing function of `p` `(n,)` with the least squared error to `hit` `(n,)`.

    Equal `p` are one point; then pool adjacent violators. Knots are the ends of what was pooled.
    """
    x, inverse, count = np.unique(p.numpy(), return_inverse=True, return_counts=True)
    share = np.bincount(inverse, weights=hit.numpy()) / count
    found = isotonic_regression(share, weights=count)
    ends = np.union1d(found.blocks[:-1], found.blocks[1:] - 1)
    return Isotonic(torch.from_numpy(x[ends]), torch.from_numpy(found.x[ends]))


@dataclass(frozen=True, eq=False)
class MultiClassIsotonic:
    """IRM: one strictly increasing function for the probabilities of all classes, normalised.

    It keeps the order of the classes, so predictions and accuracy stay as they are, except that
    float64 may no longer tell apart two classes whose probabilities differ by less than 1e-7.
    """

    function: Isotonic

    def __call__(self, log_probabilities: Tensor) -> Tensor:
        """Calibrated log-probabilities, float64 `(N, Z)`."""
        log_p = as_log_probabilities(log_probabilities)
        return self.function.strict_log(log_p).log_softmax(1)


def fit_irm(log_probabilities: Tensor, labels: Tensor) -> MultiClassIsotonic:
    """Isotonic regression of "is it the label?" on the probability, all N Z of both in one fit.

    Labels `(N,)` of a single class raise `ArcalError`.
    """
    log_p, labels = as_examples(log_probabilities, labels)
    hit = F.one_hot(labels, log_p.shape[1])
    return MultiClassIsotonic(fit_isotonic(log_p.exp().flatten(), hit.flatten()))


@dataclass(frozen=True, eq=False)
class OneVsAllIsotonic:
    """IROvA-TS: temperature scaling, then a function of its own for each class, normalised.

    It can change predictions, and so accuracy.
    """

    temperature: Temperature
    functions: tuple[Isotonic, ...]

    def __call__(self, log_probabilities: Tensor) -> Tensor:
        """Calibrated log-probabilities, float64 `(N, Z)`."""
        log_p = self.temperature(log_probabilities)
        Z = len(self.functions)
        if log_p.shape[1] != Z:
            raise ArcalError(f"log_probabilities have {log_p.shape[1]} classes, fitted were {Z}")
        columns = zip(self.functions, log_p.unbind(1), strict=True)
        return torch.stack([of.strict_log(column) for of, column in columns], 1).log_softmax(1)


def fit_irova_ts(log_probabilities: Tensor, labels: Tensor) -> OneVsAllIsotonic:
    """`fit_temperature`, then an isotonic regression for each class against all others.

    A class without a validation input, and what `fit_temperature` refuses, raise `ArcalError`.
    """
    temperature = fit_temperature(log_probabilities, labels)
    log_p, labels = as_examples(temperature(log_probabilities), labels)
    hit = F.one_hot(labels, log_p.shape[1])
    absent = (hit.sum(0) == 0).nonzero()
    if len(absent):
        raise ArcalError(
            f"no validation input is of class {int(absent[0])}: one-vs-all isotonic regression "
            "needs some of every class, `irm` does not"
        )
    columns = zip(log_p.exp().unbind(1), hit.unbind(1), strict=True)
    return OneVsAllIsotonic(temperature, tuple(fit_isotonic(*column) for column in columns))
