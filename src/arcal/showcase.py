"""Attacked images of a test set, from its least to its most robust."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from hashlib import sha256

import torch
from torch import Tensor

from arcal.attacks import BoundaryProjection, frozen, settings_of
from arcal.data import Part, as_input
from arcal.errors import ArcalError
from arcal.robustness import Attack, Robustness, rank
from arcal.store import RunFolder, load_header, load_tensors, save_tensors
from arcal.training.run import fingerprint_of, model_of


@dataclass(frozen=True)
class Showcase:
    """N images with the perturbations that flip one model, ascending in the order's robustness.

    `ids`, `labels`, `predicted` and `becomes` (the prediction on the perturbed image) are int64
    `(N,)`; `x` and `adversarial` float32 `(N, C, H, W)` in [0, 1], the latter NaN where the attack
    failed; `distance` float32 `(N,)` is what the attack found, `estimate` `(N,)` what the order
    said.
    """

    ids: Tensor
    labels: Tensor
    predicted: Tensor
    becomes: Tensor
    x: Tensor
    adversarial: Tensor
    distance: Tensor
    estimate: Tensor


def showcase(
    folder: RunFolder,
    part: Part,
    scores: Robustness,
    *,
    N: int = 64,
    attack: Attack | None = None,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Showcase:
    """Attack `N` images spread evenly over the ranking by `scores`, or read what is kept of that.

    `scores` are of `part` by the run's model. The first and the last are the ends of the ranking.
    """
    if not torch.equal(scores.ids, part.ids):
        raise ArcalError(f"the scores are not of {part.name}: score that part")
    attack = attack or BoundaryProjection()
    about = {
        "model": fingerprint_of(folder),
        "data": part.fingerprint(),
        "order": scores.order,
        "scores": sha256(scores.robustness.double().numpy().tobytes()).hexdigest(),
        "N": N,
        "attack": settings_of(attack),
    }
    path = folder.path / "showcase.safetensors"
    if path.exists() and load_header(path) == about:
        progress(N, N)
        return Showcase(**load_tensors(path)[0])
    model = model_of(folder)
    ranking = rank(scores.robustness, scores.ids).argsort()
    at = ranking[torch.linspace(0, len(part) - 1, min(N, len(part))).round().long()]
    x = as_input(part.images(at), "cpu")
    progress(0, len(at))
    found = attack(model, x)
    progress(len(at), len(at))
    with frozen(model), torch.no_grad():
        becomes = model(found.x).argmax(dim=1)
    shown = Showcase(
        ids=part.ids[at],
        labels=part.labels[at],
        predicted=found.predicted,
        becomes=torch.where(found.success, becomes, found.predicted),
        x=x,
        adversarial=found.x,
        distance=found.distance,
        estimate=scores.robustness[at],
    )
    save_tensors(path, {field.name: getattr(shown, field.name) for field in fields(shown)}, **about)
    return shown
