"""A classifier's predictions on the inputs of one set."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from arcal.arrays import row_blocks
from arcal.calibration import average
from arcal.calibration.chance import Chance
from arcal.calibration.ensemble import averaged
from arcal.calibration.resampled import Scores, predicted_of, scores_of
from arcal.errors import ArcalError
from arcal.logits import refuse_probabilities
from arcal.orders import random_order

PROBABILITIES = 1.02e-2
"""How far from 0 the energies of probabilities may be: their sums may be off by 0.01."""


@dataclass(frozen=True)
class Predictions:
    """The predictions of M members on the N inputs of one set.

    `logits` are `(M, N, Z)`, float32, or float64 if more digits are known: `as_predictions` keeps
    float64 and `calibrated` returns it. `ids` and `labels` are int64 `(N,)`. The members'
    probabilities are averaged; a single model is an ensemble of one. With `impossible`, a logit of
    -inf means that the input cannot be of the class, such as an option that a question does not
    have; otherwise it is a probability that was rounded to 0. With `answers`, only the confidence
    is known and whether each answer was right (`as_answers`): class 0 is right and class 1 wrong,
    and class 0 is always the predicted one, whatever its probability.

    >>> two = Predictions(torch.arange(2), torch.tensor([0, 1]), torch.zeros(1, 2, 4))
    >>> two.log_probabilities.exp()[0].tolist()
    [0.25, 0.25, 0.25, 0.25]
    >>> two
    <Predictions: 2 inputs, 4 classes, 1 member>
    """

    ids: Tensor
    labels: Tensor
    logits: Tensor
    impossible: bool = field(default=False, kw_only=True)
    answers: bool = field(default=False, kw_only=True)

    def __repr__(self) -> str:
        M, N, Z = self.logits.shape
        members = f", {M:,} member{'s' * (M != 1)}"
        answers = f"{N:,} answer{'s' * (N != 1)}"
        what = answers if self.answers else f"{N:,} inputs, {Z:,} classes"
        return f"<Predictions: {what}{members}>"

    @cached_property
    def log_probabilities(self) -> Tensor:
        """Log of the averaged probabilities, float64 `(N, Z)`: twice the memory of the logits."""
        return average(self.logits)

    def blocks(self) -> Iterator[tuple[slice, Tensor]]:
        """Slices of rows with their log-probabilities, one at a time to save memory."""
        known: Tensor | None = self.__dict__.get("log_probabilities")
        if known is None:
            refuse_probabilities(self.logits)
        M, N, Z = self.logits.shape
        for some in row_blocks(N, M * Z):
            yield some, averaged(self.logits[:, some]) if known is None else known[some]

    @cached_property
    def _top(self) -> tuple[Tensor, Tensor, Tensor]:
        predicted = torch.empty(self.logits.shape[1], dtype=torch.int64, device="cpu")
        confidence, logarithm = torch.empty(2, len(predicted), dtype=torch.float64, device="cpu")
        for some, log_p in self.blocks():
            p = log_p.exp()
            predicted[some] = top = predicted_of(p, self.answers)
            confidence[some] = p.gather(1, top[:, None])[:, 0]
            logarithm[some] = log_p.gather(1, top[:, None])[:, 0]
        return predicted, confidence, logarithm

    @cached_property
    def scores(self) -> Scores:
        """The values per input that the figures are computed from."""
        return scores_of((log_p for _, log_p in self.blocks()), self.labels, answers=self.answers)

    @cached_property
    def chance(self) -> Chance:
        """Draws of what is right by chance, shared by the figures of all inputs and of groups."""
        return Chance(self.confidence)

    @cached_property
    def order(self) -> Tensor:
        """The positions int64 `(N,)` of the inputs in a random order, drawn by their ids."""
        return random_order(self.ids, seed=0).argsort()

    @cached_property
    def energy(self) -> Tensor:
        """-log sum exp of the logits, the mean over members, float64 `(N,)`; 0 for probabilities.

        Probabilities are recognised by rows that all sum to 1, within the tolerance of
        `as_predictions`.
        """
        M, N, Z = self.logits.shape
        energy = torch.empty(N, dtype=torch.float64, device="cpu")
        for some in row_blocks(N, M * Z):
            energy[some] = -self.logits[:, some].double().logsumexp(2).mean(0)
        return torch.zeros_like(energy) if (energy.abs() < PROBABILITIES).all() else energy

    @property
    def predicted(self) -> Tensor:
        """The most probable class, the first if several are, int64 `(N,)`; 0 for answers."""
        return self._top[0]

    @property
    def confidence(self) -> Tensor:
        """The probability of the predicted class, float64 `(N,)`."""
        return self._top[1]

    @property
    def log_confidence(self) -> Tensor:
        """The logarithm of the confidence, float64 `(N,)`: it keeps the digits near 1."""
        return self._top[2]

    @property
    def correct(self) -> Tensor:
        """Whether the predicted class is the label, bool `(N,)`."""
        return self.predicted == self.labels

    @property
    def classes(self) -> int:
        """Z, the number of classes."""
        return self.logits.shape[2]

    def rows(self, which: Tensor) -> "Predictions":
        """The predictions of some of the inputs, by a mask or positions."""
        ids, labels, logits = self.ids[which], self.labels[which], self.logits[:, which]
        return replace(self, ids=ids, labels=labels, logits=logits)


def ensemble(runs: Sequence[Predictions]) -> Predictions:
    """The ensemble of all members of runs on the same inputs: their probabilities averaged.

    No runs, or runs with different inputs, orders, labels or classes, raise `ArcalError`.

    >>> one = Predictions(torch.arange(2), torch.tensor([0, 1]), torch.zeros(1, 2, 4))
    >>> ensemble([one, one]).logits.shape
    torch.Size([2, 2, 4])
    """
    check_same_inputs(runs)
    first = runs[0]
    logits = torch.cat([run.logits for run in runs])
    return replace(first, logits=logits, impossible=any(run.impossible for run in runs))


def check_same_inputs(runs: Sequence[Predictions]) -> None:
    """Refuse runs that are not all on the same inputs in the same order, and no runs at all."""
    if not runs:
        raise ArcalError("there are no runs: give the predictions of at least one")
    for name in ("ids", "labels"):
        first, *others = (getattr(run, name) for run in runs)
        if not all(torch.equal(one, first) for one in others):
            raise ArcalError(
                f"the {name} of these runs differ: give predictions of the same inputs, in the "
                "same order"
            )
    if len(classes := {run.classes for run in runs}) > 1:
        raise ArcalError(f"these runs have {sorted(classes)} classes: give runs of the same")
    if len({run.answers for run in runs}) > 1:
        raise ArcalError("some of these runs are answers and some are not: give runs of one kind")
