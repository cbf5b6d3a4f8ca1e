"""Variance and churn: how much predictions differ between runs (sections 3.1 and 5.4)."""

from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

from arcal.arrays import TensorLike, as_tensor
from arcal.calibration.checks import as_integers, as_probabilities
from arcal.errors import ArcalError


@dataclass(frozen=True, eq=False)
class Variance:
    """The variance over M runs of each input, `(N,)` float64, and its mean over inputs.

    Section 3.1 does not say which probability its p-hat is; these are the three readings. The main
    one, `all_classes`, needs no choice of a class and sees every change of the probabilities.

    >>> two_runs = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])  # certain, and contradictory
    >>> result = variance(two_runs)
    >>> result.all_classes, result.fixed_class, result.own_maximum
    (1.0, 0.5, 0.0)
    """

    all_classes_per_input: Tensor
    """p-hat is the vector of all probabilities; its squared distance to the mean is summed over
    classes. In [0, 1]: 1 if all runs are certain and no two agree."""
    fixed_class_per_input: Tensor
    """p-hat is the probability of the class that the mean over runs predicts, in [0, 1/2]."""
    own_maximum_per_input: Tensor
    """p-hat is each run's own confidence, in whichever class, in [0, 1/2]; it does not see runs
    that disagree with equal confidence."""

    @property
    def all_classes(self) -> float:
        """sigma^2 by the main reading: the mean of `all_classes_per_input`."""
        return self.all_classes_per_input.mean().item()

    @property
    def fixed_class(self) -> float:
        """sigma^2 of the class that the mean predicts: the mean of `fixed_class_per_input`."""
        return self.fixed_class_per_input.mean().item()

    @property
    def own_maximum(self) -> float:
        """sigma^2 of each run's own confidence: the mean of `own_maximum_per_input`."""
        return self.own_maximum_per_input.mean().item()


def variance(probabilities: TensorLike) -> Variance:
    """sigma^2 = 1/N sum_i 1/(M-1) sum_m (p_hat[m,i] - p_bar[i])^2 (section 3.1), in three readings.

    `probabilities` `(M, N, Z)` are those of M runs on the same N inputs; the estimate is unbiased
    over runs. Fewer than two runs, or no inputs, raise `ArcalError`.

    >>> variance(torch.tensor([[[0.75, 0.25]], [[0.25, 0.75]]])).all_classes
    0.25
    """
    probabilities = as_probabilities(probabilities, ndim=3)
    _need_runs(*probabilities.shape[:2])
    per_class = probabilities.var(0, correction=1)  # (N, Z)
    predicted = probabilities.mean(0).argmax(1, keepdim=True)
    return Variance(
        all_classes_per_input=per_class.sum(1),
        fixed_class_per_input=per_class.gather(1, predicted)[:, 0],
        own_maximum_per_input=probabilities.amax(2).var(0, correction=1),
    )


def churn(predictions: TensorLike) -> float:
    """The share of inputs whose predicted class differs between two runs, in [0, 1].

    The mean over all pairs of the M runs in `predictions`, integers `(M, N)` (Milani Fard et al.,
    2016). Fewer than two runs, or no inputs, raise `ArcalError`.

    >>> churn(torch.tensor([[0, 1, 2, 3], [0, 1, 2, 2]]))
    0.25
    """
    return churn_per_input(predictions).mean().item()


def churn_per_input(predictions: TensorLike) -> Tensor:
    """The share of pairs of runs that differ on each input, `(N,)` float64 in [0, 1].

    `predictions` and errors are those of `churn`.

    >>> churn_per_input(torch.tensor([[0, 1], [0, 1], [0, 2]]))
    tensor([0.0000, 0.6667], dtype=torch.float64)
    """
    predictions = as_tensor(predictions, "predictions")
    if predictions.ndim != 2:
        raise ArcalError(
            f"predictions must have shape (M, N), not {tuple(predictions.shape)}: stack the runs"
        )
    predictions = as_integers(predictions, "predictions")
    _need_runs(*predictions.shape)
    pairs = [(a != b).double() for a, b in combinations(predictions, 2)]
    return torch.stack(pairs).mean(dim=0)


def _need_runs(M: int, N: int):
    if M < 2:
        raise ArcalError(f"stability needs at least two runs, found {M}: train another seed")
    if N == 0:
        raise ArcalError("the stability of no inputs is undefined: pass at least one")
