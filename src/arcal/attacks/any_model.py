"""The entry point for classifiers: anything that returns logits becomes a model."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram

from arcal.arrays import in_rows, is_of_view
from arcal.attacks.inputs import Inputs, InputsLike, Model
from arcal.attacks.outputs import (
    check_classes,
    exported_module,
    in_words,
    logits_of,
    perhaps_logits,
    refuse_one_number,
    refused_by_program,
)
from arcal.errors import ArcalError, first_line

__all__ = [
    "Around",
    "Classifier",
    "Function",
    "TakesInputs",
    "as_model",
    "called",
    "check_classes",
    "refuse_one_number",
    "suspect_outputs",
    "takes_whole",
]

for leaf in ("logits_of", "_no_finer"):  # for tracing a classifier, as `folded` does
    fx.wrap(leaf)


class TakesInputs(nn.Module):
    """A module of arcal that takes a dict or tuple of tensors as one argument.

    >>> isinstance(as_model(nn.Linear(3, 2)), TakesInputs)
    True
    """


class Around(TakesInputs):
    """An arcal module around the user's `classifier`; layers are reported by their names in it.

    >>> isinstance(as_model(nn.Linear(3, 2)), Around)
    True
    """

    classifier: nn.Module


class Classifier(Around):
    """A module whose output is logits `(N, Z)`, whatever `classifier` returns.

    >>> import torch
    >>> model = as_model(torch.nn.Linear(3, 1))
    >>> type(model).__name__, model(torch.rand(5, 3)).shape
    ('Classifier', torch.Size([5, 2]))
    """

    takes_rows: bool = False
    """Whether images must be contiguous, not channels last; set by the first call that needs it."""

    several: tuple[torch.Size, ...] = ()
    """The shapes of outputs that may all be the logits, the first taken; set by such a call."""

    def __init__(self, classifier: nn.Module, classes: int | None = None):
        super().__init__()
        self.classifier: nn.Module = classifier
        self.classes: int | None = classes
        self.training: bool = getattr(classifier, "training", False)  # TorchScript may lack it

    def forward(self, x: InputsLike) -> Tensor:
        if self.takes_rows:
            output = called(self.classifier, _in_rows(x))
        else:
            output, takes_rows = _called_in_either_layout(self.classifier, x)
            if takes_rows:
                self.takes_rows = True
        if len(several := perhaps_logits(output, self.classes)) > 1:
            self.several = tuple(one.shape for one in several)
        return _no_finer(logits_of(output, self.classes), x)


@dataclass
class Function:
    """A function whose output is logits `(N, Z)`, whatever `classifier` returns.

    >>> as_model(lambda x: x.sum(dim=1))(torch.ones(5, 3))[0]
    tensor([0., 3.])
    """

    classifier: Callable[..., Any]
    classes: int | None = None
    several: tuple[torch.Size, ...] = field(default=(), compare=False)

    def __call__(self, x: InputsLike) -> Tensor:
        classifier = self.classifier
        try:
            if takes_whole(classifier, _parts(x)):
                output = classifier(_parts(x))
            else:
                output, _ = _called_in_either_layout(classifier, x)
            if len(several := perhaps_logits(output, self.classes)) > 1:
                self.several = tuple(one.shape for one in several)
            logits = _no_finer(logits_of(output, self.classes), x)
            return logits.to(_tensors(x)[0].device)
        except Exception as error:
            if isinstance(getattr(classifier, "model", None), nn.Module):
                raise ArcalError(
                    f"{type(classifier).__name__} fails as a function from inputs to logits "
                    f"({first_line(error)}): give its attribute `model`, or predictions alone, by "
                    "`as_predictions`"
                ) from error
            if not isinstance(error, RuntimeError) or "requires grad" not in str(error):
                raise
            raise ArcalError(
                "the function turns its inputs into numpy, so that there are no gradients: "
                "compute the logits by torch operations, or rank by the order margin"
            ) from error


def as_model(classifier: Any, *, classes: int | None = None) -> Model:
    """Turn a classifier of any kind into a model: a callable from inputs to logits `(N, Z)`.

    `classifier` is an `nn.Module`, a program of `torch.export`, or any callable. It may return
    logits, or a `ModelOutput`, dict or tuple with logits. The single logit z of a binary classifier
    becomes the two logits (0, z): the second entry of their softmax is the sigmoid of z. A dict of
    inputs is passed as keyword arguments, a tuple as positional arguments, or either as it is to a
    function that only takes one argument of another name. A program exported for
    one batch size takes any: batches are padded with copies of their last row. float64 logits for
    float32 inputs, as from `Calibrated`, become float32.

    A module stays a module: `.eval()`, `.to()` and its weights are those of the classifier.
    `classes`, if given, is the number that every output must have. Anything else raises
    `ArcalError`, and so does a transformers model whose config says that it does regression or
    multi-label classification. The logits themselves are checked by `arcal.auditing.check_model`.
    For saved predictions use `arcal.auditing.as_predictions`.

    >>> import torch
    >>> one_logit = torch.nn.Linear(3, 1)
    >>> as_model(one_logit, classes=2)(torch.rand(5, 3)).shape
    torch.Size([5, 2])
    """
    if classes is not None and classes < 2:
        raise ArcalError(f"classes is {classes}: a classifier needs at least 2")
    if isinstance(classifier, ExportedProgram):
        classifier = exported_module(classifier)
    if isinstance(classifier, Classifier):
        return classifier if classes is None else Classifier(classifier.classifier, classes)
    if isinstance(classifier, nn.Module):
        _check_problem(classifier)
        return Classifier(classifier, classes)
    if isinstance(classifier, Function):
        return classifier if classes is None else Function(classifier.classifier, classes)
    if isinstance(classifier, type) or not callable(classifier):
        raise ArcalError(_why_not(classifier))
    return Function(classifier, classes)


def suspect_outputs(model: Model) -> str | None:
    """A sentence if a model, when called, returned several tensors that could be the logits.

    >>> model = as_model(lambda x: (x, 2 * x))
    >>> logits = model(torch.rand(5, 3))
    >>> suspect_outputs(model)
    'the model returns tensors (N, 3) and (N, 3) that may be its logits, and the first is taken: \
return these alone if they are others'
    """
    if not isinstance(model, Classifier | Function) or not model.several:
        return None
    shapes = " and ".join(in_words(shape) for shape in model.several)
    return (
        f"the model returns tensors {shapes} that may be its logits, and the first is taken: "
        "return these alone if they are others"
    )


def _why_not(classifier: Any) -> str:
    """Why something is not a classifier, and what to give instead."""
    kind = type(classifier).__name__
    if hasattr(classifier, "predict_proba"):
        return (
            f"{kind} takes no tensors: give an audit or a calibration its predictions, "
            "as_predictions(probabilities=classifier.predict_proba(x), labels=labels), in place of "
            "it and the data"
        )
    if isinstance(classifier, str | Path):
        return (
            f"{str(classifier)!r} is only a name: give the module, such as "
            "`arcal.classifiers.open_classifier(...).model`"
        )
    inside = ", here its attribute `model`" if hasattr(classifier, "model") else ""
    return (
        f"{kind} is not a classifier: give a module, an exported program or a function from inputs "
        f"to logits{inside}; what is saved is for `as_predictions`"
    )


def _check_problem(network: nn.Module) -> None:
    """Refuse a model whose config, as in transformers, says that it does not choose one class."""
    problem = getattr(getattr(network, "config", None), "problem_type", None)
    if problem in ("regression", "multi_label_classification"):
        more = ": give each label as predictions of a binary classifier, by `as_predictions`"
        raise ArcalError(
            f"the model's config says problem_type={problem!r}, and only a model that chooses one "
            f"of several classes can be audited{more if problem.startswith('multi') else ''}"
        )


def _called_in_either_layout(classifier: Callable[..., Any], x: InputsLike) -> tuple[Any, bool]:
    """The output for images as they are, or else contiguous; and whether they had to be."""
    try:
        return called(classifier, x), False
    except RuntimeError as error:
        if not is_of_view(error):
            raise
        return called(classifier, _in_rows(x)), True


def _parts(x: InputsLike) -> Any:
    """The argument for a classifier. It is not inspected further, because it may be traced."""
    return x.parts if isinstance(x, Inputs) else x


def _tensors(x: InputsLike) -> tuple[Tensor, ...]:
    """All tensors, without checks of their lengths, which would fix a program's batch size."""
    parts = _parts(x)
    if isinstance(parts, Tensor):
        return (parts,)
    return tuple(parts.values() if isinstance(parts, Mapping) else parts)


