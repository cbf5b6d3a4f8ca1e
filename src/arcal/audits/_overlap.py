"""Inputs that a model may have seen before: of validation, and among training images."""

from arcal.audits._examples import Examples
from arcal.data.listings import Names
from arcal.data.overlap import shared_with_training


def overlap(
    audited: Examples, validation: Examples | None, source: str, part: str | None, names: Names
) -> dict[str, str]:
    """What is to be said of inputs that calibrators or the model may have been fitted on, if any.

    >>> import torch
    >>> first, second = (
    ...     Examples.from_tensors(torch.eye(4)[:n], torch.arange(n) % 2) for n in (4, 2)
    ... )
    >>> names = Names(None, None, None, None)
    >>> overlap(first, second, "fashion", None, names)["Overlap"]
    '2 of the 2 validation inputs are audited as well, and calibrators look better than they are'
    """
    facts = {}
    if validation is not None:
        both = len({*audited.digests()} & {*validation.digests()})
        if both:
            facts["Overlap"] = (
                f"{both:,} of the {len(validation):,} validation inputs are audited as well, and "
                "calibrators look better than they are"
            )
    if audited.kind == "images":
        trained_on = shared_with_training(source, part, names)
        if trained_on is not None:
            facts["Training images"] = trained_on
    return facts
