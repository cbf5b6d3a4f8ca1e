"""What calibration after training would do: fitted on some inputs, shown on others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from arcal.auditing._estimate import (
    Estimate,
    accuracy_from,
    ece_estimate,
    effective_number,
    effective_of,
    estimates,
)
from arcal.auditing._few_errors import score_estimates
from arcal.auditing._posthoc import calibrated_blocks
from arcal.auditing._predictions import Predictions
from arcal.calibration import Bootstrap, average
from arcal.calibration.checks import as_weights
from arcal.calibration.draws import stored_counts, usual_resamples
from arcal.calibration.posthoc import POSTHOC, CalibrationSet, Calibrator
from arcal.calibration.resampled import Scores, resampled_scores, scores_of
from arcal.errors import ArcalError
from arcal.orders import random_order

ENOUGH_TO_FIT = 100
"""The fewest inputs to fit calibrators on, and to show them on: with fewer neither a fit nor an
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
"""Of calibrators that are not told apart, the one to take: it has the least to be wrong about."""

SHOWN = ("temperature", "ets", "irm", "irova-ts")
"""The post-hoc methods that are shown, the simplest first: fitted in no time, and what most people
would use."""
OF_ANSWERS = ("temperature", "vector", "irova-ts")
"""The post-hoc methods of a confidence alone: a slope; two slopes and an offset, which is beta
calibration and has Platt's in it; and any ascending function. None changes the answer, and the
others look at the more probable of two classes, which is nothing here."""

FIGURES = ("ece", "nll", "accuracy")


@dataclass(frozen=True)
class BeforeAndAfter:
    """A figure `before` and `after` a calibrator, and the `change`, after minus before.

    The change has the interval of paired draws: the same inputs before and after. That of an ECE is
    not to be relied on: both ECEs are too large by chance, and not by as much, so that it held the
    change of calibrated models in 72 to 90 % of draws only. Made by `posthoc_on_halves`.
    """

    before: Estimate
    after: Estimate
    change: Estimate


@dataclass(frozen=True)
class Outcome:
    """A post-hoc method, and what it does to inputs that it was not fitted on.

    Of `ece` the interval is outer, before and after from 0 on if it may be chance; of `accuracy`
    it is exact, of its change and of `nll` percentile; but for changes of an ECE or accuracy they
    allow for errors not seen, as in `Overall`. `keeps_accuracy` says that the method never changes
    a prediction; `changed` is the number of predictions that it did change. Made by
    `posthoc_on_halves`.
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

    `outcomes` are by name; `refused` has, by name, the line that says why a method could not be
    fitted. `too_small` is the line that says so where there are too few inputs for anything, and
    then the rest is empty. `first` bool `(N,)` says which of all inputs are in the half fitted on,
    None if there are no halves. `recommended` is the simplest method, by the order of `SHOWN`, that
    is not shown to be worse than the best: of those that keep the accuracy, and whose change of the
    log-loss on the inputs shown has its whole interval below 0, the one with the lowest. None if
    there is none: leave it. Made by `posthoc_on_halves`.
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
    weights: Tensor | None = None,
    resamples: int | None = None,
) -> Halves:
    """Fit every method of `SHOWN`, or of answers, on one half of the inputs; show it on the other.

    The halves are two folds of `folds_of`. Where there are `validation` predictions of other
    inputs, the methods are fitted on these instead, and shown on all `predictions`. `weights`
    `(N,)` count in the figures, and in the fit unless that is of `validation`. `resamples` as in
    `overall`, of the inputs shown. Weights of another length raise `ArcalError`.

    >>> from arcal.auditing import as_predictions
    >>> sure = as_predictions(logits=[[3.0, 0.0]] * 100, labels=[0, 0, 0, 1] * 25)
    >>> posthoc_on_halves(sure).too_small
    'a half would have 50 inputs, and 100 are needed: audit 200, or give validation data'
    >>> other = as_predictions(logits=[[2.0, 0.0]] * 400, labels=[0, 0, 0, 1] * 100)
    >>> posthoc_on_halves(other, validation=sure, resamples=200).outcomes["irm"].nll.change.sign
    -1
    """
    w, first = as_weights(weights, len(predictions.ids)), None
    if validation is None:
        first = _dealt_out(predictions.order, predictions.labels, 2) == 0
        fit, shown = predictions.rows(first), predictions.rows(~first)
        to_fit, w = None if weights is None else w[first], w[~first]
    else:
        fit, shown, to_fit = validation, predictions, None
    fitted_on, shown_on = len(fit.ids), len(shown.ids)
    too_small = _too_small(fitted_on, shown_on if validation is None else None)
    if too_small is None and not (w.any() and (to_fit is None or to_fit.any())):
        too_small = "all inputs in one half weigh 0: give more inputs a weight"
    if too_small is not None:
        return Halves(fitted_on, shown_on, too_small=too_small)
    resamples = usual_resamples(shown_on) if resamples is None else resamples
    draws = stored_counts(shown_on, resamples, seed=0)
    before = Resampled(shown.scores, draws, w, resamples)
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
        after[name] = Resampled(scores, draws, w, resamples)
        changed = int((scores.predicted != shown.scores.predicted).sum())
        keeps = calibrator.keeps_order or answers
        outcomes[name] = Outcome(name, calibrator, keeps, changed, **_moved(before, after[name]))

    def behind(name: str, best: str) -> Estimate:
        return outcomes[name].nll.change if best == "none" else after[name].loss_above(after[best])

    safe = {name: one.nll.after.value for name, one in outcomes.items() if one.keeps_accuracy}
    recommended, _ = simplest_of_the_best(safe, behind)
    return Halves(fitted_on, shown_on, outcomes, refused, first=first, recommended=recommended)


def _too_small(fitted_on: int, shown_on: int | None) -> str | None:
    """The line on inputs that are too few: validation inputs, unless others are `shown_on`."""
    if shown_on is None:
        if fitted_on >= ENOUGH_TO_FIT:
            return None
        return f"there are {fitted_on} validation inputs, and {ENOUGH_TO_FIT} are needed: give more"
    if (fewer := min(fitted_on, shown_on)) >= ENOUGH_TO_FIT:
        return None
    return (
        f"a half would have {fewer} input{'s' * (fewer != 1)}, and {ENOUGH_TO_FIT} are needed: "
        f"audit {2 * ENOUGH_TO_FIT}, or give validation data"
    )


class Resampled:
    """A model's figures on inputs, by `weights`, over `draws` that other models share."""

    def __init__(
        self, scores: Scores, draws: Sequence[Tensor], weights: Tensor | None, resamples: int
    ) -> None:
        w = as_weights(weights, len(scores.confidence))
        self.scores, self.w, self.n = scores, w, round(effective_number(w))
        self.drawn: Mapping[str, Bootstrap] = resampled_scores(
            scores, draws, weights=weights, smooth=False
        )
        pair, share = (scores.confidence, scores.correct), self.drawn["accuracy"].estimate
        how = {"weights": weights, "resamples": resamples}
        self.figures: dict[str, Estimate] = {
            **score_estimates(self.drawn, self.n, w, scores),
            "accuracy": accuracy_from(share, effective_of(w, *pair)),
            "ece": ece_estimate(self.drawn["ece"], *pair, self.n, **how),
        }

    def loss_above(self, other: "Resampled") -> Estimate:
        """The log-loss minus that of the other."""
        apart = {"nll": self.drawn["nll"] - other.drawn["nll"]}
        both = self.scores, other.scores
        return score_estimates(apart, self.n, self.w, *both, names=("nll",))["nll"]


