"""Writes a calibrated classifier to files that run without arcal: `.pt2`, ONNX, safetensors."""

import io
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.utils._pytree import tree_leaves, tree_map

from arcal.attacks import Inputs
from arcal.calibration.posthoc import Calibrated
from arcal.classifiers._class_names import CALIBRATED_ON, CLASS_NAMES
from arcal.classifiers._exported_program import quietly
from arcal.classifiers._libraries import library
from arcal.classifiers._onnx_file import (
    onnx_network,
    run_calibrated,
    save_onnx_calibrated,
    session_of,
)
from arcal.errors import ArcalError
from arcal.files import write_whole
from arcal.store import save_tensors

log = logging.getLogger(__name__)

FORMATS = ("pt2", "onnx", "safetensors")
FORMAT = "arcal calibrated 1"
"""The format of the safetensors file; the number increases if older versions cannot read it."""
APART = 1e-5
"""How far a probability of a written program may be from the module's."""


def check_formats(formats: Sequence[str]) -> None:
    """Refuse a format that is not one of `FORMATS`, and ONNX without its libraries.

    >>> check_formats(["pt2", "safetensors"])
    """
    for name in formats:
        if name not in FORMATS:
            raise ArcalError(f"format {name!r} is unknown: choose from {', '.join(FORMATS)}")
    if "onnx" in formats:
        for name in ("onnx", "onnxscript", "onnxruntime"):
            library(name, "the format onnx (`pip install arcal[onnx]`)")


Several = Mapping[str, Tensor] | tuple[Tensor, ...] | list[Tensor]
"""What a tokenizer gives, such as `input_ids`, or other tensors of each input."""


def _are_tokens(x: Tensor | Several) -> TypeGuard[Mapping[str, Tensor]]:
    return isinstance(x, Mapping) and {"input_ids", "attention_mask"} <= x.keys()


def export_calibrated(
    classifier: Calibrated,
    x: Tensor | Several,
    folder: Path,
    formats: Sequence[str],
    *,
    class_names: Sequence[str] = (),
    calibrated_on: str | None = None,
) -> list[Path]:
    """Write a calibrated classifier as `calibrated.pt2`, `.onnx` and so on; returns the files.

    Both programs take inputs `(N, ...)` like `x`, of the same dtype and of any N (unless the model
    has a fixed one). They return log-probabilities `(N, Z)` of that dtype, or float32 for whole
    numbers. If `x` is what a tokenizer gives, int64 `(N, length)` by name, they take the same names
    and texts of any length that the model has positions for, and return float32. If `x` is another
    dict or tuple of tensors, the `.pt2` takes one like it as its argument, and the `.onnx` each
    tensor as an input of its own. Inside, the calibrator is float64 as fitted, which Apple's GPUs
    do not support: to run it there, first call `.to(torch.float32)` on the classifier.

    The programs keep `class_names`, in the order of the outputs, and `calibrated_on`, the
    fingerprint of the inputs that the calibrator was fitted to. `open_classifier` reads both, and
    an audit recognises the same inputs by the fingerprint.

    The classifier is left as it was, training mode and device included.

    Each program is read back and run on `x`, and refused if a probability is off by more than 1e-5.
    `.safetensors` has the module's weights, whose names begin with `model.` and `calibrator.`. A
    model that cannot be exported raises `ArcalError`, as `check_formats` does.

    >>> from arcal.calibration.posthoc import Temperature
    >>> classifier = Calibrated(nn.Linear(3, 2), Temperature(2.0))
    >>> (path,) = export_calibrated(classifier, torch.rand(4, 3), Path("out"), ["pt2"])
    >>> path.name
    'calibrated.pt2'
    """
    check_formats(formats)
    with _evaluated_on_cpu(classifier):
        if onnx_network(classifier.model) is not None and set(formats) != {"onnx"}:
            raise ArcalError(
                "a model from a .onnx file can only be exported as onnx: leave other formats out"
            )
        module, x = _module_for(classifier, x)
        with torch.no_grad():
            expected = _called(module, x).double().exp()
        if class_names and len(class_names) != (Z := expected.shape[1]):
            raise ArcalError(f"{len(class_names)} class names for {Z} classes: give one each")
        metadata = {CLASS_NAMES: json.dumps(list(class_names))} if class_names else {}
        if calibrated_on is not None:
            metadata[CALIBRATED_ON] = json.dumps(calibrated_on)
        written = []
        for name in formats:
            path = folder / f"calibrated.{name}"
            if name == "safetensors":
                state = {key: value.clone() for key, value in classifier.state_dict().items()}
                save_tensors(path, state, format=FORMAT, kind=classifier.calibrator.kind)
            else:
                write = _write_pt2 if name == "pt2" else _write_onnx
                write(path, module, x, metadata, expected)
            written.append(path)
        return written


