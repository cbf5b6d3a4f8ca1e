"""Images of another data set: how well a model detects them (section 5.5, Figure 4)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from arcal.auditing._predictions import Predictions, ensemble
from arcal.calibration import auroc, entropy
from arcal.calibration.bins import differ
from arcal.calibration.ood import entropy_shares

BINS = 50


@dataclass(frozen=True, eq=False)
class Separation:
    """How well one model tells the two data sets apart, in [0, 1]: 0.5 is chance.

    In a random pair with one image of each, the probability that the one of the model's own data
    gets the higher confidence, or the lower entropy; a tie counts half. Made by
    `out_of_distribution`.
    """

    auroc_confidence: float
    auroc_entropy: float


@dataclass(frozen=True, eq=False)
class OutOfDistribution:
    """Runs of a subject on the images of another data set, compared with their own test set.

    `how` says how the images were processed, empty if they were not. `inside` and `outside`
    `(n, BINS)` are each run's shares of images by predictive entropy, from 0 to log Z nats (Figure
    4), on its own data and on the other. `runs` has one entry per run, and `ensemble` is that of
    their averaged probabilities, None for a single run. Made by `out_of_distribution`.
    """

    name: str
    how: str
    images: int
    inside: Tensor
    outside: Tensor
    runs: list[Separation]
    ensemble: Separation | None


def out_of_distribution(
    name: str,
    inside: Sequence[Predictions],
    outside: Sequence[Predictions],
    *,
    how: str = "",
    weights: Tensor | None = None,
) -> OutOfDistribution:
    """Compare each run's predictions on its own test set with those on other data, `name`.

    `weights` `(N,)` are those of the inputs of the test set.

    >>> from arcal.auditing import as_predictions
    >>> inside = as_predictions(probabilities=[[0.9, 0.1], [0.2, 0.8]], labels=[0, 1])
    >>> outside = as_predictions(probabilities=[[0.5, 0.5], [0.4, 0.6]], labels=[0, 1])
    >>> out_of_distribution("others", [inside], [outside]).runs[0].auroc_confidence
    1.0
    """
    several = len(inside) > 1
    return OutOfDistribution(
        name=name,
        how=how,
        images=len(outside[0].ids),
        inside=torch.stack([_shares(predictions, weights) for predictions in inside]),
        outside=torch.stack([_shares(predictions) for predictions in outside]),
        runs=[separation(*pair, weights) for pair in zip(inside, outside, strict=True)],
        ensemble=separation(ensemble(inside), ensemble(outside), weights) if several else None,
    )


def separation(
    inside: Predictions, outside: Predictions, weights: Tensor | None = None
) -> Separation:
    """One model's AUROC of confidence and of entropy on two data sets, with `weights` inside."""
    entropies = torch.cat([entropy(one.log_probabilities) for one in (inside, outside)])
    certainty = -_places(entropies)
    return Separation(
        auroc_confidence=auroc(inside.confidence, outside.confidence, weights=weights),
        auroc_entropy=auroc(*certainty.tensor_split([len(inside.ids)]), weights=weights),
    )


def _places(values: Tensor) -> Tensor:
    """The rank of each of `values` `(N,)`, ascending; values within rounding share a rank.

    Entropies of the same probabilities in another order of the classes differ by rounding.
    """
    ordered, order = values.sort()
    place = F.pad(differ(ordered), (1, 0)).cumsum(0)
    return torch.empty_like(values).scatter(0, order, place.double())


def _shares(predictions: Predictions, weights: Tensor | None = None) -> Tensor:
    entropies, Z = entropy(predictions.log_probabilities), predictions.classes
    return entropy_shares(entropies, Z, BINS, weights=weights)
