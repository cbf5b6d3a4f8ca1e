"""Average thresholded confidence: an estimate of the accuracy on unlabelled inputs.

ATC (Garg, Balakrishnan, Lipton, Neyshabur, Sedghi, ICLR 2022): the share of inputs whose score
reaches a threshold estimates the accuracy. The threshold is the one that reproduces the accuracy on
labelled inputs. A score is anything that is higher where the classifier is surer.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from arcal.arrays import TensorLike, as_tensor
from arcal.calibration.checks import as_correct, as_weights
from arcal.calibration.clusters import as_numbers, design_effect
from arcal.calibration.intervals import exact_interval, tango
from arcal.errors import ArcalError

TIE = 1e-9
"""Scores this close are equal: those of equal rows differ by rounding from batch to batch."""


@dataclass(frozen=True)
class ScoreThreshold:
    """A score, and the share of the inputs with this very score that counts as reaching it.

    If many inputs have one score, as from a tree or rounded probabilities, no threshold between
    scores is reached by exactly a given share of them.

    >>> ScoreThreshold(0.0, ties=0.5).share(torch.tensor([-1.0, 0.0, 0.0, 1.0]))
    0.5
    """

    score: float
    ties: float

    def reach(self, scores: Tensor) -> Tensor:
        """How far each input counts as reaching it, float64 `(N,)`: 0, 1 or the share of ties."""
        above, same = _above_and_at(self.score, scores)
        return above.double() + self.ties * same.double()

    def share(self, scores: Tensor) -> float:
        """The share of inputs with scores `(N,)` that reach it."""
        return self.reach(scores).mean().item()


@dataclass(frozen=True)
class AccuracyByThreshold:
    """The threshold that is reached by as many labelled inputs as are right, their `accuracy`.

    `loosest` and `strictest` are the ends of its range, by Tango's 95 % interval of the accuracy
    minus the share that reaches it.

    Made by `fit_accuracy_by_threshold`.
    """

    threshold: ScoreThreshold
    loosest: ScoreThreshold
    strictest: ScoreThreshold
    accuracy: float

    def estimate(
        self, scores: Tensor, clusters: TensorLike | None = None
    ) -> tuple[float, float, float]:
        """The accuracy of unlabelled inputs with scores `(N,)`, and the ends of its 95 % interval.

        The interval is over draws of such inputs and of the labelled ones. `clusters` `(N,)` number
        the inputs that belong together.
        """
        scores = scores.double()
        reach = self.threshold.reach(scores)
        share, n = reach.mean().item(), float(len(scores))
        if clusters is not None:
            number = as_numbers(clusters, len(scores))
            n /= design_effect(reach, torch.ones_like(reach), number)
        low, high = (end.item() for end in exact_interval([share * n], [n]))
        most, least = (end.share(scores) for end in (self.loosest, self.strictest))
        below, above = (math.hypot(share - a, share - b) for a, b in ((low, least), (high, most)))
        return share, max(share - below, 0.0), min(share + above, 1.0)


def fit_accuracy_by_threshold(
    scores: TensorLike,
    correct: TensorLike,
    weights: TensorLike | None = None,
    clusters: TensorLike | None = None,
) -> AccuracyByThreshold:
    """The threshold for labelled inputs with scores `(N,)`, where `correct` `(N,)` bool are right.

    `weights` `(N,)`, 0 or more, say how much each input counts, and their total is the effective
    number. `clusters` `(N,)` number the inputs that belong together, which widens the range of the
    threshold. No inputs, nan, and wrong shapes raise `ArcalError`.

    >>> scores = torch.tensor([0.9, 0.8, 0.7, 0.6])
    >>> fitted = fit_accuracy_by_threshold(scores, [True, True, True, False])
    >>> share, low, high = fitted.estimate(scores - 0.15)
    >>> fitted.accuracy, share
    (0.75, 0.25)
    """
    scores = as_tensor(scores, "scores").double()
    if scores.ndim != 1 or not len(scores) or scores.isnan().any():
        what = "nan" if scores.isnan().any() else f"shape {tuple(scores.shape)}"
        raise ArcalError(f"the scores have {what}: give a number for each input, one or more")
    correct = as_correct(correct, len(scores))
    w = as_weights(weights, len(scores))
    if weights is not None:
        w = w * (w.sum() / w.square().sum())
    n = w.sum().item()
    wrong = ~correct
    accuracy = w[correct].sum().item() / n
    ordered, order = scores.sort(descending=True)
    reached = w[order].cumsum(0)

    def reached_by(share: float) -> ScoreThreshold:
        """The threshold that this share of the labelled inputs reach."""
        k = round(share * n) if weights is None else share * n
        if not k > TIE:
            return ScoreThreshold(math.inf, 0.0)
        last = ordered[int((reached < k - TIE).sum().clamp(max=len(ordered) - 1))].item()
        above, same = _above_and_at(last, scores)
        ties = (k - w[above].sum().item()) / w[same].sum().item()
        return ScoreThreshold(last, min(ties, 1.0))

    threshold = reached_by(accuracy)
    sure_but_wrong = (w[wrong] @ threshold.reach(scores[wrong])).item()
    effect = 1.0
    if clusters is not None:
        together = as_numbers(clusters, len(scores))
        effect = design_effect(correct.double() - threshold.reach(scores), w, together)
    alone = sure_but_wrong / effect  # as many are right but below it
    low, high = tango(alone, alone, n / effect)
    loosest, strictest = reached_by(min(accuracy + high, 1)), reached_by(max(accuracy + low, 0))
    return AccuracyByThreshold(threshold, loosest, strictest, accuracy)


def _above_and_at(score: float, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Which of the scores `(N,)` are above this one, and which equal it; they may be infinite."""
    same = torch.isclose(scores, scores.new_tensor(score), rtol=0, atol=TIE)
    return (scores > score) & ~same, same
