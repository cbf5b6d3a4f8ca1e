"""What `arcal.calibrate` found: figures, files, and the classifier with a calibrator inside."""

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from torch import nn

from arcal._version import __version__
from arcal.attacks import Model
from arcal.auditing import Choice, Zeros
from arcal.audits._calibration_figures import calibration_figures
from arcal.audits._estimators import is_estimator
from arcal.audits._job import Job
from arcal.batch_parts import as_inputs
from arcal.calibration.posthoc import (
    BatchTemperature,
    Calibrated,
    Calibrator,
    FittedTo,
    Temperature,
    Today,
)
from arcal.classifiers import export_calibrated
from arcal.errors import ArcalError
from arcal.files import check_replaceable, write_json
from arcal.labels import refuse_text
from arcal.printable import wrapped
from arcal.report.terminal import choice_json, print_choice, sentences, today_sentences
from arcal.store import save_calibrator, save_stream

if TYPE_CHECKING:  # scikit-learn is imported when it is used
    from arcal.integrations.sklearn import CalibratedClassifier

CALIBRATION_FILES = (
    "calibration.json",
    "calibrator.safetensors",
    "unlabelled.safetensors",
    "stream.safetensors",
)
"""The files that `Calibration.save` writes."""
EACH = re.compile(r"unlabelled-\d+\.safetensors$")
"""The names of the files for several sets of unlabelled inputs, one per set."""