def called(classifier: Callable[..., Any], x: InputsLike) -> Any:
    """What a classifier returns, given several tensors as keywords or as arguments.

    >>> import torch
    >>> called(lambda a, b: a + b, {"a": torch.ones(2), "b": torch.ones(2)})
    tensor([2., 2.])
    """
    parts = _parts(x)
    try:
        if isinstance(classifier, TakesInputs | Function):
            return classifier(parts)
        if isinstance(parts, Mapping):
            return classifier(**parts)
        return classifier(*parts) if isinstance(parts, tuple | list) else classifier(parts)
    except AssertionError as error:
        if (refused := refused_by_program(classifier, Inputs.of(x), error)) is None:
            raise
        raise refused from error


def takes_whole(classifier: Callable[..., Any], parts: Any) -> bool:
    """Whether it takes several tensors as one argument, and not as keywords or several.

    >>> takes_whole(lambda batch: batch["a"], {"a": 1}), takes_whole(lambda a: a, {"a": 1})
    (True, False)
    """
    if isinstance(parts, Tensor):
        return False
    if isinstance(classifier, TakesInputs | Function):
        return True
    try:
        signature = inspect.signature(getattr(classifier, "forward", classifier))
        signature.bind(parts)
    except (TypeError, ValueError):
        return False
    try:
        signature.bind(**parts) if isinstance(parts, Mapping) else signature.bind(*parts)
    except TypeError:
        return True
    return False


def _in_rows(x: InputsLike) -> InputsLike:
    """Images made contiguous in memory; other inputs unchanged."""
    parts = _parts(x)
    return x if isinstance(parts, Mapping | tuple | list) else in_rows(parts)


def _no_finer(logits: Tensor, x: InputsLike) -> Tensor:
    """float64 logits as float32, unless any input is float64: attacks need a single dtype."""
    double = any(part.dtype == torch.float64 for part in _tensors(x))
    return logits if double or logits.dtype != torch.float64 else logits.float()