def _moved(before: Resampled, after: Resampled) -> dict[str, BeforeAndAfter]:
    """What a calibrator does to each of the `FIGURES`."""
    apart = {name: after.drawn[name] - before.drawn[name] for name in ("ece", "accuracy")}
    changes = estimates(apart, apart, after.n, cut=False) | {"nll": after.loss_above(before)}
    columns = (before.figures, after.figures, changes)
    return {name: BeforeAndAfter(*(column[name] for column in columns)) for name in FIGURES}


def simplest_of_the_best(
    losses: Mapping[str, float], behind: Callable[[str, str], Estimate]
) -> tuple[str | None, str | None]:
    """The calibrator to take, and the best one, by the log-losses of those that keep the accuracy.

    `behind` tells by how much the log-loss of one is above that of another, or of "none". The best
    has the lowest of those that lower it beyond chance, or else of all; taken is the simplest of
    the former that is not shown to be worse than the best.
    """
    helps = [name for name in losses if behind(name, "none").sign < 0]
    best = min(helps or losses, key=lambda name: losses[name], default=None)
    equal = (name for name in helps if name == best or behind(name, str(best)).sign <= 0)
    return min(equal, key=complexity, default=None), best


def complexity(name: str) -> int:
    """The place of a calibrator among `SIMPLEST_FIRST`; those of others come last.

    >>> complexity("temperature"), complexity("mine")
    (0, 10)
    """
    return SIMPLEST_FIRST.index(name) if name in SIMPLEST_FIRST else len(SIMPLEST_FIRST)


def folds_of(ids: Tensor, labels: Tensor, folds: int, seed: int = 0) -> Tensor:
    """The fold of each of N inputs, int64 `(N,)` in 0 .. folds-1.

    Within each label the inputs are put in an order drawn by hashing their ids `(N,)` with the
    seed, and dealt out in turn; the turns go on from label to label. The order of rows is
    irrelevant.

    >>> folds_of(torch.arange(6), torch.tensor([0, 0, 0, 1, 1, 1]), 3).bincount()
    tensor([2, 2, 2])
    """
    return _dealt_out(random_order(ids, seed).argsort(), labels, folds)


def _dealt_out(by_hash: Tensor, labels: Tensor, folds: int) -> Tensor:
    order = by_hash[labels[by_hash].argsort(stable=True)]
    fold = torch.empty_like(order)
    fold[order] = torch.arange(len(order), device="cpu") % folds
    return fold
