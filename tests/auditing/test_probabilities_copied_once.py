"""Probabilities are copied once on their way into predictions, which matters for large files."""

import numpy as np
import pytest
import torch

from arcal.auditing import as_predictions


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_probabilities_are_copied_once(dtype, monkeypatch):
    def clone(self):
        raise AssertionError("the array is copied a second time")

    monkeypatch.setattr(torch.Tensor, "clone", clone)
    p = np.array([[0.75, 0.25], [0.5, 0.5]], dtype)
    logits = as_predictions(probabilities=p, labels=[0, 1]).logits
    p[:] = 1
    assert logits.exp()[0].numpy() == pytest.approx(np.array([[0.75, 0.25], [0.5, 0.5]]))