@dataclass(frozen=True, eq=False, repr=False)
class Calibration:
    """What `arcal.calibrate` found: every calibrator that was tried, and the one to use.

    `choice` has each calibrator's figures with intervals, the one that was picked, and in
    `choice.acting` the confidence from which the model may act alone with it. `model` is the
    classifier, or None if there are only predictions. For an estimator, `zeros` is what its
    probabilities of 0 are taken for. `stream` follows inputs without labels; it is None if nothing
    can be fitted to the labelled ones, or if they are answers. `today` is the estimate for the
    unlabelled inputs, if there are any, and `each` has one for each of several sets, by name.
    `name` is the model's name, and `facts` tell more about it. `doubts` say what to fix before
    believing anything else, and `notes` which inputs the figures are for if these are not the plain
    data; both are usually empty. `fitted_to` identifies the calibrated predictions on the labelled
    inputs, None if the model stays as it is. `job` is a torch model with the labelled inputs, by
    some of which it is exported.

    >>> import arcal, torch
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
    model: Model | Any = None
    zeros: Zeros | None = None
    stream: BatchTemperature | None = None
    today: Today | None = None
    each: Mapping[str, Today] = field(default_factory=dict)
    name: str = "model"
    facts: Mapping[str, str] = field(default_factory=dict)
    doubts: Sequence[str] = ()
    notes: Sequence[str] = ()
    fitted_to: FittedTo | None = None
    job: Job | None = None

    def __repr__(self) -> str:
        tried, picked = len(self.choice.candidates), self.choice.picked or "none"
        return f"<Calibration: {picked} picked of {tried}; {self.choice.inputs:,} inputs>"

    @property
    def calibrator(self) -> Calibrator:
        """The picked calibrator, fitted on all inputs; T = 1 if the model stays as it is.

        It takes and returns log-probabilities `(N, Z)`.
        """
        return self.choice.calibrator or Temperature(1.0)

    @property
    def classifier(self) -> Calibrated:
        """The model with this calibrator inside: inputs in, log-probabilities `(N, Z)` out.

        They are float64, also if no calibrator is picked: then they are the log-softmax of the
        model's logits, and the probabilities are the model's own. `.probabilities(x)` returns their
        exponentials, without gradients. It is on the model's device, and computes in float32 if
        that has no float64. Without a torch model it raises `ArcalError`; for a scikit-learn
        classifier use `estimator`.
        """
        if self.model is None:
            raise ArcalError(
                "there is no model, only its predictions: apply `calibrator` to new ones"
            )
        if is_estimator(self.model):
            raise ArcalError(
                f"{type(self.model).__name__} is not a torch model: use `estimator`, which has "
                "predict_proba"
            )
        calibrator = _beside(self.model, self.calibrator)
        return Calibrated(self.model, calibrator, fitted_to=self.fitted_to)

    @property
    def estimator(self) -> "CalibratedClassifier":
        """The estimator followed by this calibrator, with scikit-learn's interface.

        Its `predict_proba(X)` returns calibrated probabilities `(N, Z)`, or the estimator's own if
        the model stays as it is. A model that is not a fitted classifier with scikit-learn's
        interface raises `ArcalError`.

        >>> import arcal
        >>> from sklearn.naive_bayes import GaussianNB
        >>> X, y = [[0.0], [0.4], [0.6], [1.0]] * 100, ["cat", "cat", "dog", "dog"] * 100
        >>> sure = GaussianNB().fit(X, y)
        >>> y[::8] = ["dog"] * 50
        >>> calibrated = arcal.calibrate(sure, (X, y), calibrators=["temperature"]).estimator
        >>> calibrated.predict_proba([[0.0], [0.5]]).round(2).tolist()
        [[0.83, 0.17], [0.5, 0.5]]
        """
        if self.zeros is None or not is_estimator(self.model):
            raise ArcalError(
                "the model is not a scikit-learn classifier: use `classifier` for a torch model, "
                "and `calibrator` for predictions"
            )
        from arcal.integrations.sklearn import CalibratedClassifier

        return CalibratedClassifier.assembled(self.model, self.choice.calibrator, self.zeros)

    def summary(self, width: int | None = 80) -> str:
        """The table of calibrators, the pick and why, and the estimates for unlabelled inputs.

        Sentences are wrapped to a width in characters unless it is None.
        """
        console = Console(file=StringIO(), width=80, force_terminal=False)
        with console.capture() as table:
            print_choice(self.choice, console)
        before, after = "\n".join(self.doubts), "\n".join(self.sentences())
        if width is not None:
            before, after = wrapped(before, width), wrapped(after, width)
        return "\n".join([*filter(None, [before]), table.get().strip("\n"), "", after])

    def sentences(self) -> list[str]:
        """The summary without its table."""
        lines = [*sentences(self.choice), *self.notes]
        return [*lines, *today_sentences(self._estimates, self.choice)]

    @property
    def _estimates(self) -> Mapping[str, Today]:
        """The estimates for unlabelled inputs, by name; a single set is called ""."""
        return self.each if self.today is None else {"": self.today}

    def as_json(self) -> dict[str, Any]:
        """Every figure as JSON values, as in `calibration.json`."""
        no_T = {"T": None} if self.choice.answers else {}
        more: dict[str, Any] = {name: vars(one) | no_T for name, one in self._estimates.items()}
        more = {"unlabelled": more.get("", more)} if more else {}
        return choice_json(self.choice) | more

    def figures(self) -> dict[str, float]:
        """Every figure by its name in `--fail-if`; see `calibration_figures`."""
        return calibration_figures(self.choice, self._estimates)

    def save(self, out: Path | str = "calibrated") -> Path:
        """Write the figures, the picked calibrator if there is one, and the stream to a folder.

        The files in `out` are `calibration.json`, `calibrator.safetensors`, `stream.safetensors`,
        and for unlabelled inputs their own calibrator `unlabelled.safetensors`, or for several sets
        `unlabelled-1.safetensors` and so on. Those of an earlier calibration are removed.
        `arcal.store.load_calibrator` reads the calibrators, `load_stream` the stream. Returns the
        folder.
        """
        save_calibration(self, Path(out))
        return Path(out)

    def export(
        self,
        out: Path | str = "calibrated",
        formats: Sequence[str] = ("pt2",),
        *,
        x: Any = None,
    ) -> list[Path]:
        """Write the model with this calibrator inside to a folder; returns the files.

        `formats` are among "pt2", "onnx" and "safetensors". Programs take inputs like `x`, a few
        inputs as the model takes them, by default the first that it was calibrated on, and keep the
        names of the classes. See `arcal.classifiers.export_calibrated`. If there is no torch model,
        no calibrator is picked or the model cannot be exported, it raises `ArcalError`.

        >>> import arcal, torch
        >>> x, y = torch.rand(400, 2), (torch.arange(400) % 4 == 0).long()
        >>> sure = torch.nn.Linear(2, 2).eval()
        >>> _ = sure.weight.data.fill_(0), sure.bias.data.copy_(torch.tensor([3.0, 0.0]))
        >>> calibration = arcal.calibrate(sure, (x, y), calibrators=["temperature"])
        >>> [path.name for path in calibration.export("calibrated", ["pt2", "safetensors"])]
        ['calibrated.pt2', 'calibrated.safetensors']
        """
        refuse_text(formats, "formats")
        classifier = self.classifier
        if not isinstance(self.model, nn.Module):
            raise ArcalError(f"{self.name} is a function, and only a torch module can be exported")
        if self.choice.calibrator is None:
            raise ArcalError(
                "no calibrator is picked, so there is nothing to export: the model stays as it is"
            )
        own, more = (None, {}) if self.job is None else self.job.for_export()
        x = own if x is None else as_inputs(x).no_finer_than(self.model).parts
        if x is None:
            raise ArcalError(
                "the inputs that the model was calibrated on cannot be read again: give a few of "
                "them as `x`, such as x=images[:4]"
            )
        return export_calibrated(classifier, x, Path(out), formats, **more)


def save_calibration(calibration: Calibration, out: Path) -> list[Path]:
    """Write what `Calibration.save` does, in place of an earlier calibration; returns the files."""
    paths = [out / name for name in CALIBRATION_FILES]
    before = sorted(p for p in out.glob("unlabelled-*.safetensors") if EACH.match(p.name))
    for path in (*paths, *before):
        check_replaceable(path)
    for path in (*paths, *before):
        path.unlink(missing_ok=True)
    figures, calibrator, unlabelled, stream = paths
    about = {"arcal": __version__, "of": calibration.name, "facts": dict(calibration.facts)}
    write_json(figures, about | calibration.as_json())
    own: list[Path] = []
    for i, today in enumerate(calibration._estimates.values(), start=1):
        if not calibration.choice.answers:
            own.append(unlabelled if calibration.today else out / f"unlabelled-{i}.safetensors")
            save_calibrator(Temperature(today.T), own[-1])
    if calibration.choice.calibrator is not None:
        save_calibrator(calibration.choice.calibrator, calibrator)
    if calibration.stream is not None:
        save_stream(calibration.stream, stream)
    return [path for path in (figures, *own, calibrator, stream) if path.exists()]


def _beside(model: Model, calibrator: Calibrator) -> Calibrator:
    """The calibrator on the device of the model's weights."""
    held = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    if held is None or held.device.type == "cpu":
        return calibrator
    return deepcopy(calibrator).to(held.device)
