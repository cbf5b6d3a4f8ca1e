"""Attacked images of a test set, from its least to its most robust."""

from dataclasses import dataclass

import torch
from torch import Tensor

from arcal.attacks import Model, frozen
from arcal.data import Part, as_input
from arcal.errors import ArcalError
from arcal.robustness import Attack, Robustness, rank


@dataclass(frozen=True)
class Showcase:
    """N images with the perturbations that flip one model, ascending in the order's robustness.

    `ids`, `labels`, `predicted` and `becomes` (the prediction on the perturbed image) are int64
    `(N,)`; `x` and `adversarial` float32 `(N, C, H, W)` in [0, 1], the latter NaN where the attack
    failed; `distance` float32 `(N,)` is what the attack found, `estimate` `(N,)` what the order
    said; `logits` `(N, Z)` are those of the perturbed images. Made by `attack_evenly`.
    """

    ids: Tensor
    labels: Tensor
    predicted: Tensor
    becomes: Tensor
    x: Tensor
    adversarial: Tensor
    distance: Tensor
    estimate: Tensor
    logits: Tensor


def attack_evenly(
    model: Model, part: Part, robustness: Robustness, attack: Attack, N: int = 64
) -> Showcase:
    """Attack `N` images of a part spread evenly over the ranking by `robustness`.

    `robustness` is of `part`, by this model; that of other images, or in another order, raises
    `ArcalError`. The first and the last are the ends of the ranking.

    >>> from arcal.attacks import BoundaryProjection
    >>> from arcal.data import InMemory
    >>> from arcal.robustness import score
    >>> ids, labels = torch.arange(3), torch.tensor([0, 1, 1])
    >>> pixels = torch.tensor([110, 250, 150], dtype=torch.uint8).expand(1, 4, 4, 3).movedim(3, 0)
    >>> part = InMemory("toy/test", ids, labels, ("dark", "light"), pixels)
    >>> model = lambda x: torch.stack([0.5 - x.mean((1, 2, 3)), x.mean((1, 2, 3)) - 0.5], dim=1)
    >>> scores = score(model, [(ids, as_input(pixels, "cpu"), labels)], "gradient")
    >>> showcase = attack_evenly(model, part, scores, BoundaryProjection(), N=2)
    >>> showcase.ids
    tensor([0, 1])
    """
    if not torch.equal(robustness.ids, part.ids):
        raise ArcalError(f"the scores are not of {part.name}: score that part")
    ranking = rank(robustness.robustness, robustness.ids).argsort()
    chosen = ranking[torch.linspace(0, len(part) - 1, min(N, len(part))).round().long()]
    x = as_input(part.images(chosen), "cpu")
    flipped = attack(model, x)
    with frozen(model), torch.no_grad():
        logits = model(flipped.x)
    return Showcase(
        ids=part.ids[chosen],
        labels=part.labels[chosen],
        predicted=flipped.predicted,
        becomes=torch.where(flipped.success, logits.argmax(dim=1), flipped.predicted),
        x=x,
        adversarial=flipped.x,
        distance=flipped.distance,
        estimate=robustness.robustness[chosen],
        logits=logits,
    )
