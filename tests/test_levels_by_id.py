"""Levels looked up by id: what cannot be ids of examples is refused."""

import pytest
import torch

from arcal.errors import ArcalError
from arcal.smoothing import AdaptiveLabelSmoothing


def test_places_in_the_batch_are_refused_as_training_ids():
    loss = AdaptiveLabelSmoothing(Z=3, R=2, alpha=0.5)
    loss.assign("train", torch.arange(100), torch.arange(100) % 2)
    logits, labels = torch.zeros(10, 3), torch.zeros(10, dtype=torch.int64)
    for ids in torch.arange(100).split(10) * 10:  # an epoch is 0 .. 9 once
        loss(logits, labels, ids)
    for _ in range(28):
        loss(logits, labels, torch.arange(10))
    loss(logits, labels, torch.arange(10) + 1)
    for _ in range(29):
        loss(logits, labels, torch.arange(10))
    with pytest.raises(ArcalError, match="of 30 batches one after another are 0 to 9, as if"):
        loss(logits, labels, torch.arange(10))
    whole = AdaptiveLabelSmoothing(Z=3, R=2, alpha=0.5)
    whole.assign("train", torch.arange(10), torch.arange(10) % 2)
    for _ in range(60):  # batches of all there are
        whole(logits, labels, torch.arange(10))
