"""Choosing a calibrator: all are cross-validated, and one is picked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.auditing._acting import Acting, acting, most_frequent
from arcal.auditing._cross_validation import cross_validated
from arcal.auditing._estimate import Estimate
from arcal.auditing._halves import (
    OF_ANSWERS,
    SIMPLEST_FIRST,
    Resampled,
    folds_of,
    simplest_of_the_best,
)
from arcal.auditing._posthoc import calibrated_blocks
from arcal.auditing._predictions import Predictions
from arcal.calibration.checks import as_weights
from arcal.calibration.clusters import as_clusters, as_numbers
from arcal.calibration.draws import stored_counts, usual_resamples
from arcal.calibration.posthoc import CALIBRATORS, Calibrator, check_posthoc
from arcal.errors import ArcalError

FOLDS = 5
FEWEST = 20
"""With fewer inputs the folds are almost empty, and no interval excludes anything."""
DIRICHLET_CLASSES = 30
"""With more classes, Dirichlet calibration is only tried if it is named: its matrix takes long."""
VECTOR_NUMBERS = 2**25
"""With more inputs times classes, vector scaling is only tried if it is named: it is fitted six
times with a hundred passes or more, and not picked, because it changes predictions."""

OF_THE_TOP = ("irm", "smart", "ebs", "pts", "spline")
"""Calibrators that look at which class is the most probable, which means nothing for answers."""
NO_TOP = "it is of the more probable of several classes, and an answer has one confidence"

ALL_RIGHT = (
    "all {0} {1} are {2}, so they do not show how often the model is wrong: it stays as it is; "
    "give more {1}, some that it gets wrong"
)


@dataclass(frozen=True)
class Candidate:
    """A calibrator, or none, and its figures on inputs that it was not fitted on.

    `nll`, `ece`, `brier` and `accuracy` have the intervals of `Overall`. `change` is the log-loss
    minus that without calibration, on the same draws, and `behind` is the log-loss minus that of
    the best candidate. The best has the lowest log-loss of those that may be picked and lower it
    beyond chance, or if none does, of all that may be picked. `keeps_accuracy` means that it never
    changes a prediction. Made by `choose_calibrator`.
    """

    name: str
    keeps_accuracy: bool
    nll: Estimate
    ece: Estimate
    brier: Estimate
    accuracy: Estimate
    change: Estimate
    behind: Estimate


@dataclass(frozen=True)
class Choice:
    """The cross-validated calibrators, and the one that was picked.

    `before` is the model without a calibrator. `candidates` are by name, and `refused` says, by
    name, why a calibrator was not tried or could not be fitted. Only calibrators that never change
    a prediction may be picked, unless all that were tried can change one. No calibrator
    changes `answers` (`as_answers`), so any of them may be picked. `picked` is the simplest that
    lowers the log-loss beyond chance and is not shown to be worse than the best; None if there is
    none, and the model stays uncalibrated. `calibrator` is the picked one fitted on all inputs,
    `changed` the share of their predictions that it changes, and `why` says in a sentence why it
    was picked. `unseen` are the classes, counted from 0, that no input has although the model
    considers them possible: a calibrator that may change predictions makes them improbable on all
    inputs. `most_frequent` is the share of the most frequent class, the accuracy that always saying
    it would have.

    `acting` says from which confidence on the model with this calibrator may act alone. A threshold
    is a promise about future inputs, so it must not be read off confidences that were fitted to the
    labels: a calibrator makes its confidences match the accuracy on the very inputs that it was
    fitted on. So each input counts with its out-of-fold confidence, from a calibrator that never
    saw its label. The calibrator that will be used saw a quarter more inputs, and differs from
    those of the folds by no more than they differ from each other.

    >>> from arcal.auditing import as_predictions
    >>> sure = as_predictions(logits=[[3.0, 0.0]] * 400, labels=[0, 0, 0, 1] * 100)
    >>> choice = choose_calibrator(sure, calibrators=["temperature", "ets"], resamples=200)
    >>> choice.picked, choice.calibrator
    ('temperature', Temperature(T=2.731))
    >>> choice
    <Choice: temperature picked of 2; 400 inputs>
    """

    inputs: int
    before: Candidate
    candidates: Mapping[str, Candidate]
    refused: Mapping[str, str]
    picked: str | None
    why: str
    acting: Acting
    calibrator: Calibrator | None = None
    changed: float = 0.0
    answers: bool = False
    unseen: tuple[int, ...] = ()
    most_frequent: float = 0.0

    def __repr__(self) -> str:
        picked = self.picked or "none"
        return f"<Choice: {picked} picked of {len(self.candidates)}; {self.inputs:,} inputs>"


def usual_names(classes: int, *, answers: bool = False) -> list[str]:
    """The calibrators that are tried by default, the simplest first."""
    if answers:
        return [*OF_ANSWERS]
    return [name for name in SIMPLEST_FIRST if name != "dirichlet" or classes <= DIRICHLET_CLASSES]


def choose_calibrator(
    predictions: Predictions,
    *,
    calibrators: Sequence[str] | None = None,
    weights: TensorLike | None = None,
    clusters: TensorLike | None = None,
    resamples: int | None = None,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Choice:
    """Cross-validate the `calibrators`, each fold scored by fits on the others, and pick one.

    The five folds are those of `folds_of`. `calibrators` are keys of `POSTHOC`, by default
    `usual_names`. `weights` `(N,)` count in the fits and in the figures. `clusters` as in
    `overall`; each is in one fold. `resamples` as in `overall`. Fewer than 20 inputs with weight,
    fewer than five clusters, and an unknown name raise `ArcalError`. If a calibrator cannot be
    fitted to all inputs or to four folds, `refused` says why.

    >>> from arcal.auditing import as_predictions
    >>> right = as_predictions(logits=[[3.0, 0.0]] * 40, labels=[0] * 40)
    >>> choose_calibrator(right, calibrators=["temperature"], resamples=200).why
    'all 40 inputs are classified correctly, so they do not show how often the model is wrong: it \
stays as it is; give more inputs, some that it gets wrong'
    """
    predictions, w, clusters = _counted(predictions, weights, clusters)
    N, weighted = len(predictions.ids), weights is not None
    names, refused = _tried(predictions, calibrators)
    resamples = usual_resamples(N) if resamples is None else resamples
    fold = folds_of(predictions.ids, predictions.labels, FOLDS, clusters=clusters)
    counted = w if weighted else None
    fits, scores, lines = cross_validated(names, predictions, fold, progress, counted)
    refused |= lines
    together = as_clusters(clusters, predictions.confidence, predictions.correct, w)
    draws = stored_counts(N, resamples, seed=0, clusters=together)
    drawn = {
        name: Resampled(some, draws, counted, clusters, resamples)
        for name, some in {"none": predictions.scores, **scores}.items()
    }

    @cache
    def behind(name: str, other: str) -> Estimate:
        return drawn[name].loss_above(drawn[other])

    keeps = {name: predictions.answers or CALIBRATORS[name].keeps_order for name in names}
    may_change = not any(keeps.values())
    losses = {name: drawn[name].figures["nll"].value for name in fits if may_change or keeps[name]}
    picked, best = simplest_of_the_best(losses, behind)

    def candidate(name: str, keeps_accuracy: bool) -> Candidate:
        change, above_best = behind(name, "none"), behind(name, best or "none")
        figures = drawn[name].figures
        return Candidate(name, keeps_accuracy, **figures, change=change, behind=above_best)

    before = candidate("none", True)
    candidates = {name: candidate(name, keeps[name]) for name in fits}
    why = _why(picked, best, candidates, refused, may_change or predictions.answers)
    if predictions.scores.correct.all():
        # The optimum of an isotonic function or a spline would be full confidence in everything.
        what = ("answers", "right") if predictions.answers else ("inputs", "classified correctly")
        picked, why = None, ALL_RIGHT.format(f"{N:,}", *what)
    calibrator = None if picked is None else fits[picked]
    changed = 0.0
    if picked is not None and calibrator is not None and may_change:
        changed = _changed(calibrator, predictions, w)
        shares = (changed, before.accuracy.value, candidates[picked].accuracy.value)
        words = "it changes {:.1%} of the predictions, and the accuracy from {:.2%} to {:.2%}"
        why += "; " + words.format(*shares).replace("%", " %")
    return Choice(
        inputs=N,
        before=before,
        candidates=candidates,
        refused=refused,
        picked=picked,
        why=why,
        acting=acting(drawn[picked or "none"].scores, weights=counted, clusters=clusters),
        calibrator=calibrator,
        changed=changed,
        answers=predictions.answers,
        unseen=_unseen(predictions),
        most_frequent=0.0
        if predictions.answers
        else most_frequent(predictions.labels, weights=counted),
    )


def _counted(
    predictions: Predictions, weights: TensorLike | None, clusters: TensorLike | None
) -> tuple[Predictions, Tensor, Tensor | None]:
    """The inputs with weight, sorted by id, and their weights and clusters.

    The figures then do not depend on the order given. Too few inputs raise `ArcalError`.
    """
    w = as_weights(weights, len(predictions.ids))
    number = None if clusters is None else as_numbers(clusters, len(w))
    order = predictions.ids.argsort()
    chosen = order[w[order] > 0]
    if (N := len(chosen)) < FEWEST:
        too_few = "1 input is too few" if N == 1 else f"{N} inputs are too few"
        raise ArcalError(f"{too_few} to choose a calibrator: give {FEWEST} or more")
    if not torch.equal(chosen, torch.arange(len(w), device="cpu")):
        predictions, w = predictions.rows(chosen), w[chosen]
        number = None if number is None else number[chosen]
    if number is not None and (G := len(number.unique())) < FOLDS:
        raise ArcalError(f"{G} clusters are too few to choose a calibrator: give {FOLDS} or more")
    return predictions, w, number


def _tried(
    predictions: Predictions, given: Sequence[str] | None
) -> tuple[list[str], dict[str, str]]:
    """The calibrators to try, those `given` or the usual, and why any of them are left out."""
    names, refused = list(dict.fromkeys(given or ())), dict[str, str]()
    if given is None:
        names = usual_names(Z := predictions.classes, answers=predictions.answers)
        if Z > DIRICHLET_CLASSES:
            refused["dirichlet"] = f"it takes long on {Z:,} classes; name it to try it"
        if predictions.logits[0].numel() > VECTOR_NUMBERS:
            names.remove("vector")
            size = f"{len(predictions.ids):,} x {predictions.classes:,}"
            refused["vector"] = f"it takes long on {size} probabilities; name it to try it"
    for name in names:
        check_posthoc(name)
    if predictions.answers:
        refused |= dict.fromkeys((name for name in names if name in OF_THE_TOP), NO_TOP)
        names = [name for name in names if name not in OF_THE_TOP]
    return names, refused


def _unseen(predictions: Predictions) -> tuple[int, ...]:
    """The classes that no input has, except those that are impossible for all inputs."""
    if predictions.answers:
        return ()
    seen = torch.bincount(predictions.labels, minlength=predictions.classes) > 0
    (absent,) = (~seen).nonzero(as_tuple=True)
    possible = torch.zeros(len(absent), dtype=torch.bool, device="cpu")
    if len(absent):
        for _, log_p in predictions.blocks():
            possible |= (log_p[:, absent] > -torch.inf).any(0)
    return tuple(absent[possible].tolist())


def _changed(calibrator: Calibrator, predictions: Predictions, w: Tensor) -> float:
    """The share of the predictions that a calibrator changes."""
    after = [log_p.argmax(dim=1) for log_p in calibrated_blocks(calibrator, predictions)]
    return (w[torch.cat(after) != predictions.predicted].sum() / w.sum()).item()


def _why(
    picked: str | None,
    best: str | None,
    candidates: Mapping[str, Candidate],
    refused: Mapping[str, str],
    any_one: bool,
) -> str:
    """Why it was picked, out of `any_one` or only of those that keep every prediction."""
    those = "those tried" if any_one else "those that keep every prediction"
    also = "that" if any_one else "and"
    if best is None:
        lines = [name for name in refused if any_one or CALIBRATORS[name].keeps_order]
        first = f" can be fitted ({lines[0]}: {refused[lines[0]]})" if lines else " is there"
        return f"none of {those}{first}: the model stays as it is"
    if picked is None:
        change = candidates[best].change
        starred = not all(one.keeps_accuracy for one in candidates.values())
        which = " that keeps every prediction" * (starred and not any_one)
        return (
            f"no calibrator{which} is shown to lower the log-loss (the best, {best}, changes it by "
            f"{change.value:+.4f} [{change.low:+.4f}, {change.high:+.4f}]): the model stays as it "
            "is"
        )
    if picked == best:
        lower = any(
            (any_one or one.keeps_accuracy) and one.behind.value < 0 for one in candidates.values()
        )
        shown = f" {also} are shown to lower it" * lower
        return f"it has the lowest log-loss of {those}{shown}"
    lower = candidates[picked].behind.value
    return (
        f"it is the simplest of {those} {also} are not clearly worse than the best ({best}, whose "
        f"log-loss is lower by {lower:.4f}: within chance)"
    )
