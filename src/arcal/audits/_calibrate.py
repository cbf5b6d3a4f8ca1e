"""`arcal.calibrate`: a classifier and labelled data in, the same classifier calibrated out."""

import re
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn

from arcal._version import __version__
from arcal.arrays import TensorLike
from arcal.attacks import Model
from arcal.auditing import (
    Choice,
    Predictions,
    as_model,
    as_predictions,
    calibrated_blocks,
    choose_calibrator,
    facts_with,
    suspect_own_predictions,
    suspect_softmax_twice,
    suspect_swapped,
    without_zeros,
)
from arcal.audits._calibration_figures import calibration_figures
from arcal.audits._estimators import (
    class_names_of,
    estimated,
    estimated_unlabelled,
    is_estimator,
    refuse_array,
)
from arcal.audits._examples import examples_or_loader, usable_device
from arcal.audits._job import Job
from arcal.audits._jobs import Progress
from arcal.audits._loaded import beside, examples_or_loaded
from arcal.audits._names import refuse_text
from arcal.audits._overlap import training_part
from arcal.audits._unlabelled import check_alike, estimates_of
from arcal.audits.blocks import Settings, joined
from arcal.calibration.posthoc import (
    BatchTemperature,
    Calibrated,
    Calibrator,
    FittedTo,
    Temperature,
    Today,
    check_posthoc,
)
from arcal.calibration.resampled import scores_of
from arcal.classifiers import check_order_given
from arcal.errors import ArcalError
from arcal.files import check_replaceable, write_json
from arcal.report.audited import suspect_one_class, suspect_sigmoids, suspicions
from arcal.report.terminal import choice_json, print_choice, sentences, today_sentences
from arcal.store import save_calibrator, save_stream

CALIBRATION_FILES = (
    "calibration.json",
    "calibrator.safetensors",
    "unlabelled.safetensors",
    "stream.safetensors",
)
"""What `Calibration.save` writes."""
EACH = re.compile(r"unlabelled-\d+\.safetensors$")
"""And if there are several sets of unlabelled inputs, of each."""


