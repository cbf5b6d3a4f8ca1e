"""Predictions drawn so that it is known how well calibrated they are."""

import torch
from torch import Tensor

from arcal.auditing import Predictions


def drawn(N: int = 400, Z: int = 3, *, sharpness: float = 1.0, seed: int = 0) -> Predictions:
    """Labels drawn from a softmax whose logits are then multiplied by `sharpness`.

    With 1 the model is calibrated whatever is predicted, above it over-confident. Ids have gaps and
    are in no order.
    """
    generator = torch.Generator().manual_seed(seed)
    z = 1.5 * torch.randn(N, Z, generator=generator, dtype=torch.float64)
    labels = torch.multinomial(z.softmax(1), 1, generator=generator)[:, 0]
    ids = 3 * torch.randperm(N, generator=generator) + 7
    return Predictions(ids, labels, sharpness * z[None])


def reordered(predictions: Predictions, rows: Tensor) -> Predictions:
    """The same predictions with these rows, in this order; a row may be there several times."""
    some = predictions.ids[rows], predictions.labels[rows], predictions.logits[:, rows]
    return Predictions(*some)


def relabelled(predictions: Predictions, labels: Tensor) -> Predictions:
    """The same predictions of inputs with other labels."""
    return Predictions(predictions.ids, labels, predictions.logits)
