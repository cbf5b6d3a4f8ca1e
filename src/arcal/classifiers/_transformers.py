"""`hf:FOLDER`: an image or sequence classifier of transformers, as `save_pretrained` wrote it."""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.transforms import functional as F

from arcal.auditing import Caveat
from arcal.classifiers._class_names import are_numbers
from arcal.classifiers._opened_classifier import Loaded, Preprocessing
from arcal.classifiers._tokenizer import Tokenizer, keep_padding_apart, places, reads_embeddings
from arcal.data.views import Interpolation, View
from arcal.errors import ArcalError, first_line
from arcal.external import Normalization, library, parameters, versions
from arcal.files import parse_json

IMAGES, TEXTS = "ForImageClassification", "ForSequenceClassification"
LONGEST = 512
"""The most tokens of a text where neither its tokenizer nor its network says it."""


class PixelValues(nn.Module):
    """An image classifier of transformers, called with images alone."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(pixel_values=x).logits


def load_transformers(folder: Path, *, processed: bool = True) -> Loaded:
    """A classifier of transformers with its processor or tokenizer, from one folder.

    Only files of the folder are read, and none is unpickled but for tensors; code that comes with
    it (`trust_remote_code`) never runs. The network runs in float32. Class names are those of
    `id2label`, unless they are only numbers, or numbered otherwise than from 0.

    Of images, the processor's scaling and normalisation become those of the classifier, and its
    size and crop the preprocessing; without `processed` only these do, if it can be read. A
    sequence classifier takes a dict of `inputs_embeds` float `(N, length, D)`, `attention_mask` and
    what else its tokenizer gives, which `tokenize` makes of texts.

    A folder that is not of such a classifier, weights that are missing, and a regression or a
    classifier of several labels at once raise `ArcalError`.
    """
    spec = f"hf:{folder}"
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
    transformers: Any = library("transformers", spec)
    named = about.get("architectures")
    architecture = str(named[0]) if isinstance(named, list) and named else ""
    if not architecture.endswith((IMAGES, TEXTS)):
        raise ArcalError(
            f"{folder} is {architecture or 'of an unknown architecture'}: a classifier of images "
            f"or texts is needed, whose architecture ends in {IMAGES} or {TEXTS}"
        )
    images = architecture.endswith(IMAGES)
    automatic = (
        transformers.AutoModelForImageClassification
        if images
        else transformers.AutoModelForSequenceClassification
    )
    network, info = _read(
        transformers,
        automatic,
        folder,
        use_safetensors=any(folder.glob("*.safetensors")),
        weights_only=True,
        output_loading_info=True,
    )
    _check(folder, network.config, info)
    network = network.float().eval()
    config = network.config.to_dict()
    config.pop("_name_or_path", None)  # the folder, however it was written: it decides nothing
    Z = network.config.num_labels
    names = _class_names(network.config.id2label, Z)
    files = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin"))
    file = files[0].name if len(files) == 1 else f"{len(files)} files"
    loaded: dict[str, Any] = {
        "name": folder.resolve().name,
        "identity": f"hf:{architecture} {json.dumps(config, sort_keys=True)}",
        "facts": {
            "Network": f"{architecture}, {parameters(network)}",
            "Weights": f"{file}, SHA-256 {_digest(files)[:16]}",
        },
        "library": versions("transformers"),
        "classes": Z,
        "class_names": names,
    }
    if images:
        inputs = _images(transformers, folder, network, processed)
    else:
        inputs = _texts(transformers, folder, network)
        loaded["identity"] += inputs["tokenize"].identity()
    return Loaded(**loaded, **inputs)


def _class_names(named: Mapping[int, str], Z: int) -> tuple[str, ...] | None:
    """The names of the classes, unless they are only numbers, or not those of outputs 0 .. Z-1."""
    if {*named} != {*range(Z)}:
        return None
    names = tuple(str(named[z]) for z in range(Z))
    return None if are_numbers(names) else names


def _check(folder: Path, config: Any, info: Mapping[str, Any]) -> None:
    """Refuse weights that are not all there, and what is no choice of one class."""
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
    takes = signature(network.forward).parameters  # not always what a tokenizer of another's gives
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
    """What one of transformers' classes reads from the folder alone; one line of what it raises."""
    try:
        with torch.random.fork_rng(devices=[]), _quiet(transformers):
            return automatic.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False, **options
            )
    except Exception as error:  # of every kind: damaged files, unknown types, missing libraries
        raise ArcalError(
            f"{folder} cannot be opened by transformers ({first_line(error)})"
        ) from error


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


def _digest(files: list[Path]) -> str:
    """The SHA-256 of a file, or of those of several in their order."""
    digests = [hashlib.sha256(file.read_bytes()) for file in files]
    if len(digests) == 1:
        return digests[0].hexdigest()
    return hashlib.sha256(b"".join(one.digest() for one in digests)).hexdigest()


RESAMPLE = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
"""Pillow's names of interpolation, by number."""

ROUNDING = 1.5
"""Mean difference of two libraries' resized pictures, in steps of 1/255, that is rounding."""


def measured(
    processor: Any, channels: int, folder: Path
) -> tuple[Normalization, Preprocessing | None]:
    """A processor's normalisation, and its size and crop, None if they are of another kind.

    Processors differ in what they do with the settings they share (some shift, some scale by
    another factor, some resize to more than the size they name), so both are measured on images:
    the normalisation on a black and a white one, and held against one at random; the size is what
    comes out of a picture, and the resizing the one of the usual ways that gives the same picture.
    What is no scaling of each channel by itself, such as one that turns red into blue, raises
    `ArcalError`.
    """
    try:
        normalization = _normalization(processor, channels, folder)
        return normalization, _size_and_crop(processor, normalization, channels)
    except ArcalError:
        raise
    except Exception as error:  # a processor's own of any kind
        raise ArcalError(
            f"the processor of {folder} fails on an image ({first_line(error)}): give the "
            "normalisation"
        ) from error


