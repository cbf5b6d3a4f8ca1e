"""What calibration after training would do, if fitted on some inputs and shown on others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.auditing._estimate import (
    Estimate,
    accuracy_from,
    ece_estimate,
    estimates,
)
from arcal.auditing._few_errors import score_estimates
from arcal.auditing._posthoc import calibrated_blocks
from arcal.auditing._predictions import Predictions
from arcal.calibration import Bootstrap, average
from arcal.calibration.checks import as_weights
from arcal.calibration.clusters import as_clusters, as_numbers, more_alike
from arcal.calibration.draws import stored_counts, usual_resamples
from arcal.calibration.posthoc import POSTHOC, CalibrationSet, Calibrator
from arcal.calibration.resampled import Scores, resampled_scores, scores_of
from arcal.calibration.weighted import (
    effective_number,
    effective_of,
)
from arcal.errors import ArcalError
from arcal.orders import random_order

ENOUGH_TO_FIT = 100
"""The fewest inputs to fit calibrators on, and to show them on: with fewer, neither a fit nor an
interval says anything."""

SIMPLEST_FIRST = (
    "temperature",
    "ets",
    "ebs",
    "smart",
    "spline",
    "pts",
    "irm",
    "vector",
    "irova-ts",
    "dirichlet",
)
"""If the data cannot tell calibrators apart, the first of these is taken: it has the fewest
ways to be wrong."""

SHOWN = ("temperature", "ets", "irm", "irova-ts")
"""The post-hoc methods that are shown, the simplest first: quick to fit, and the ones that most
people would use."""
OF_ANSWERS = ("temperature", "vector", "irova-ts")
"""The post-hoc methods for a confidence alone: a slope; two slopes and an offset, which is beta
calibration and includes Platt scaling; and any increasing function. None changes the answer. The
other methods use which of two classes is more probable, which means nothing here."""

FIGURES = ("ece", "nll", "accuracy")


@dataclass(frozen=True)
class BeforeAndAfter:
    """A figure `before` and `after` a calibrator, and the `change`, after minus before.

    The interval of the change is from paired draws: the same inputs before and after. That of an
    ECE is not reliable: both ECEs are too large by chance, but not by the same amount, so the
    interval contained the change of calibrated models in only 72 to 90 % of draws. Made by
    `posthoc_on_halves`.
    """

    before: Estimate
    after: Estimate
    change: Estimate


@dataclass(frozen=True)
class Outcome:
    """A post-hoc method, and its effect on inputs that it was not fitted on.

    The intervals of `ece` are outer, and before and after they begin at 0 if the ECE may be chance;
    those of `accuracy` are exact; those of its change and of `nll` are percentile. Except for the
    changes of ECE and accuracy, they allow for errors not seen, as in `Overall`. `keeps_accuracy`
    means that the method never changes a prediction; `changed` is the number of predictions that it
    did change. Made by `posthoc_on_halves`.
    """

    name: str
    calibrator: Calibrator
    keeps_accuracy: bool
    changed: int
    ece: BeforeAndAfter
    nll: BeforeAndAfter
    accuracy: BeforeAndAfter


@dataclass(frozen=True)
class Halves:
    """The usual post-hoc methods fitted on `fitted_on` inputs and shown on `shown_on` others.

    `outcomes` are by name; `refused` says, by name, why a method could not be fitted. If there are
    too few inputs for anything, `too_small` is a line that says so, and the rest is empty. `first`
    bool `(N,)` marks the half of all inputs that the methods were fitted on, None if there are no
    halves. `recommended` is picked from the methods that keep the accuracy and whose change of the
    log-loss, on the inputs shown, has its whole interval below 0. It is the simplest of them, by
    the order of `SHOWN`, that is not shown to be worse than the one with the lowest log-loss; None
    if there is none, and the model is better left alone. Made by `posthoc_on_halves`.
    """

    fitted_on: int
    shown_on: int
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    too_small: str | None = None
    first: Tensor | None = field(default=None, compare=False, repr=False)
    recommended: str | None = None


def posthoc_on_halves(
    predictions: Predictions,
    validation: Predictions | None = None,
    *,
    weights: TensorLike | None = None,
    clusters: TensorLike | None = None,
    resamples: int | None = None,
) -> Halves:
    """Fit the usual post-hoc methods on one half of the inputs, and show them on the other.

    The methods are those of `SHOWN`, or for answers of `OF_ANSWERS`, and the halves are two folds
    of `folds_of`. If there are `validation` predictions, of other inputs, the methods are fitted on
    these and shown on all `predictions`. `weights` `(N,)` count in the figures, and in the fit
    unless that is on `validation`. `clusters` as in `overall`; each is in one of the halves.
    `resamples` as in `overall`, for the inputs shown. Weights of a wrong length raise `ArcalError`.

    >>> from arcal.auditing import as_predictions
    >>> sure = as_predictions(logits=[[3.0, 0.0]] * 100, labels=[0, 0, 0, 1] * 25)
    >>> posthoc_on_halves(sure).too_small
    'too few inputs to compare calibrators: 200 are needed, and there are 100; or give validation \
data'
    >>> other = as_predictions(logits=[[2.0, 0.0]] * 400, labels=[0, 0, 0, 1] * 100)
    >>> posthoc_on_halves(other, validation=sure, resamples=200).outcomes["irm"].nll.change.sign
    -1
    """
    w, first = as_weights(weights, len(predictions.ids)), None
    number = None if clusters is None else as_numbers(clusters, len(w))
    if validation is None:
        first = _dealt_out(predictions.order, predictions.labels, 2, number) == 0
        fit, shown = predictions.rows(first), predictions.rows(~first)
        to_fit, w = None if weights is None else w[first], w[~first]
        number = None if number is None else number[~first]
    else:
        fit, shown, to_fit = validation, predictions, None
    fitted_on, shown_on = len(fit.ids), len(shown.ids)
    too_small = _too_small(fitted_on, shown_on if validation is None else None)
    if too_small is None and not (w.any() and (to_fit is None or to_fit.any())):
        too_small = (
            "calibrators cannot be compared, as all inputs in one half weigh 0: give more inputs a "
            "weight"
        )
    if too_small is not None:
        return Halves(fitted_on, shown_on, too_small=too_small)
    resamples = usual_resamples(shown_on) if resamples is None else resamples
    together = as_clusters(number, shown.confidence, shown.correct, w)
    draws = stored_counts(shown_on, resamples, seed=0, clusters=together)
    before = Resampled(shown.scores, draws, w, number, resamples)
    after, outcomes, refused = dict[str, Resampled](), dict[str, Outcome](), dict[str, str]()
    given = CalibrationSet(average(fit.logits), fit.labels, to_fit)
    answers = predictions.answers
    for name in OF_ANSWERS if answers else SHOWN:
        try:
            calibrator = POSTHOC[name](given, given.labels)
            blocks = calibrated_blocks(calibrator, shown)
            scores = scores_of(blocks, shown.labels, answers=answers)
        except ArcalError as error:
            refused[name] = str(error)
            continue
        after[name] = Resampled(scores, draws, w, number, resamples)
        changed = int((scores.predicted != shown.scores.predicted).sum())
        keeps = calibrator.keeps_order or answers
        outcomes[name] = Outcome(name, calibrator, keeps, changed, **_moved(before, after[name]))

    def behind(name: str, best: str) -> Estimate:
        return outcomes[name].nll.change if best == "none" else after[name].loss_above(after[best])

    safe = {name: one.nll.after.value for name, one in outcomes.items() if one.keeps_accuracy}
    recommended, _ = simplest_of_the_best(safe, behind)
    return Halves(fitted_on, shown_on, outcomes, refused, first=first, recommended=recommended)


def _too_small(fitted_on: int, shown_on: int | None) -> str | None:
    """A line if there are too few inputs: in a half, or to validate on if `shown_on` is None."""
    if shown_on is None:
        if fitted_on >= ENOUGH_TO_FIT:
            return None
        return (
            f"too few validation inputs to compare calibrators: {ENOUGH_TO_FIT} are needed, and "
            f"there are {fitted_on}"
        )
    if (fewer := min(fitted_on, shown_on)) >= ENOUGH_TO_FIT:
        return None
    few, there, needed = "few inputs", fitted_on + shown_on, 2 * ENOUGH_TO_FIT
    if there >= needed:  # where a cluster has many inputs, the halves may differ
        few, there, needed = "few inputs in one half", fewer, ENOUGH_TO_FIT
    return (
        f"too {few} to compare calibrators: {needed} are needed, and there are {there}; or give "
        "validation data"
    )


class Resampled:
    """A model's weighted figures on inputs, with intervals over `draws` shared by all models."""

    def __init__(
        self,
        scores: Scores,
        draws: Sequence[Tensor],
        weights: Tensor | None,
        clusters: Tensor | None,
        resamples: int,
    ) -> None:
        w, pair = as_weights(weights, len(scores.confidence)), (scores.confidence, scores.correct)
        self.together = together = as_clusters(clusters, *pair, w)
        self.scores, self.w, self.n = scores, w, round(effective_number(w, together))
        how: dict[str, Any] = {"weights": weights, "clusters": together}
        self.drawn: Mapping[str, Bootstrap] = resampled_scores(scores, draws, smooth=False, **how)
        share = self.drawn["accuracy"].estimate
        how["resamples"] = resamples
        self.figures: dict[str, Estimate] = {
            **score_estimates(self.drawn, self.n, w, scores, clusters=together),
            "accuracy": accuracy_from(share, effective_of(w, *pair, together)),
            "ece": ece_estimate(self.drawn["ece"], *pair, self.n, **how),
        }

    def loss_above(self, other: "Resampled") -> Estimate:
        """The log-loss minus that of the other."""
        apart = {"nll": self.drawn["nll"] - other.drawn["nll"]}
        both, together = (self.scores, other.scores), more_alike(self.together, other.together)
        n = min(self.n, other.n)
        return score_estimates(apart, n, self.w, *both, clusters=together, names=("nll",))["nll"]


