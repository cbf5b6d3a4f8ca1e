"""Checks of a model before anything is computed with it."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.instancenorm import _InstanceNorm

from arcal.attacks import Inputs, InputsLike, Model, frozen
from arcal.attacks.any_model import Around, check_classes
from arcal.attacks.logit_checks import (
    check_logits,
    coarsest,
    on_other_devices,
    refuse_sigmoid,
    rounding_between_calls,
)
from arcal.errors import ArcalError, ModelInputError, first_line
from arcal.labels import as_labels

PLENTY = 8
"""At most this many rows are run alone; with fewer, rows of length 1 may be chance."""

MOST = 6
"""Tensors that a line lists."""

DEPENDENT = (
    "a row's own tensors, such as a mask, are given beside it in a dict or tuple, dropout and "
    "batch norm need evaluation mode, and recurrent layers and attention batch_first=True; a model "
    "quantised dynamically takes one scale for a batch: give it batches of one, by a loader"
)

STOCHASTIC = (
    "switch off what is drawn at random, or give the mean probabilities of several passes, by "
    "`as_predictions`"
)

SQUEEZED = (
    "for a single input the model returns no row of logits: it drops the dimension of the batch, "
    "as `.squeeze()` does; say which one to drop, as `.squeeze(1)`"
)


@torch.no_grad()
def check_model(model: Model, x: InputsLike, y: Any = None, classes: int | None = None) -> None:
    """Refuse a model that cannot be audited, with a one-line reason, by trying one small batch.

    `x` is a batch of inputs of any kind, `y` its labels `(N,)`, `classes` the data's number of
    classes. Each of these raises `ArcalError`:

    - a module in training mode, if it has layers for which that matters, such as dropout;
    - NaN or infinity in the inputs; an error in the model, for example because its weights have
      another dtype;
    - outputs that are not logits `(N, Z)`, have another dtype than the inputs, are not finite, have
      a wrong number of classes, or are probabilities;
    - a model that writes into its inputs;
    - a label that is no class of the model;
    - a stochastic model: two calls with the same inputs differ;
    - logits of a row that depend on the rest of the batch: they differ if all rows are rotated by
      one place, or if the row is run alone. A model that itself keeps something for each row, such
      as a mask, fails too. A batch of one row cannot show this; 8 are plenty. From 8 rows on, a
      single output that lies in [0, 1] for all of them is taken for a probability.

    Kernels sum in a different order at a different batch size, so the last two checks allow for
    rounding. Let e be the precision (`torch.finfo(dtype).eps`) of the coarsest dtype among the
    weights, the floats of the inputs, and the logits. The tolerance is `sqrt(e)`, half of the
    digits (3.5e-4 in float32), times the widest spread of a row's logits, or `10 e` times the
    largest logit if that is more.

    >>> from torch import nn
    >>> check_model(nn.Linear(3, 4), torch.rand(8, 3), classes=4)
    >>> check_model(nn.Sequential(nn.Linear(3, 4), nn.Softmax(1)), torch.rand(8, 3))
    Traceback (most recent call last):
    arcal.errors.ArcalError: the model returns probabilities: give logits, without the \
