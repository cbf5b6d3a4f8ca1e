"""`hf:FOLDER`: an image or sequence classifier of transformers, as `save_pretrained` wrote it."""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from arcal.auditing import Caveat
from arcal.classifiers._class_names import are_numbers
from arcal.classifiers._image_processor import measured
from arcal.classifiers._libraries import library, parameters, versions
from arcal.classifiers._opened_classifier import Loaded
from arcal.classifiers._tokenizer import Tokenizer, keep_padding_apart, places, reads_embeddings
from arcal.errors import ArcalError, first_line
from arcal.files import parse_json

IMAGES, TEXTS = "ForImageClassification", "ForSequenceClassification"
IN_PYTHON = "give any other in Python, to `arcal.audit`, `arcal.calibrate` or `arcal.score`"
LONGEST = 512
"""The most tokens of a text if neither its tokenizer nor its network sets a limit."""


class PixelValues(nn.Module):
    """An image classifier of transformers, called with images alone."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(pixel_values=x).logits


def load_transformers(folder: Path, *, processed: bool = True) -> Loaded:
    """A classifier of transformers with its processor or tokenizer, from one folder.

    Only files of the folder are read, and only tensors are unpickled; code that comes with it
    (`trust_remote_code`) never runs. The network runs in float32. Class names are those of
    `id2label`, unless they are only numbers, or not numbered from 0.

    For images, the processor's scaling and normalisation become those of the classifier, and its
    size and crop the preprocessing. Without `processed`, because a normalisation is given, a
    missing or unusual processor is no error. A sequence classifier takes a dict of `inputs_embeds`
    float `(N, length, D)` (or `input_ids`, if it does not read embeddings), `attention_mask` and
    what else its tokenizer gives; `tokenize` makes this from texts.

    A folder of anything else, missing weights, a regression and a classifier of several labels at
    once raise `ArcalError`.
    """
    about = _configuration(folder)
    transformers: Any = library("transformers", f"hf:{folder}")
    architecture = _architecture(folder, about)
    images = architecture.endswith(IMAGES)
    network, info = _read(
        transformers,
        transformers.AutoModelForImageClassification
        if images
        else transformers.AutoModelForSequenceClassification,
        folder,
        use_safetensors=any(folder.glob("*.safetensors")),
        weights_only=True,
        output_loading_info=True,
    )
    _check(folder, network.config, info)
    network = network.float().eval()
    config = network.config.to_dict()
    config.pop("_name_or_path", None)  # the folder, however it was written, decides nothing
    identity = f"hf:{architecture} {json.dumps(config, sort_keys=True)}"
    if images:
        inputs = _images(transformers, folder, network, processed)
    else:
        inputs = _texts(transformers, folder, network)
        identity += inputs["tokenize"].identity()
    Z = network.config.num_labels
    return Loaded(
        folder.resolve().name,
        identity=identity,
        facts={"Network": f"{architecture}, {parameters(network)}", "Weights": _weights(folder)},
        library=versions("transformers"),
        classes=Z,
        class_names=_class_names(network.config.id2label, Z),
        **inputs,
    )


def _configuration(folder: Path) -> dict[str, Any]:
    """The configuration in a folder; a missing one, or one of timm, raises `ArcalError`."""
    config_file = folder / "config.json"
    if not config_file.is_file():
        kind = "has no config.json" if folder.is_dir() else "is not a folder"
        hub = ""
        if len(folder.parts) == 2 and not folder.parent.exists():
            there = folder.as_posix()
            hub = (
                f"; a model of the Hub is copied by `hf download {there} --local-dir {folder.name}`"
            )
        raise ArcalError(f"{folder} {kind}: give a folder that save_pretrained wrote{hub}")
    about = _json(config_file)
    if "model_type" not in about and "architecture" in about:
        raise ArcalError(
            f"{folder} is a network of timm's: name it timm:{about['architecture']}, with its "
            "file as weights"
        )
    return about


def _architecture(folder: Path, about: Mapping[str, Any]) -> str:
    """The architecture that the configuration names, which must classify images or texts."""
    named = about.get("architectures")
    architecture = str(named[0]) if isinstance(named, list) and named else ""
    if not architecture.endswith((IMAGES, TEXTS)):
        raise ArcalError(
            f"{folder} is {architecture or 'of an unknown architecture'}: a classifier of images "
            f"or texts is needed, whose architecture ends in {IMAGES} or {TEXTS}; {IN_PYTHON}"
        )
    return architecture


def _class_names(named: Mapping[int, str], Z: int) -> tuple[str, ...] | None:
    """The names of the classes, unless they are only numbers, or not those of outputs 0 .. Z-1."""
    if {*named} != {*range(Z)}:
        return None
    names = tuple(str(named[z]) for z in range(Z))
    return None if are_numbers(names) else names


def _check(folder: Path, config: Any, info: Mapping[str, Any]) -> None:
    """Refuse incomplete weights, and a network that does not choose one of several classes."""
    for fault in ("missing_keys", "mismatched_keys"):
        if names := sorted(map(str, info[fault])):
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise ArcalError(
                f"{folder} has no weights that fit {names[0]}{more}, and random ones say nothing: "
                "give the folder of a classifier that was trained"
            )
    problem = config.problem_type or ("regression" if config.num_labels == 1 else "")
    if problem in ("regression", "multi_label_classification"):
        what = problem.replace("_", " ")
        raise ArcalError(
            f"{folder} is of {what}: give a classifier that chooses one of its classes"
        )


def _images(transformers: Any, folder: Path, network: Any, processed: bool) -> dict[str, Any]:
    """What is known of the inputs of an image classifier."""
    channels = getattr(network.config, "num_channels", 3)
    size = getattr(network.config, "image_size", None)
    size = (size, size) if isinstance(size, int) else size
    inputs: dict[str, Any] = {
        "model": PixelValues(network),
        "kind": "images",
        "input_shape": (channels, *size) if size else None,
    }
    if not (folder / "preprocessor_config.json").is_file():
        if not processed:
            return inputs
        raise ArcalError(
            f"{folder} has no preprocessor_config.json, which says how images are normalised: save "
            "the processor there, too, or give the normalisation"
        )
    try:
        processor = _read(transformers, transformers.AutoImageProcessor, folder)
        normalization, preprocessing = measured(processor, channels, folder)
    except ArcalError:
        if not processed:
            return inputs | {"not_imitated": True}
        raise
    inputs |= {"normalization": normalization, "preprocessing": preprocessing}
    sizes = any(getattr(processor, step, None) for step in ("do_resize", "do_center_crop"))
    inputs["not_imitated"] = preprocessing is None and sizes
    if preprocessing is not None:
        inputs["input_shape"] = (channels, *preprocessing.size)
    return inputs


def _texts(transformers: Any, folder: Path, network: Any) -> dict[str, Any]:
    """What is known of the inputs of a sequence classifier."""
    tokenizer = _read(transformers, transformers.AutoTokenizer, folder)
    if tokenizer.pad_token_id is None:
        raise ArcalError(
            f"the tokenizer of {folder} has no padding token, so texts cannot have one length: set "
            "`tokenizer.pad_token` and `model.config.pad_token_id`, and save both again"
        )
    takes = signature(network.forward).parameters  # another network's tokenizer may give more
    tokenizer.model_input_names = [one for one in tokenizer.model_input_names if one in takes]
    length = min(tokenizer.model_max_length, places(network))
    length = length if length < sys.maxsize else LONGEST
    try:
        embeddings = network.get_input_embeddings()
    except NotImplementedError:  # CANINE has none: it hashes characters
        embeddings = None
    tokenize = Tokenizer(tokenizer, embeddings, length)
    read = "embeddings of tokens"
    with _quiet(transformers):
        if not reads_embeddings(network, tokenize, folder):
            read, tokenize = "token ids", replace(tokenize, embeddings=None)
    padded = keep_padding_apart(network, tokenize)
    return {
        "caveats": (Caveat("Padding", padded, about="data"),) if padded else (),
        "model": network,
        "kind": "texts",
        "tokenize": tokenize,
        "normalized": f"none: the model takes {read} as they are",
    }


def _read(transformers: Any, automatic: Any, folder: Path, **options: Any) -> Any:
    """Load one of transformers' classes from the folder alone; its errors become one line."""
    try:
        with torch.random.fork_rng(devices=[]), _quiet(transformers):
            return automatic.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False, **options
            )
    except Exception as error:  # of every kind: damaged files, unknown types, missing libraries
        why = first_line(error)
        if why.startswith("Unrecognized configuration class"):  # Wav2Vec2ForSequenceClassification
            why = f"it is no classifier of images or texts: {IN_PYTHON}"
        raise ArcalError(f"{folder} cannot be opened by transformers ({why})") from error


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """No progress bars and no warnings."""
    logging = transformers.utils.logging
    bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _json(path: Path) -> dict[str, Any]:
    try:
        content = parse_json(path.read_bytes())
    except ValueError as error:
        raise ArcalError(f"{path} is damaged ({error}): save the classifier again") from None
    return content if isinstance(content, dict) else {}


def _weights(folder: Path) -> str:
    """The file of weights and its SHA-256; for several files, that of their digests in order."""
    files = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin"))
    digests = [hashlib.sha256(file.read_bytes()) for file in files]
    if len(files) == 1:
        return f"{files[0].name}, SHA-256 {digests[0].hexdigest()[:16]}"
    whole = hashlib.sha256(b"".join(one.digest() for one in digests))
    return f"{len(files)} files, SHA-256 {whole.hexdigest()[:16]}"