def _moved(before: Resampled, after: Resampled) -> dict[str, BeforeAndAfter]:
    """What a calibrator does to each of the `FIGURES`."""
    apart = {name: after.drawn[name] - before.drawn[name] for name in ("ece", "accuracy")}
    changes = estimates(apart, apart, after.n, cut=False) | {"nll": after.loss_above(before)}
    columns = (before.figures, after.figures, changes)
    return {name: BeforeAndAfter(*(column[name] for column in columns)) for name in FIGURES}


def simplest_of_the_best(
    losses: Mapping[str, float], behind: Callable[[str, str], Estimate]
) -> tuple[str | None, str | None]:
    """The calibrator to take, and the best one, by the log-losses of those that may be picked.

    `behind(name, other)` is the log-loss of one minus that of the other, or of "none". The best has
    the lowest log-loss of those that lower it beyond chance, or if none does, of all. The one to
    take is the simplest that lowers it beyond chance and is not shown to be worse than the best.
    """
    helps = [name for name in losses if behind(name, "none").sign < 0]
    best = min(helps or losses, key=lambda name: losses[name], default=None)
    equal = (name for name in helps if name == best or behind(name, str(best)).sign <= 0)
    return min(equal, key=complexity, default=None), best


def complexity(name: str) -> int:
    """The place of a calibrator in `SIMPLEST_FIRST`; others come last."""
    return SIMPLEST_FIRST.index(name) if name in SIMPLEST_FIRST else len(SIMPLEST_FIRST)