@dataclass(frozen=True, eq=False, repr=False)
class Calibration:
    """What `arcal.calibrate` found: every calibrator that was tried, and the one to take.

    `choice` has the figures of each, with intervals, the calibrator that was picked, and in
    `choice.acting` from which confidence on the model may act alone with it, None if inputs are
    weighted. `model` is the classifier, None where there are only predictions. `stream` follows
    inputs without labels, None if nothing can be fitted to the labelled ones, or if these are
    answers; `today` is what it says of the unlabelled inputs, if there were any, and `each` what it
    says of each of several sets of them, by name. `name` is the model's, and `facts` are more to
    know of it. `doubts` are what to mend before anything else is believed, and `notes` what every
    figure is of where it is not the plain data; mostly both are empty. `fitted_to` is what the
    classifier says of the labelled inputs, None if it stays as it is.

    >>> import arcal
    >>> _ = torch.manual_seed(0)
    >>> x = torch.randn(400, 2)
    >>> y = (x[:, 0] + torch.randn(400) > 0).long()
    >>> sure = torch.nn.Linear(2, 2).eval()
    >>> _ = sure.weight.data.copy_(torch.tensor([[-5.0, 0.0], [5.0, 0.0]]))
    >>> calibration = arcal.calibrate(sure, (x, y), calibrators=["temperature"])
    >>> calibration
    <Calibration: temperature picked of 1; 400 inputs>
    >>> calibration.choice.picked, calibration.classifier.probabilities(x).shape
    ('temperature', torch.Size([400, 2]))
    """

    choice: Choice
    model: Model | None = None
    stream: BatchTemperature | None = None
    today: Today | None = None
    each: Mapping[str, Today] = field(default_factory=dict)
    name: str = "model"
    facts: Mapping[str, str] = field(default_factory=dict)
    doubts: Sequence[str] = ()
    notes: Sequence[str] = ()
    fitted_to: FittedTo | None = None

    def __repr__(self) -> str:
        tried, picked = len(self.choice.candidates), self.choice.picked or "none"
        return f"<Calibration: {picked} picked of {tried}; {self.choice.inputs:,} inputs>"

    @property
    def calibrator(self) -> Calibrator:
        """The calibrator that was picked, fitted on all inputs; T = 1 if the model stays as it is.

        It takes and returns log-probabilities `(N, Z)`.
        """
        return self.choice.calibrator or Temperature(1.0)

    @property
    def classifier(self) -> Calibrated:
        """The model with this calibrator inside: inputs in, log-probabilities `(N, Z)` out.

        `.probabilities(x)` are their exponentials. It is on the model's device, and calculates in
        float32 where that has no float64. Predictions have no model, and raise `ArcalError`.
        """
        if self.model is None:
            raise ArcalError(
                "there is no model, only its predictions: apply `calibrator` to others"
            )
        calibrator = _beside(self.model, self.calibrator)
        return Calibrated(self.model, calibrator, fitted_to=self.fitted_to)

    def summary(self) -> str:
        """The table of calibrators, what was picked and why, and what the unlabelled inputs say."""
        console = Console(file=StringIO(), width=80, force_terminal=False)
        with console.capture() as table:
            print_choice(self.choice, console)
        return "\n".join([*self.doubts, table.get().strip("\n"), "", *self.sentences()])

    def sentences(self) -> list[str]:
        """The summary without its table."""
        lines = [*sentences(self.choice), *self.notes]
        return [*lines, *today_sentences(self._estimates, self.choice)]

    @property
    def _estimates(self) -> Mapping[str, Today]:
        """What is said of unlabelled inputs, by name; where there is one set it has no name."""
        return self.each if self.today is None else {"": self.today}

    def as_json(self) -> dict[str, Any]:
        """Every figure as JSON values, as `calibration.json` has them."""
        no_T = {"T": None} if self.choice.answers else {}
        more: dict[str, Any] = {name: vars(one) | no_T for name, one in self._estimates.items()}
        more = {"unlabelled": more.get("", more)} if more else {}
        return choice_json(self.choice) | more

    def figures(self) -> dict[str, float]:
        """Every number by its name, which `--fail-if` takes as well: see `calibration_figures`."""
        return calibration_figures(self.choice, self._estimates)

    def save(self, out: Path | str) -> Path:
        """Write the figures, the picked calibrator if there is one, and the stream; the folder.

        They are `calibration.json`, `calibrator.safetensors`, `stream.safetensors`, and the
        unlabelled inputs' own calibrator `unlabelled.safetensors` in the folder `out`, or of
        several sets `unlabelled-1.safetensors` and so on; those of an earlier calibration are
        removed. `arcal.store.load_calibrator` reads the calibrators, and `load_stream` the stream.
        """
        self.written_to(out)
        return Path(out)

    def written_to(self, out: Path | str) -> list[Path]:
        """Save it there, and give the files that were written."""
        paths = [Path(out, name) for name in CALIBRATION_FILES]
        before = sorted(p for p in Path(out).glob("unlabelled-*.safetensors") if EACH.match(p.name))
        for path in (*paths, *before):
            check_replaceable(path)
        for path in (*paths, *before):
            path.unlink(missing_ok=True)
        figures, calibrator, unlabelled, stream = paths
        about = {"arcal": __version__, "of": self.name, "facts": dict(self.facts)}
        write_json(figures, about | self.as_json())
        own: list[Path] = []
        for i, today in enumerate(self._estimates.values(), start=1):
            if not self.choice.answers:
                own.append(unlabelled if self.today else Path(out, f"unlabelled-{i}.safetensors"))
                save_calibrator(Temperature(today.T), own[-1])
        if self.choice.calibrator is not None:
            save_calibrator(self.choice.calibrator, calibrator)
        if self.stream is not None:
            save_stream(self.stream, stream)
        return [path for path in (figures, *own, calibrator, stream) if path.exists()]


