"""Logits are told from probabilities."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from arcal.logits import are_probabilities


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@given(seed=st.integers(0, 99), classes=st.integers(2, 300))
def test_a_softmax_is_recognised_in_every_precision(dtype, seed, classes):
    logits = 4 * torch.randn(3, classes, generator=torch.Generator().manual_seed(seed))
    rounded = logits.softmax(dim=1).to(dtype)
    sums = (rounded.double().sum(dim=1) - 1).abs()
    assert are_probabilities(rounded) == bool((sums <= 1e-3).all())
    assert not are_probabilities(logits.to(dtype))
    if dtype in (torch.float32, torch.float64):
        assert are_probabilities(rounded)


@pytest.mark.parametrize(
    "logits",
    [
        torch.zeros(3, 4),
        torch.ones(3, 4),
        torch.zeros(0, 4),
        torch.ones(3, 1),
        torch.tensor([[0.5, 0.5], [0.5, 0.6]]),
        torch.tensor([[0.5, torch.nan]]),
        torch.tensor([[1.0, -torch.inf]]),
        torch.tensor([[1.5, -0.5]]),
    ],
)
def test_what_is_no_softmax(logits):
    assert not are_probabilities(logits)
