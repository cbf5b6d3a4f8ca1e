"""Inputs that occur twice, among the audited ones or in other data, or were trained on."""

from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import Tensor

from arcal.attacks import Model
from arcal.attacks.any_model import Classifier
from arcal.auditing import Caveat, Predictions
from arcal.audits._examples import Examples
from arcal.audits._loaded import Loaded
from arcal.calibration.posthoc import Calibrated, FittedTo
from arcal.data.overlap import MOST_BYTES, MOST_IMAGES
from arcal.data.repeats import repeated_images, repeats

MOST_DECODED = 10_000
"""Images that are decoded, at most, to compare them with others in memory; more are skipped."""


def overlap(
    audited: Examples,
    validation: Examples | Loaded | None,
    other: Sequence[Examples | Loaded] = (),
) -> list[Caveat]:
    """Caveats if validation or other inputs are audited as well; loaders are not checked."""
    caveats = []
    mine = cache(lambda decoded: {*audited.digests(decoded=decoded)})
    if isinstance(validation, Examples) and (both := _shared(audited, validation, mine)):
        said = (
            f"{both:,} of the {len(validation):,} validation inputs are audited as well, so "
            "calibrators look better than they are"
        )
        caveats.append(Caveat("Overlap", said))
    shared = [
        f"{both:,} of the {len(one):,} inputs of {one.name} are in {audited.name} as well, and "
        "cannot be told apart"
        for one in other
        if isinstance(one, Examples) and (both := _shared(audited, one, mine))
    ]
    return [*caveats, Caveat("Other data", "; ".join(shared))] if shared else caveats


def _shared(audited: Examples, other: Examples, mine: Callable[[bool], set[bytes]]) -> int:
    """How many other inputs have the digest of an audited one; `mine(decoded)` are the latter.

    If only one side has encoded images, pixels are compared, unless there are many.
    """
    decoded = audited.encoded != other.encoded
    if decoded and max(len(audited), len(other)) > MOST_DECODED:
        return 0
    known = mine(decoded)
    return sum(digest in known for digest in other.digests(decoded=decoded))


def repeated(audited: Examples) -> list[Caveat]:
    """A caveat if images or texts occur more than once; equal rows of a table are normal."""
    same, what = None, audited.kind
    if audited.part is not None:
        same = repeated_images(audited.part)
    elif audited.texts is not None:
        same = repeats(audited.texts, audited.labels)
    elif _are_few_images(audited):
        same, what = repeats(audited.digests(), audited.labels), "images"
    if same is None:
        return []
    names = audited.names
    said = same.sentence(
        f"the {len(audited):,} {what}",
        lambda i: f"input {audited.ids[i]}" if names is None else names[i],
    )
    return [Caveat("Repeated", said)]


def training_part(audited: Examples) -> list[Caveat]:
    """A caveat if these inputs are the training part of a data set."""
    if not audited.name.endswith("/train"):
        return []
    said = (
        f"{audited.name} is a training part: if the model was trained on it, accuracy and "
        "calibration look better than they are on other inputs"
    )
    return [Caveat("Training part", said)]


CALIBRATED_ON = Caveat(
    "Calibrated on",
    "the model was calibrated on these inputs: on others its calibration will look worse",
)


def calibrated_on(model: Model, predictions: Predictions) -> list[Caveat]:
    """A caveat if the model holds a calibrator that was fitted to these inputs."""
    inside = model.classifier if isinstance(model, Classifier) else model
    if not isinstance(inside, Calibrated) or inside.fitted_to is None:
        return []
    these = FittedTo.from_scores(predictions.scores)
    return [CALIBRATED_ON] if these.are(inside.fitted_to) else []


def _are_few_images(audited: Examples) -> bool:
    """Whether these are images `(N, C, H, W)` in memory, and not too many to compare."""
    first = audited.read(torch.tensor([0], device="cpu"))
    if not isinstance(first, Tensor) or first.ndim != 4:
        return False
    return len(audited) <= MOST_IMAGES and len(audited) * first.nbytes <= MOST_BYTES
