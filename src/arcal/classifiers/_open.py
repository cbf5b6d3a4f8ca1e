"""Opens a classifier by its name, however it is stored, including in a user's own code."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from arcal.attacks.any_model import as_model
from arcal.auditing import Caveat
from arcal.classifiers._class_names import own_class_names
from arcal.classifiers._code import (
    check_name,
    check_needs_none,
    named_in_code,
    needed_arguments,
    one_line,
)
from arcal.classifiers._drawn_weights import drawn_anew, random_state
from arcal.classifiers._exported_program import load_exported
from arcal.classifiers._libraries import parameters, versions
from arcal.classifiers._normalization import Normalization, as_normalization
from arcal.classifiers._opened_classifier import AS_THEY_ARE, NOT_IMITATED, Loaded, OpenedClassifier
from arcal.classifiers._weights import load_into, read_weights
from arcal.errors import ArcalError, a_type
from arcal.files import expanded

FORMS = (
    "package.module:name, file.py:name, timm:NAME, torchvision:NAME, hf:FOLDER, a .pt2 or .onnx "
    "file or a run folder"
)
WEIGHTS = (".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".th")


def open_classifier(
    spec: str,
    *,
    weights: Path | str | None = None,
    normalize: str | Sequence[Any] | None = None,
    device: str | torch.device = "cpu",
) -> OpenedClassifier:
    """The classifier with this name, in evaluation mode on `device`.

    `spec` is one of

    - `package.module:name` or `file.py:name`: a module, a function or class that returns one when
      called without arguments, or a function from inputs to logits. This runs the user's code;
    - `timm:NAME` or `torchvision:NAME`, with a file of `weights`;
    - `hf:FOLDER`, an image or sequence classifier of transformers;
    - a `.pt2` file, a program of `torch.export` (as trusted as code: see `docs/your-model.md`);
    - a `.onnx` file, which is run by onnxruntime and has no gradients.

    `weights` is a safetensors file or one that `torch.save` wrote, with a state dict alone or in a
    checkpoint. It is needed if only a network is named, and may be given for a module in code.
    `normalize` is a name in `NORMALIZATIONS` or MEAN and STD (see `as_normalization`), and replaces
    what the configuration says.

    Nothing is downloaded, and only tensors are unpickled. Any problem raises `ArcalError`.

    >>> code = "from torch import nn; network = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))"
    >>> _ = Path("mine.py").write_text(code)
    >>> opened = open_classifier("mine.py:network", normalize="0.5 0.25")
    >>> opened.model(torch.zeros(5, 3, 2, 2)).shape, opened.facts["Normalisation"]
    (torch.Size([5, 2]), 'mean 0.5, deviation 0.25, as given')
    """
    given = None if normalize is None else as_normalization(normalize)
    loaded = _load(spec, None if weights is None else Path(weights), processed=normalize is None)
    if loaded.kind == "texts" and normalize is not None:
        raise ArcalError(f"{spec} takes texts, which have no normalisation: leave it out")
    normalization = loaded.normalization if normalize is None else given
    _check_channels(spec, normalization, loaded.input_shape)
    model = as_model(_normalized(loaded.model, normalization))
    if isinstance(model, nn.Module):
        for module in model.modules():  # an exported program refuses `.eval()`
            module.training = False
        model.to(device)
    normalized = AS_THEY_ARE if normalize is not None else loaded.normalized
    words = normalization.words if normalization else normalized
    facts = {**loaded.facts, "Normalisation": words}
    if loaded.preprocessing or loaded.not_imitated:
        how = loaded.preprocessing
        facts["Preprocessing"] = how.words if how else NOT_IMITATED
    return loaded.opened(
        model=model,
        facts=facts | ({"Library": loaded.library} if loaded.library else {}),
        identity=f"{loaded.identity}\n{normalization.words if normalization else ''}",
    )


def _load(spec: str, weights: Path | None, *, processed: bool) -> Loaded:
    prefix, colon, name = spec.partition(":")
    if colon and prefix in ("timm", "torchvision"):
        from arcal.classifiers import _library_networks as of  # torchvision takes seconds to import

        load = of.load_timm if prefix == "timm" else of.load_torchvision
        return load(name, weights)
    path = expanded(spec or "?")
    if weights is not None and ((colon and prefix == "hf") or path.suffix in (".pt2", ".onnx")):
        raise ArcalError(f"{spec} has its own weights: leave out {weights}")
    if colon and prefix == "hf":
        from arcal.classifiers._transformers import load_transformers

        return load_transformers(expanded(name), processed=processed)
    if path.suffix == ".pt2":
        return load_exported(path)
    if path.suffix == ".onnx":
        from arcal.classifiers._onnx_file import load_onnx

        return load_onnx(path)
    if path.is_dir():
        if (path / "config.json").is_file():
            raise ArcalError(f"{path} is not a run folder of arcal's: write hf:{path}")
        raise ArcalError(f"{path} is a folder, and not a classifier: give {FORMS}")
    if path.suffix in WEIGHTS:
        if path.exists():
            read_weights(path)  # names a whole network or a program as what it is
        raise ArcalError(
            f"{spec} is only weights: say which network they belong to, as timm:NAME, "
            f"torchvision:NAME or file.py:name, with weights {spec}"
        )
    check_name(spec, "a function in it")
    if colon and not re.match(r"[a-z]:[\\/]", spec, re.IGNORECASE):  # a Windows path
        return load_object(spec, weights)
    raise ArcalError(f"{spec} is not a classifier: give {FORMS}")


def _check_channels(
    spec: str, normalization: Normalization | None, shape: tuple[int, ...] | None
) -> None:
    if normalization is None or shape is None or len(shape) != 3:
        return
    channels = max(len(normalization.mean), len(normalization.std))
    if channels not in (1, shape[0]):
        raise ArcalError(
            f"{spec} has inputs of {shape[0]} channels, and the normalisation ("
            f"{normalization.words}) is of {channels}: give normalize as MEAN STD"
        )


def _normalized(network: Any, normalization: Normalization | None) -> Any:
    """The network with the normalisation as its first layer."""
    if normalization is None:
        return network
    if not isinstance(network, nn.Module):
        network = as_model(network)
    layer = normalization.layer()
    if isinstance(network, nn.Module):
        return nn.Sequential(layer, network)

    def normalized(x: Tensor) -> Any:
        return network(layer.to(x.device)(x))

    return normalized


def load_object(spec: str, weights: Path | None = None) -> Loaded:
    """The classifier that a name in Python code stands for.

    The name is a module, an exported program, a class or function that returns one when called
    without arguments, or a function from inputs to logits. The code is run, with the working folder
    and the file's own folder importable. `weights`, if given, are loaded into the module. Without
    them a call that draws random numbers is made once more, and a caveat says so if the weights of
    the two differ. An attribute `class_names`, a tuple or list of strings, names the classes.
    """
    named = named_in_code(spec)
    name = named.name
    before = random_state()
    classifier = _build(spec, named.value, name)  # a module is not called, and draws nothing
    facts, caveats = {"Network": name}, ()
    if isinstance(classifier, nn.Module):
        facts["Network"] = f"{type(classifier).__name__} of {spec}, {parameters(classifier)}"
        if weights is not None:
            facts["Weights"] = load_into(classifier, read_weights(weights), name).words
        elif random_state() != before and (drawn := drawn_anew(named.value, classifier)):
            caveats = (Caveat("Drawn weights", _drawn(drawn, name, classifier), about="weights"),)
    elif weights is not None:
        raise ArcalError(
            f"{spec} is not a torch module, and cannot be given {weights}: leave it out"
        )
    names = own_class_names(classifier)
    return Loaded(
        name,
        classifier,
        identity=f"{name}\n{named.code}",
        opaque=not (isinstance(classifier, nn.Module) and classifier.state_dict()),
        facts=facts,
        caveats=caveats,
        library=versions(),
        class_names=names or None,
        classes=len(names) or None,
    )


def _drawn(names: list[str], name: str, network: nn.Module) -> str:
    """The sentence on parameters that each call of this name draws anew."""
    whole = len([*network.parameters()])
    which = f"{len(names):,} of its {whole:,} parameter tensors, first {names[0]},"
    if len(names) == whole:
        which = "its weights"
    return (
        f"{which} are drawn anew each time {name}() is called, and are not trained: load the "
        f"trained ones in {name}, or give their file as `weights` (--weights)"
    )


def _build(spec: str, value: Any, name: str) -> Any:
    """The classifier itself; a value that needs no arguments is called to get it."""
    if isinstance(value, nn.Module | ExportedProgram):
        return value
    if not callable(value):
        raise ArcalError(
            f"{spec} is {a_type(value)}: name a module, a function that returns one, or a "
            "function from inputs to logits"
        )
    needed = needed_arguments(value)
    check_needs_none(spec, value, needed)
    if needed and len(needed) > 1:
        raise ArcalError(
            f"{spec} needs {' and '.join(needed)}: name a function without arguments that returns "
            "the network, or one from inputs alone to logits"
        )
    if needed or needed is None:
        return value
    with one_line(spec, f"in {name}()"):
        built = value()
    if not callable(built):
        raise ArcalError(
            f"{spec} returns {type(built).__name__}: it must return a torch module, or take inputs "
            "and return logits"
        )
    return built