def folds_of(
    ids: Tensor, labels: Tensor, folds: int, seed: int = 0, clusters: Tensor | None = None
) -> Tensor:
    """The fold of each of N inputs, int64 `(N,)` in 0 .. folds-1.

    The inputs of each label are put in a random order, drawn by hashing their ids `(N,)` with the
    seed, and dealt out to the folds in turn; dealing goes on from label to label. The order of rows
    is irrelevant. With `clusters` `(N,)` they are dealt out as a whole, by the label of one input
    of each.
    """
    return _dealt_out(random_order(ids, seed).argsort(), labels, folds, clusters)


def _dealt_out(
    by_hash: Tensor, labels: Tensor, folds: int, clusters: Tensor | None = None
) -> Tensor:
    if clusters is not None:
        different, number = clusters.unique(return_inverse=True)
        place = torch.empty_like(by_hash)
        place[by_hash] = torch.arange(len(by_hash), device="cpu")
        first = torch.full_like(different, len(by_hash))
        first = first.scatter_reduce(0, number, place, "amin")  # where each cluster comes up
        return _dealt_out(first.argsort(), labels[by_hash[first]], folds)[number]
    order = by_hash[labels[by_hash].argsort(stable=True)]
    fold = torch.empty_like(order)
    fold[order] = torch.arange(len(order), device="cpu") % folds
    return fold