softmax, or the logarithm
    """
    _check_mode(model)
    inputs = Inputs.of(x)
    _check_inputs(inputs)
    N = len(inputs)
    everyone = torch.arange(N, device=inputs.device)
    with frozen(model):
        given = inputs.rows(everyone)  # a copy
        try:
            logits = model(given.parts)
        except ArcalError:
            raise
        except (Exception, SystemExit) as error:
            raise _why_it_failed(model, inputs, error) from error
        _check_output(logits, inputs, classes)
        if y is not None:
            as_labels(y, N, logits.shape[1])
        _check_unchanged(given, inputs)

        allowed = rounding_between_calls(logits, coarsest(model, *inputs.named.values(), logits))
        what = "the model is stochastic: two calls with the same inputs differ"
        again = model(inputs.rows(everyone).parts)
        _check_same(again, logits, allowed, everyone, what, STOCHASTIC)
        if N > 1:
            how = "when the rows change places"
            _check_rows(model, inputs, logits, everyone.roll(1), allowed, how)
            for row in everyone[:: -(-N // PLENTY)].split(1):
                _check_rows(model, inputs, logits, row, allowed, "when it is run alone")


def _check_mode(model: Model) -> None:
    own = model.classifier if isinstance(model, Around) else model
    for name, layer in own.named_modules() if isinstance(own, nn.Module) else ():
        if _acts_otherwise_in_training(layer) and layer.training:  # frozen TorchScript has none
            raise ArcalError(
                f"the model is in training mode, which matters to its {type(layer).__name__} "
                f"{name!r}: call `.eval()` first"
            )


def _acts_otherwise_in_training(layer: nn.Module) -> bool:
    if isinstance(layer, _InstanceNorm):
        return layer.track_running_stats
    if isinstance(layer, _DropoutNd):
        return layer.p > 0
    dropout = getattr(layer, "dropout", 0)  # recurrent layers and attention have it
    return isinstance(layer, _BatchNorm) or (isinstance(dropout, float) and dropout > 0)


def _check_inputs(x: Inputs) -> None:
    for name, part in x.named.items():
        if part.ndim == 0 or len(part) == 0:
            raise ArcalError(f"input {name!r} is {tuple(part.shape)}: rows (N, ...) are needed")
        wrong = ~part.isfinite().flatten(1).all(dim=1) if part.ndim > 1 else ~part.isfinite()
        if wrong.any():
            row = int(wrong.nonzero()[0])
            raise ArcalError(
                f"input {name!r} holds NaN or infinity in row {row}: clean the data first"
            )


def _check_output(logits: Tensor, x: Inputs, classes: int | None) -> None:
    """Refuse anything that cannot be the logits of this data."""
    floats = {part.dtype for part in x.named.values() if part.is_floating_point()}
    returned = getattr(logits, "dtype", None)
    check_logits(logits, len(x), returned if returned in floats else next(iter(floats), None))
    if not logits.is_floating_point():
        raise ArcalError(f"the model returns {logits.dtype}: logits, which are floats, are needed")
    check_classes(logits, classes)
    refuse_sigmoid(logits)


def _check_unchanged(given: Inputs, x: Inputs) -> None:
    for name, part in given.named.items():
        if not torch.equal(part, x.named[name]):
            raise ArcalError(
                f"the model writes into its input {name!r}: let it work on a copy, by `.clone()` "
                "or a first layer that is not in place"
            )


def _check_rows(
    model: Model, x: Inputs, logits: Tensor, index: Tensor, allowed: float, how: str
) -> None:
    """Refuse a model whose logits of some rows, by position, differ from those among all rows."""
    try:
        some = model(x.rows(index).parts)
    except Exception as error:
        if len(index) == 1 and "returns shape ()" in str(error):
            raise ArcalError(SQUEEZED) from error
        raise ArcalError(
            f"the model takes {len(x)} inputs and fails on {len(index)} of them "
            f"({first_line(error)}): {DEPENDENT}"
        ) from error
    if len(index) == 1 and some.shape != logits[index].shape:
        raise ArcalError(SQUEEZED)
    what = f"a row's logits depend on the others of its batch: {how} they differ"
    _check_same(some, logits[index], allowed, index, what, DEPENDENT)


def _check_same(
    logits: Tensor, expected: Tensor, allowed: float, index: Tensor, what: str, remedy: str
) -> None:
    if logits.shape != expected.shape:
        raise ArcalError(
            f"the model returns shape {tuple(logits.shape)} for {len(index)} of its inputs: "
            f"{remedy}"
        )
    apart = (logits - expected).abs().amax(dim=1)
    if not (apart <= allowed).all():
        worst = int(apart.argmax())  # NaN counts as the largest
        raise ArcalError(
            f"{what} by {float(apart[worst]):.2g} in row {int(index[worst])}, where {allowed:.2g} "
            f"is rounding: {remedy}"
        )


def _why_it_failed(model: Model, x: Inputs, error: BaseException) -> ArcalError:
    if apart := on_other_devices(model, x.device, error, ", or pass its name as `device=`"):
        return ArcalError(apart)
    floats = {part.dtype for part in x.named.values() if part.is_floating_point()} or {
        part.dtype for part in x.named.values() if part.dtype == torch.uint8
    }
    weights = model.parameters() if isinstance(model, nn.Module) else ()
    weights_kind = {weight.dtype for weight in weights if weight.is_floating_point()}
    if floats and weights_kind and not floats & weights_kind:
        remedy = "convert the inputs, or the model, by `.to(dtype)`"
        if all(torch.finfo(kind).bits < 32 for kind in weights_kind):
            remedy = "convert the model, by `.float()`"
        if floats == {torch.uint8}:
            remedy = "convert the inputs, and divide pixels of 0 to 255 by 255"
        return ArcalError(
            f"the inputs are {_words(floats)} and the model's weights {_words(weights_kind)}: "
            f"{remedy}"
        )
    kinds = [f"{part.dtype} {tuple(part.shape)}" for part in x.named.values()]
    shapes = ", ".join(kinds[:MOST]) + f" and {len(kinds) - MOST} more" * (len(kinds) > MOST)
    remedy = "give inputs of the shape and dtype that it takes"
    if isinstance(error, IndexError) and isinstance(x.parts, torch.Tensor):
        remedy += ", or wrap a model that takes a dict, as lambda x: model({NAME: x})"
    if isinstance(error, TypeError) and not isinstance(x.parts, torch.Tensor):
        remedy = "it is given a tuple as arguments, so wrap a model that takes the whole: "
        remedy += "lambda *parts: model(parts)"
        if isinstance(x.parts, Mapping):
            first, *_ = names = [*map(str, x.named)]
            remedy = "a dict is given to it as keywords, so wrap a model that takes others: lambda "
            remedy += f"{', '.join(names)}: model({first}), or lambda **parts: model(parts) if it "
            remedy += "takes the dict"
    return ModelInputError(f"the model fails on inputs {shapes}: {first_line(error)}; {remedy}")


def _words(dtypes: set[torch.dtype]) -> str:
    return " and ".join(sorted(map(str, dtypes)))
