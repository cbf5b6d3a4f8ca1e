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


def test_an_update_with_a_batch_of_the_validation_set_warns():
    loss = AdaptiveLabelSmoothing(Z=3, R=2, alpha=0.5)
    ids = torch.arange(100)
    loss.assign("validation", ids, ids % 2)
    sure, right = torch.full((100,), 0.75), ids % 3 > 0
    with pytest.warns(UserWarning, match="of 10 of the 100 validation examples: update once an"):
        loss.update(sure[:10], right[:10], ids[:10])
    loss.update(sure, right, ids)  # a warning would be an error
    assert loss.validation_levels(ids[:10]).tolist() == [0, 1] * 5  # to look up is no update