def _size_and_crop(
    processor: Any, normalization: Normalization, channels: int
) -> Preprocessing | None:
    upright = _picture(channels, 300, 400)
    first, turned = (_unscaled(processor, one, normalization) for one in (upright, upright.mT))
    if first.shape != turned.shape:
        return None
    for candidate in _candidates(processor, (first.shape[1], first.shape[2])):
        if candidate.interpolation not in get_args(Interpolation) or channels not in (1, 3):
            continue
        if _apart(first, upright, candidate) < ROUNDING:
            down = _rounds_down(processor, normalization, candidate, channels)
            return replace(candidate, round_down=down)
    return None


def _rounds_down(
    processor: Any, normalization: Normalization, how: Preprocessing, channels: int
) -> bool:
    """Whether half a pixel before the crop is rounded down, and not to an even number.

    This is seen on a picture that needs no resizing, of whose width 3, 7 or so pixels are cut.
    """
    if not isinstance(how.resize, int):
        return False
    short = how.resize
    width = next(w for w in range(short, short + 4) if (w - how.size[1]) % 4 == 3)
    picture = _picture(channels, short, width)
    processed = _unscaled(processor, picture, normalization)
    even, down = (
        _apart(processed, picture, replace(how, round_down=down)) for down in (False, True)
    )
    return down < even


def _apart(processed: Tensor, picture: Tensor, how: Preprocessing) -> float:
    """How far a processor's picture is from ours, in steps of 1/255, in the mean."""
    return float((_resized(picture, how) / 255 - processed).abs().mean()) * 255


def _unscaled(processor: Any, picture: Tensor, normalization: Normalization) -> Tensor:
    """What the processor makes of a picture before it normalises it, float `(C, H, W)`."""
    mean, std = (
        torch.tensor(numbers, device="cpu").view(-1, 1, 1)
        for numbers in (normalization.mean, normalization.std)
    )
    return _processed(processor, picture) * std + mean


def _processed(processor: Any, image: Tensor, **options: bool) -> Tensor:
    """What the processor makes of one image, uint8 `(C, H, W)`."""
    batch = processor(
        images=np.ascontiguousarray(image.numpy()),
        input_data_format="channels_first",
        return_tensors="pt",
        **options,
    )
    return batch["pixel_values"][0]


def _normalization(processor: Any, channels: int, folder: Path) -> Normalization:
    steps = ("do_resize", "do_center_crop", "do_pad")
    off = {step: False for step in steps if getattr(processor, step, None) is not None}
    draw = torch.Generator().manual_seed(0)
    random = torch.randint(256, (channels, 32, 32), generator=draw, dtype=torch.uint8, device="cpu")
    black, white, result = (
        _processed(processor, image, **off).double()
        for image in (torch.zeros_like(random), torch.full_like(random, 255), random)
    )
    low, high = black[:, 0, 0], white[:, 0, 0]
    std, mean = 1 / (high - low), -low / (high - low)
    expected = low[:, None, None] + random / 255 * (high - low)[:, None, None]
    if result.shape != random.shape or not torch.allclose(result, expected, rtol=0, atol=1e-4):
        raise ArcalError(
            f"the processor of {folder} does more than scale each channel by itself, such as "
            "changing their order: write file.py:name with a first layer that does it"
        )
    numbers = [tuple(float(f"{value:.6g}") for value in each.tolist()) for each in (mean, std)]
    return Normalization(numbers[0], numbers[1], "as its processor says")


def _candidates(processor: Any, size: tuple[int, int]) -> list[Preprocessing]:
    """The usual ways to that size: the short side to one of several lengths, or both sides.

    None resizes to less, as a processor does whose crop adds a border.
    """
    named = getattr(processor, "size", None) or {}
    named = named if isinstance(named, dict) else dict(vars(named))
    resample = getattr(processor, "resample", None)
    interpolation = RESAMPLE[2 if resample is None else int(resample)]
    resizes: list[int | tuple[int, int]] = []
    if named.get("height") and named.get("width"):
        resizes.append((named["height"], named["width"]))
    if short := named.get("shortest_edge"):
        crop = getattr(processor, "crop_pct", None) or 1
        resizes += [short, int(short / crop), int(256 / 224 * short), (short, short)]
    enough = [one for one in dict.fromkeys(resizes) if np.all(np.greater_equal(one, size))]
    return [Preprocessing(size, resize, interpolation) for resize in enough]


def _resized(picture: Tensor, how: Preprocessing) -> Tensor:
    """The picture as the data will be resized and cropped."""
    interpolation: Any = how.interpolation
    view = View(len(picture), *how.size, how.resize, interpolation, how.round_down)
    return torch.from_numpy(view.array(picture.numpy()).copy())


def _picture(channels: int, H: int, W: int) -> Tensor:
    """A picture with structure of several sizes, uint8 `(C, H, W)`."""
    draw = torch.Generator().manual_seed(1)
    layers = [
        F.resize(
            torch.rand(channels, max(H // s, 1), max(W // s, 1), generator=draw, device="cpu"),
            [H, W],
        )
        for s in (5, 20, 50)
    ]
    return (torch.stack(layers).mean(0) * 255).to(torch.uint8)