def _beside(model: Model, calibrator: Calibrator) -> Calibrator:
    """The calibrator on the device of the model's weights."""
    held = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    if held is None or held.device.type == "cpu":
        return calibrator
    return deepcopy(calibrator).to(held.device)


def calibrate(
    model: Any,
    data: Any = None,
    *,
    name: str = "model",
    calibrators: Sequence[str] | None = None,
    unlabelled: Any = None,
    weights: Any = None,
    classes: Sequence[str] | None = None,
    device: str | torch.device = "cpu",
    progress: Progress = lambda done, total: None,
) -> Calibration:
    """Calibrate a classifier: try calibrators by cross-validation, and pick the best safe one.

    `model` and `data` are as for `arcal.audit`: a module in evaluation mode, or a function from
    inputs to logits, and labelled data that it was not trained on, a few hundred inputs or more;
    or `Predictions` and no data; or a fitted classifier of scikit-learn's kind and `(X, y)`, with
    `unlabelled` inputs X, whose `calibrator` is for its log-probabilities. As there, a
    module without weights in float64 gets float64 as float32. `weights` `(N,)` say how much
    each input counts, in the order of the data, in the fits and in the figures; a part may bring
    its own.

    `calibrators` are keys of `arcal.calibration.posthoc.POSTHOC`, by default all of them, Dirichlet
    calibration only up to 30 classes and vector scaling up to 33 million probabilities. One is
    picked of those that keep every prediction and lower the log-loss beyond chance: the simplest
    that is not shown to be worse than the best. Where all that are named can change predictions, as
    `["vector"]`, it is one of them. If there is none, the model stays as it is. `unlabelled`
    inputs, such as today's, are a tensor or array, a part, a loader or a data set, whose labels
    are not looked at, or `Predictions`: how often the model is right on them, and how sure it
    should be, is estimated. A mapping from names to several of these (tensors in pairs, since a
    mapping of tensors is one input's) has each estimated by itself. `progress` is told how many
    fits of all are done, six of each calibrator. What cannot be calibrated raises `ArcalError`.

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
    sets: Mapping[str, Any] = unlabelled if _are_several(unlabelled) else {"": unlabelled}
    more: dict[str, Any] = {"name": name, "calibrators": calibrators, "progress": progress}
    refuse_array(model, calibrate)
    if is_estimator(model):
        predictions, today = estimated(model, data, "data"), estimated_unlabelled(model, sets)
        doubts = order_doubts(predictions, class_names_of(model, classes))
        return calibration_of(predictions, today, weights=weights, doubts=doubts, **more)
    if isinstance(model, Predictions):
        if data is not None:
            raise ArcalError("predictions come with their labels: leave out the data")
        if not all(isinstance(one, Predictions | None) for one in sets.values()):
            raise ArcalError("to calibrate predictions, give unlabelled inputs as predictions too")
        doubts = order_doubts(model, classes)
        return calibration_of(model, sets, weights=weights, doubts=doubts, **more)
    known = None if classes is None else tuple(map(str, classes))
    settings = Settings(order=None, nearest=False, device=usable_device(device))
    opened = as_model(model)

    examples, loader = examples_or_loader(data, "data", settings.bounds, None, known, weights)
    names = known if examples is None or examples.numbered else examples.classes
    check_order_given(model, names or ())
    apart = beside(loader, weights, None) if examples is None else None
    job = Job(name, opened, examples, loader, known, apart, settings=settings)
    read = {
        name: examples_or_loaded(one, name or "unlabelled", settings, labelled=False)
        for name, one in sets.items()
        if one is not None and not isinstance(one, Predictions)
    }
    job, predictions, weights = _predicted(replace(job, other=[*read.values()]))
    others = {
        name: job.predictions(read[name]) if name in read else one for name, one in sets.items()
    }
    names = known or tuple(map(str, range(predictions.classes)))
    trained_on = [] if examples is None else [one.sentence for one in training_part(examples)]
    suspected = suspicions(predictions.predicted, predictions.labels, names, job.caveats)
    return calibration_of(
        predictions,
        others,
        model=opened,
        facts=facts_with(job.facts, job.caveats),
        doubts=[*suspected, *trained_on],
        weights=weights,
        **more,
    )


def calibration_of(
    predictions: Predictions,
    unlabelled: Predictions | Mapping[str, Predictions] | None = None,
    *,
    weights: TensorLike | None = None,
    calibrators: Sequence[str] | None = None,
    doubts: Iterable[str] = (),
    progress: Progress = lambda done, total: None,
    **more: Any,
) -> Calibration:
    """The calibration of what a model says of labelled inputs, and of unlabelled ones.

    A mapping has several sets of the latter, by name.

    >>> from arcal.auditing import as_predictions
    >>> sure = as_predictions(logits=[[3.0, 0.0]] * 400, labels=[0, 0, 0, 1] * 100)
    >>> calibration_of(sure, calibrators=["temperature"], name="mine").name
    'mine'
    """
    as_given = predictions
    predictions, zeros = without_zeros(as_given)
    said = (
        suspect_sigmoids(as_given.logits) or suspect_softmax_twice(as_given),
        suspect_one_class(as_given),
        suspect_own_predictions(as_given),
        suspect_swapped(as_given),
        zeros,
    )
    doubts = [*doubts, *(line for line in said if line)]
    sets = unlabelled if isinstance(unlabelled, Mapping) else {"": unlabelled}
    sets = {name: one for name, one in sets.items() if one is not None}
    check_alike(predictions, sets)
    choice = choose_calibrator(
        predictions, calibrators=calibrators, weights=weights, progress=progress
    )
    stream, estimates, unsaid = estimates_of(sets, as_given, choice.calibrator, weights)
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
        fitted_to=fitted_to,
        **more,
    )


def order_doubts(predictions: Predictions, classes: Sequence[str] | None = None) -> list[str]:
    """What is said of predictions whose classes seem to be in another order than the labels'.

    Without their names `classes` are called by numbers. Nothing is said of answers.

    >>> from arcal.auditing import as_predictions
    >>> swapped = as_predictions(logits=[[3.0, 0.0], [0.0, 3.0]] * 50, labels=[1, 0] * 50)
    >>> order_doubts(swapped, ["cat", "dog"])[0].partition(":")[2]
    " what it calls cat is dog and dog is cat; in the data's order it would be right on 100 % of \
100 inputs instead of 0 %: reorder the model's outputs to match the data"
    """
    if predictions.answers:
        return []
    names = tuple(map(str, range(predictions.classes))) if classes is None else classes
    return suspicions(predictions.predicted, predictions.labels, names)


def _are_several(unlabelled: Any) -> bool:
    """Whether these are sets of inputs by name, rather than the tensors of one set."""
    if not isinstance(unlabelled, Mapping) or "" in unlabelled:
        return False
    return not all(isinstance(one, Tensor) for one in unlabelled.values())


def _predicted(job: Job) -> tuple[Job, Predictions, Tensor | None]:
    """What the model says of the job's inputs, and the job with what was noticed of it.

    Also how much each input counts, None where all count alike.
    """
    if job.examples is not None:
        job = job.checked()
        assert job.examples is not None
        return job, job.predictions(job.examples), job.examples.weights_by_id
    blocks = [block for block, _ in job.blocks(lambda done: None)]
    if not blocks:
        raise ArcalError("there is nothing to calibrate on: the data is empty")
    whole = joined(blocks)
    in_turn = torch.arange(len(whole.ids), device="cpu")
    weights = None if job.beside is None else job.beside.rows(in_turn)[0]
    predictions = as_predictions(ids=whole.ids, labels=whole.labels, logits=whole.logits)
    return job, predictions, weights
