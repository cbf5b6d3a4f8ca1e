"""How much predictions change from run to run: variance and churn (sections 3.1 and 5.4)."""

from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

from arcal.calibration._checks import as_integers, as_probabilities
from arcal.errors import ArcalError


@dataclass(frozen=True, eq=False)
class Variance:
    """The variance over M runs for each input, `(N,)` float64, and its means over inputs.

    Section 3.1 does not say which probability its p-hat is, so here are the three readings. The
    main one, `all_classes`, needs no choice of class and sees every change of the prediction.
    """

    all_classes_per_input: Tensor
    """p-hat is the vector of probabilities, its squared distance to the mean summed over classes.
    In [0, 1]: 1 if all runs are certain and no two agree."""
    fixed_class_per_input: Tensor
    """p-hat is the probability of one class for all runs: the one that their mean predicts."""
    own_maximum_per_input: Tensor
    """p-hat is each run's own confidence, whichever class that is in: blind to runs that
    disagree with equal confidence."""

    @property
    def all_classes(self) -> float:
        """sigma^2, the mean over inputs of the main reading."""
        return self.all_classes_per_input.mean().item()

    @property
    def fixed_class(self) -> float:
        """sigma^2 of the class that the mean over runs predicts."""
        return self.fixed_class_per_input.mean().item()

    @property
    def own_maximum(self) -> float:
        """sigma^2 of each run's own confidence."""
        return self.own_maximum_per_input.mean().item()


def variance(probabilities: Tensor) -> Variance:
    """sigma^2 = 1/N sum_i 1/(M-1) sum_m (p_hat[m,i] - p_bar[i])^2 of `(M, N, Z)` probabilities.

    Unbiased over the M runs; fewer than two, or no inputs, raise `ArcalError`.
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


def churn(predictions: Tensor) -> float:
    """Share of inputs whose predicted class differs between two runs, in [0, 1].

    The mean over all pairs of the M runs in `predictions` `(M, N)` (Milani Fard et al., 2016).
    """
    return churn_per_input(predictions).mean().item()


def churn_per_input(predictions: Tensor) -> Tensor:
    """The share `(N,)` of pairs of runs in `predictions` `(M, N)` that differ on each input."""
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
