"""What a classifier says of the inputs of one set."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from arcal.calibration import average
from arcal.errors import ArcalError

PROBABILITIES = 1.02e-2
"""How far from 0 the energies of probabilities may be, whose sums are off by 0.01."""


@dataclass(frozen=True)
class Predictions:
    """What M members say of the N inputs of one set.

    `logits` are `(M, N, Z)`, float32, or float64 where more digits are known, as `as_predictions`
    keeps them and `calibrated` gives them; `ids` and `labels` int64 `(N,)`. The members'
    probabilities are averaged; a single model is an ensemble of one.

    >>> two = Predictions(torch.arange(2), torch.tensor([0, 1]), torch.zeros(1, 2, 4))
    >>> two.log_probabilities.exp()[0].tolist()
    [0.25, 0.25, 0.25, 0.25]
    """

    ids: Tensor
    labels: Tensor
    logits: Tensor

    @cached_property
    def log_probabilities(self) -> Tensor:
        """Log of the averaged probabilities, float64 `(N, Z)`."""
        return average(self.logits)

    @cached_property
    def energy(self) -> Tensor:
        """-log sum exp of the logits, the mean over members, float64 `(N,)`; 0 of probabilities.

        These are recognised by rows that all sum to 1, as nearly as `as_predictions` wants it.
        """
        energy = -self.logits.double().logsumexp(2).mean(0)
        return torch.zeros_like(energy) if (energy.abs() < PROBABILITIES).all() else energy

    @property
    def predicted(self) -> Tensor:
        """The most probable class, the first of equal ones, int64 `(N,)`."""
        return self.log_probabilities.exp().argmax(dim=1)

    @property
    def confidence(self) -> Tensor:
        """The probability of that class, float64 `(N,)`."""
        return self.log_probabilities.exp().amax(dim=1)

    @property
    def correct(self) -> Tensor:
        """Whether that class is the label, bool `(N,)`."""
        return self.predicted == self.labels

    @property
    def classes(self) -> int:
        """Z, the number of classes."""
        return self.logits.shape[2]

    def rows(self, which: Tensor) -> "Predictions":
        """The predictions of some of the inputs, by a mask or positions."""
        return Predictions(self.ids[which], self.labels[which], self.logits[:, which])


def ensemble(runs: Sequence[Predictions]) -> Predictions:
    """The ensemble of all members of runs on the same inputs: their probabilities averaged.

    Other inputs, another order of them, or other labels raise `ArcalError`.

    >>> one = Predictions(torch.arange(2), torch.tensor([0, 1]), torch.zeros(1, 2, 4))
    >>> ensemble([one, one]).logits.shape
    torch.Size([2, 2, 4])
    """
    check_same_inputs(runs)
    first = runs[0]
    return Predictions(first.ids, first.labels, torch.cat([run.logits for run in runs]))


def check_same_inputs(runs: Sequence[Predictions]) -> None:
    """Refuse runs that are not all on the same inputs in the same order."""
    for name in ("ids", "labels"):
        first, *others = (getattr(run, name) for run in runs)
        if not all(torch.equal(one, first) for one in others):
            raise ArcalError(
                f"the {name} of these runs differ: give predictions of the same inputs, in the "
                "same order"
            )