def _module_for(classifier: Calibrated, x: Tensor | Several) -> "tuple[_Program, Tensor | Several]":
    """The module that is exported for inputs like these, and the inputs as it takes them."""
    if isinstance(x, Tensor):
        return _SameDtype(classifier), x.detach().cpu()
    parts = Inputs.of(x).to(torch.device("cpu")).parts
    assert not isinstance(parts, Tensor)
    if not _are_tokens(parts):
        return _OfSeveral(classifier), parts
    module = _OfTokens(classifier)
    if other := parts.keys() - signature(module.forward).parameters.keys():
        raise ArcalError(
            f"the tokenizer gives {min(other)}, which no program here takes: the model cannot be "
            "exported"
        )
    return module, parts


def _write_pt2(
    path: Path,
    module: "_Program",
    x: Tensor | Several,
    metadata: Mapping[str, str],
    expected: Tensor,
) -> None:
    buffer, program = io.BytesIO(), _program(module, x)
    with quietly():  # it warns of constants that are parts of others, and writes them whole
        torch.export.save(program, buffer, extra_files={**metadata})
    content = buffer.getvalue()
    write_whole(path, lambda temporary: temporary.write_bytes(content))
    with torch.no_grad(), quietly():
        again = torch.export.load(io.BytesIO(content)).module()
        _check(path, _called(again, x), expected)


def _write_onnx(
    path: Path,
    module: "_Program",
    x: Tensor | Several,
    metadata: Mapping[str, str],
    expected: Tensor,
) -> None:
    write_whole(path, lambda temporary: _save_onnx(module, x, temporary, metadata))
    try:
        with _exporting("to ONNX"):
            if onnx_network(module.classifier.model) is None:
                log_p = run_onnx(path, x)
            else:
                assert isinstance(x, Tensor)
                log_p = run_calibrated(path, x)
    except ArcalError:  # such as for a type that onnxruntime does not compute with
        path.unlink()
        raise
    _check(path, log_p, expected)


@contextmanager
def _evaluated_on_cpu(classifier: Calibrated) -> Iterator[None]:
    """Evaluation mode on the CPU, and weights that need no gradient; all restored afterwards.

    So what a program returns has no gradient, and `.numpy()` is enough.
    """
    modules = [*classifier.modules()]
    modes = [module.training for module in modules]
    weights = [(one, one.data, one.requires_grad) for one in classifier.parameters()]
    # On some devices torch makes new parameters when it moves them.
    held = [(module._parameters.copy(), module._buffers.copy()) for module in modules]
    try:
        for module in modules:  # an exported program inside refuses `.eval()`
            module.training = False
        classifier.cpu().requires_grad_(False)
        yield
    finally:
        for weight, data, needed in weights:
            weight.data = data
            weight.requires_grad_(needed)
        for module, mode, (parameters, buffers) in zip(modules, modes, held, strict=True):
            module.training = mode
            module._parameters.update(parameters)
            module._buffers.update(buffers)


class _Program(nn.Module):
    """A classifier with the inputs and log-probabilities of an exported program."""

    def __init__(self, classifier: Calibrated):
        super().__init__()
        self.classifier = classifier
        self.training = False


class _SameDtype(_Program):
    """A classifier whose log-probabilities have the dtype of its inputs, as attacks need.

    For whole numbers, such as token ids, they are float32.

    Its program refuses inputs of another dtype: any model that begins with a normalisation would
    take uint8 pixels of 0 to 255 for inputs in [0, 1].
    """

    def forward(self, x: Tensor) -> Tensor:
        torch.ops.aten._assert_tensor_metadata(x, dtype=x.dtype)
        return self.classifier(x).to(x.dtype if x.is_floating_point() else torch.float32)


class _OfTokens(_Program):
    """A sequence classifier of transformers, called with the output of its tokenizer."""

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> Tensor:
        tokens = {"input_ids": input_ids, "attention_mask": attention_mask}
        if token_type_ids is not None:
            tokens["token_type_ids"] = token_type_ids
        return self.classifier(tokens).float()


