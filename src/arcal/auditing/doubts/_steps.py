"""A suspicion: the model cuts some columns of a table to whole numbers."""

import torch

from arcal.attacks import Inputs, InputsLike, Model, frozen
from arcal.attacks.logit_checks import coarsest, rounding_between_calls

STEP = 1e-5
SHARE = 0.05
"""At least this share of the inputs must jump, so that none does by chance, at a kink."""


@torch.no_grad()
def suspect_steps(model: Model, x: InputsLike) -> str | None:
    """A sentence if rows of numbers `(N, D)` jump where whole numbers are lowered a little.

    So they do if a category is cut to a whole number, as `.long()` does: just below 3 it is 2, and
    an attack finds a distance of nearly 0. All whole numbers from 1 on are lowered by 1e-5 and by
    1e-4 of their size: a smooth model changes ten times as much with the latter, and one that jumps
    about as much. Other inputs are not judged.

    >>> table = torch.nn.Embedding(5, 2)
    >>> suspect_steps(lambda x: table(x[:, 0].long()) + x[:, 1:], torch.ones(8, 3) * 3)
    'the model cuts whole numbers, ...
    """
    parts = Inputs.of(x).parts
    if not isinstance(parts, torch.Tensor) or parts.ndim != 2 or not parts.is_floating_point():
        return None
    whole = (parts >= 1) & (parts == parts.round())
    if not whole.any():
        return None
    with frozen(model):
        logits = model(parts)
        less, more = (
            (model(torch.where(whole, parts * (1 - step), parts)) - logits).abs().amax(dim=1)
            for step in (STEP, 10 * STEP)
        )
    allowed = rounding_between_calls(logits, coarsest(model, parts, logits))
    jumps = int(((less > allowed) & (less > more / 2)).sum())
    if jumps < SHARE * len(parts):
        return None
    return (
        "the model cuts whole numbers, such as categories, as `.long()` does: its outputs for "
        f"{jumps} of {len(parts)} inputs jump when these are lowered by a hundred-thousandth, so "
        "distances of nearly 0 mean nothing; round them first, by `.round().long()`, or rank by "
        "the order margin"
    )
