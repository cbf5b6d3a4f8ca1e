"""`arcal.calibrate`: a classifier and labelled data in, the same classifier calibrated out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.attacks import Bounds
from arcal.auditing import (
    Grouping,
    Predictions,
    Zeros,
    as_model,
    as_predictions,
    calibrated_blocks,
    choose_calibrator,
    facts_with,
    in_clusters,
    suspect_own_predictions,
    suspect_softmax_twice,
    without_zeros,
)
from arcal.audits._calibration import Calibration
from arcal.audits._drawn import Draw
from arcal.audits._estimators import (
    check_beside,
    class_names_of,
    decides_otherwise,
    estimated,
    estimated_unlabelled,
    is_estimator,
    refuse_array,
)
from arcal.audits._examples import augmented, usable_device
from arcal.audits._job import Job
from arcal.audits._jobs import Progress
from arcal.audits._loaded import examples_or_loaded, left_out, read_with, without_iterators
from arcal.audits._overlap import training_part
from arcal.audits._unlabelled import check_alike, estimates_of
from arcal.audits.blocks import Settings, joined
from arcal.calibration.checks import as_weights
from arcal.calibration.clusters import as_numbers
from arcal.calibration.posthoc import FittedTo, check_posthoc
from arcal.calibration.resampled import scores_of
from arcal.classifiers import check_order_given
from arcal.errors import ArcalError
from arcal.labelled_batches import nothing_in
from arcal.labels import refuse_text
from arcal.report.audited import (
    in_clusters_sentence,
    suspect_one_class,
    suspect_sigmoids,
    suspicions,
)


def calibrate(
    model: Any,
    data: Any = None,
    *,
    name: str = "model",
    calibrators: Sequence[str] | None = None,
    unlabelled: Any = None,
    weights: Any = None,
    clusters: Any = None,
    one_per: Any = None,
    limit: int | None = None,
    classes: Sequence[str] | None = None,
    bounds: Bounds = (0.0, 1.0),
    device: str | torch.device = "cpu",
    progress: Progress = lambda done, total: None,
) -> Calibration:
    """Calibrate a classifier: try calibrators by cross-validation, and pick the best safe one.

    `model` and `data` are as for `arcal.audit`: a module in evaluation mode, or a function from
    inputs to logits, and labelled data that it was not trained on, a few hundred inputs or more;
    or `Predictions` and no data; or a fitted classifier with scikit-learn's interface and
    `(X, y)`, with `unlabelled` inputs X. Float64 inputs are converted to float32 unless the module
    has float64 weights. `weights` `(N,)` say how much each input counts, in the order of the data,
    in the fits and in the figures; a part may bring its own. `clusters` `(N,)` says which inputs
    belong together, by a value each, such as the patient of each image: all inputs of a patient are
    in one fold, and intervals allow for errors that come together. `one_per` `(N,)` are such
    values, too, or `{"patient": patients}`: one input of each is drawn at random, and the others do
    not count. `limit` uses only so many inputs, drawn at random. `bounds` of the inputs matter only
    in that images above 2 are doubted unless they are given, such as (0, 255).

    `calibrators` are keys of `arcal.calibration.posthoc.POSTHOC`, by default all of them, Dirichlet
    calibration only up to 30 classes and vector scaling up to 33 million probabilities. The pick is
    the simplest one that keeps every prediction, lowers the log-loss beyond chance, and is not
    shown to be worse than the best. If all named calibrators can change predictions, such as
    `["vector"]`, they may be picked too. If there is no such one, the model stays as it is.

    `unlabelled` inputs, such as today's, are a tensor or array, a part, a loader or a data set
    (whose labels are ignored), or `Predictions`: how often the model is right on them, and how sure
    it should be, are estimated. A mapping from names to several such sets gives an estimate for
    each; tensors are then pairs, because a mapping of tensors is one set of inputs. `progress` is
    called with the number of fits done and in all, six per calibrator. Anything that cannot be
    calibrated raises `ArcalError`.

    >>> import arcal
    >>> from arcal.auditing import as_predictions
    >>> sure = as_predictions(logits=[[3.0, 0.0]] * 400, labels=[0, 0, 0, 1] * 100)
    >>> arcal.calibrate(sure, calibrators=["temperature"]).calibrator
    Temperature(T=2.731)
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X, y = [[0.0], [0.4], [0.6], [1.0]] * 100, ["cat", "cat", "dog", "dog"] * 100
    >>> y[::8] = ["dog"] * 50
    >>> arcal.calibrate(GaussianNB().fit(X, y), (X, y), calibrators=["temperature"])
    <Calibration: temperature picked of 1; 400 inputs>
    """
    refuse_text(classes, "classes")
    refuse_text(calibrators, "calibrators")
    for one in calibrators or ():
        check_posthoc(one)
    weights, clusters = without_iterators(weights), without_iterators(clusters)
    sets: Mapping[str, Any] = unlabelled if _are_several(unlabelled) else {"": unlabelled}
    draw = Draw.given(limit, without_iterators(one_per))
    given = _Given(data, sets, draw, weights, clusters, classes)
    refuse_array(model, calibrate)
    if is_estimator(model):
        predictions, others, doubts, more = _from_estimator(model, given)
    elif isinstance(model, Predictions):
        predictions, others, doubts, more = _from_predictions(model, given)
    else:
        settings = Settings(order=None, bounds=bounds, nearest=False, device=usable_device(device))
        predictions, others, doubts, more = _from_model(model, given, settings, name)
    undrawn = draw.not_drawn([one or "unlabelled" for one in sets if sets[one] is not None])
    more |= {"name": name, "calibrators": calibrators, "progress": progress}
    more |= {"doubts": [*doubts, *undrawn], "notes": [*draw.said.values()]}
    return calibration_of(predictions, others, **more)


@dataclass(frozen=True)
class _Given:
    """Labelled `data`, `sets` of unlabelled inputs by name, and what belongs to the data."""

    data: Any
    sets: Mapping[str, Any]
    draw: Draw
    weights: Any
    clusters: Any
    classes: Sequence[str] | None

    def drawn(self, predictions: Predictions) -> tuple[Predictions, dict[str, Any]]:
        """Those that are drawn of predictions on the data, and their weights and clusters."""
        weights, clusters, N = self.weights, self.clusters, len(predictions.ids)
        predictions, weights, _, together, _ = self.draw.predictions(
            predictions,
            None if weights is None else as_weights(weights, N),
            clusters=None if clusters is None else in_clusters("clusters", clusters, N),
        )
        return predictions, {"weights": weights, "clusters": together, "facts": self.draw.said}


_Predicted = tuple[Predictions, Mapping[str, Predictions], list[str], dict[str, Any]]
"""Predictions on labelled inputs and on others, doubts, and arguments of `calibration_of`."""


def _from_estimator(estimator: Any, given: _Given) -> _Predicted:
    data, sets, draw = given.data, given.sets, given.draw
    whole, today = estimated(estimator, data, "data"), estimated_unlabelled(estimator, sets)
    check_beside(data, weights=given.weights, clusters=given.clusters, one_per=draw.values)
    otherwise = decides_otherwise(estimator, data, whole)
    predictions, more = given.drawn(whole)
    doubts = order_doubts(predictions, class_names_of(estimator, given.classes))
    zeros = Zeros.among((log_p for _, log_p in predictions.blocks()), predictions.classes)
    more |= {"model": estimator, "zeros": zeros}
    return predictions, today, [*doubts, *filter(None, [otherwise])], more


def _from_predictions(whole: Predictions, given: _Given) -> _Predicted:
    if given.data is not None:
        raise ArcalError("predictions come with their labels: leave out the data")
    if not all(isinstance(one, Predictions | None) for one in given.sets.values()):
        raise ArcalError("to calibrate predictions, give unlabelled inputs as predictions too")
    predictions, more = given.drawn(whole)
    return predictions, given.sets, order_doubts(predictions, given.classes), more


def _from_model(model: Any, given: _Given, settings: Settings, name: str) -> _Predicted:
    known = None if given.classes is None else tuple(map(str, given.classes))
    opened, bounds, draw = as_model(model), settings.bounds, given.draw
    examples, loader, apart = read_with(
        given.data, bounds, None, known, weights=given.weights, clusters=given.clusters, draw=draw
    )
    names = known if examples is None or examples.numbered else examples.classes
    check_order_given(model, names or ())
    job = Job(name, opened, examples, loader, known, apart, settings=settings)
    read = {
        title: examples_or_loaded(one, title or "unlabelled", settings, labelled=False)
        for title, one in given.sets.items()
        if one is not None and not isinstance(one, Predictions)
    }
    job, predictions, weights, together = _predicted(replace(job, other=[*read.values()]))
    others = dict(given.sets) | {title: job.predictions(one) for title, one in read.items()}
    names = known or tuple(map(str, range(predictions.classes)))
    doubts = suspicions(predictions.predicted, predictions.labels, names, job.caveats)
    about_loader = [*augmented(loader), *left_out(loader)]
    known_before = about_loader if examples is None else training_part(examples)
    doubts += [one.sentence for one in known_before]
    facts = facts_with(job.facts, job.caveats) | draw.said
    beside = {"weights": weights, "clusters": together}
    return predictions, others, doubts, {"model": opened, "job": job, "facts": facts, **beside}


def calibration_of(
    predictions: Predictions,
    unlabelled: Predictions | Mapping[str, Predictions] | None = None,
    *,
    weights: TensorLike | None = None,
    clusters: TensorLike | Grouping | None = None,
    clusters_of: Mapping[str, TensorLike] | None = None,
    calibrators: Sequence[str] | None = None,
    doubts: Iterable[str] = (),
    notes: Sequence[str] = (),
    progress: Progress = lambda done, total: None,
    **more: Any,
) -> Calibration:
    """The calibration from predictions on labelled inputs, with estimates for unlabelled ones.

    `unlabelled` may be a mapping from names to several sets, and `clusters_of` has the numbers of
    their inputs' clusters, by the same names. `clusters` are those of the labelled inputs: numbers
    int64 `(N,)`, or a grouping, which has the name of what they are, such as patient.
    """
    as_given = predictions
    predictions, zeros = without_zeros(as_given)
    said = (
        suspect_sigmoids(as_given.logits) or suspect_softmax_twice(as_given),
        suspect_one_class(as_given),
        suspect_own_predictions(as_given),
        zeros,
    )
    doubts = [*doubts, *(line for line in said if line)]
    sets = unlabelled if isinstance(unlabelled, Mapping) else {"": unlabelled}
    sets = {name: one for name, one in sets.items() if one is not None}
    check_alike(predictions, sets)
    if clusters is not None and not isinstance(clusters, Grouping):
        number = as_numbers(clusters, len(predictions.ids))
        clusters = in_clusters("clusters", number, several=False)
    number = None if clusters is None else clusters.number
    counting: dict[str, Any] = {"weights": weights, "clusters": number}
    choice = choose_calibrator(predictions, calibrators=calibrators, progress=progress, **counting)
    if clusters is not None:
        notes = [*notes, in_clusters_sentence(clusters, choice.before.accuracy.n, weights=weights)]
    stream, estimates, unsaid = estimates_of(
        sets, as_given, choice.calibrator, clusters_of=clusters_of, **counting
    )
    today = estimates.pop("", None)
    fitted_to = None
    if choice.calibrator is not None:
        blocks = calibrated_blocks(choice.calibrator, predictions)
        scores = scores_of(blocks, predictions.labels, answers=predictions.answers)
        fitted_to = FittedTo.from_scores(scores)
    return Calibration(
        choice,
        stream=stream,
        today=today,
        each=estimates,
        doubts=doubts + unsaid,
        notes=notes,
        fitted_to=fitted_to,
        **more,
    )


def order_doubts(predictions: Predictions, classes: Sequence[str] | None = None) -> list[str]:
    """A doubt if the predictions seem to have their classes in another order than the labels.

    `classes` are the names to use, by default numbers. Answers raise no doubt.
    """
    if predictions.answers:
        return []
    names = tuple(map(str, range(predictions.classes))) if classes is None else classes
    return suspicions(predictions.predicted, predictions.labels, names)


def _are_several(unlabelled: Any) -> bool:
    """Whether this maps names to sets of inputs, rather than holding the tensors of one set."""
    if not isinstance(unlabelled, Mapping) or "" in unlabelled:
        return False
    return not all(isinstance(one, Tensor) for one in unlabelled.values())


def _predicted(job: Job) -> tuple[Job, Predictions, Tensor | None, Grouping | None]:
    """The job with any caveats added, the predictions on its inputs, their weights and clusters.

    The weights are None if all inputs count alike.
    """
    if job.examples is not None:
        job = job.checked()
        assert job.examples is not None
        examples = job.examples
        return job, job.predictions(examples), examples.weights_by_id, examples.clusters_by_id
    blocks = [block for block, _ in job.blocks(lambda done: None)]
    if not blocks:
        raise ArcalError(f"there is nothing to calibrate on: the data {nothing_in(job.loader)}")
    whole = joined(blocks)
    in_turn = torch.arange(len(whole.ids), device="cpu")
    weights, _, clusters = (None, (), None) if job.beside is None else job.beside.rows(in_turn)
    predictions = as_predictions(ids=whole.ids, labels=whole.labels, logits=whole.logits)
    return job, predictions, weights, clusters