class _OfSeveral(_Program):
    """A classifier of several tensors, called with a dict or tuple of them."""

    def forward(self, parts: Several) -> Tensor:
        for one in parts.values() if isinstance(parts, Mapping) else parts:
            torch.ops.aten._assert_tensor_metadata(one, dtype=one.dtype)
        return self.classifier(parts).float()


def run_onnx(path: Path, x: Tensor | Several) -> Tensor:
    """The output `(N, Z)` of onnxruntime for inputs, or for the output of a tokenizer."""
    session = session_of(str(path))
    parts = [x] if isinstance(x, Tensor) else x
    names = [one.name for one in session.get_inputs()]
    named = parts if isinstance(parts, Mapping) else dict(zip(names, parts, strict=True))
    (log_p,) = session.run(None, {name: one.numpy() for name, one in named.items()})
    return torch.from_numpy(log_p)


def _save_onnx(
    module: _Program, x: Tensor | Several, path: Path, metadata: Mapping[str, str]
) -> None:
    network = onnx_network(module.classifier.model)
    if network is None:
        _save_module(module, x, path)
    else:
        assert isinstance(x, Tensor)
        with _exporting("to ONNX"):
            save_onnx_calibrated(network, module.classifier.calibrator, path, _save_module, x)
    if metadata:
        onnx: Any = library("onnx", "the format onnx")
        written = onnx.load(str(path), load_external_data=False)
        before = {one.key: one.value for one in written.metadata_props}
        onnx.helper.set_model_props(written, before | dict(metadata))
        onnx.save(written, str(path))


def _save_module(module: nn.Module, x: Tensor | Several, path: Path) -> None:
    program = _program(module, x)
    names = [*x] if isinstance(x, Mapping) else ["x"] if isinstance(x, Tensor) else None
    with _exporting("to ONNX"), quietly():
        onnx_program: Any = torch.onnx.export(
            program, dynamo=True, input_names=names, output_names=["log_probabilities"]
        )
        onnx_program.save(str(path))


def _program(module: nn.Module, x: Tensor | Several) -> ExportedProgram:
    """The program for any number of inputs, or for as many as `x` if the model takes no other.

    Texts may be of any length, too.
    """
    args, kwargs, free = (), {}, {0: Dim("inputs")}
    if isinstance(x, Tensor):
        args, shapes = (_two(x),), (free,)
    elif not _are_tokens(x):
        args, shapes = (tree_map(_two, x),), (tree_map(lambda _: free, x),)
    else:
        kwargs = {name: _two(ids) for name, ids in x.items()}
        shapes = dict.fromkeys(x, free | {1: Dim.DYNAMIC})
    with torch.no_grad(), quietly():
        try:
            return torch.export.export(module, args, kwargs, dynamic_shapes=shapes)
        except Exception:  # of every kind: what the model does with its batch size
            with _exporting("by torch.export"):
                program = torch.export.export(module, args, kwargs)
    n = len(tree_leaves((args, kwargs))[0])
    log.warning(f"the exported model takes exactly {n} inputs at a time")
    return program


def _two(x: Tensor) -> Tensor:
    """At least two inputs: torch.export would take a single one for a fixed number."""
    return x if len(x) > 1 else torch.cat([x, x])


def _called(module: Callable[..., Tensor], x: Tensor | Several) -> Tensor:
    return module(**x) if _are_tokens(x) else module(x)


@contextmanager
def _exporting(how: str) -> Iterator[None]:
    """Turn whatever torch raises when it cannot export the model into one line."""
    try:
        yield
    except Exception as error:
        lines = [line for line in str(error).strip().splitlines() if line.strip()]
        reason = lines[0].strip() if lines else type(error).__name__
        raise ArcalError(
            f"the model cannot be exported {how} ({type(error).__name__}: {reason[:200]}): leave "
            "the format out"
        ) from error


def _check(path: Path, log_p: Tensor, expected: Tensor) -> None:
    apart = (log_p.detach().double().exp() - expected).abs().max().item()
    if not apart <= APART:  # nan as well
        path.unlink()
        rounded = ", or give a model that calculates in float32" if apart < 0.01 else ""
        raise ArcalError(
            f"{path.name} gives probabilities that are off by {apart:.2g}, and was removed: leave "
            f"this format out{rounded}"
        )
