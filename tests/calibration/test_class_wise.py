import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.classification import binary_calibration_error

from arcal.calibration import ClassWise, class_wise_ece
from arcal.errors import ArcalError


def by_the_formula(probabilities, labels, K=15):
    """1/Z sum over z, k of |B_zk|/N |frequency of z in B_zk - mean probability of z in B_zk|."""
    N, Z = probabilities.shape
    total = 0.0
    for z in range(Z):
        p, is_z = probabilities[:, z], labels == z
        for k in range(K):
            B = (p > k / K) & (p <= (k + 1) / K)
            if k == 0:
                B |= p == 0
            if B.any():
                total += B.sum() / N * abs(is_z[B].mean() - p[B].mean()) / Z
    return total


def draw(n, Z=10, seed=0, dtype=torch.float32, scale=4.0):
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(n, Z, generator=generator, dtype=dtype)
    labels = (logits / 2).softmax(1).multinomial(1, generator=generator)[:, 0]  # over-confident
    return logits.softmax(1), labels


@pytest.mark.parametrize("K", [1, 2, 15, 100])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_is_the_formula(K, dtype):
    probabilities, labels = draw(2000, dtype=dtype)
    assert class_wise_ece(probabilities, labels, K) == pytest.approx(
        by_the_formula(probabilities.double().numpy(), labels.numpy(), K), abs=2**-31
    )


def test_agrees_with_torchmetrics_class_by_class():
    probabilities, labels = draw(5000, scale=2)  # no 1.0, which is where conventions differ
    per_class = ClassWise(10).update(probabilities, labels).per_class
    for z in range(10):
        peer = binary_calibration_error(probabilities.T[z].clone(), (labels == z).int(), n_bins=15)
        assert per_class[z].item() == pytest.approx(peer.item(), abs=1e-6)
    assert class_wise_ece(probabilities, labels) == per_class.mean() > 0.01


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_streaming_is_one_shot_to_the_bit_in_any_order(dtype):
    """Probabilities down to 1e-20, and float64 ones, too."""
    probabilities, labels = draw(20_000, dtype=dtype, scale=10)
    assert probabilities.min() < 1e-20
    whole = ClassWise(10).update(probabilities, labels)
    parts = [
        ClassWise(10).update(p, y)
        for p, y in zip(probabilities.split(777), labels.split(777), strict=True)
    ]
    forward, backward = ClassWise(10), ClassWise(10)
    for part in parts:
        assert forward.merge(part) is forward
    for part in reversed(parts):
        backward.merge(part)
    at = torch.randperm(20_000, generator=torch.Generator().manual_seed(0))
    shuffled = ClassWise(10).update(probabilities[at], labels[at])
    for other in (forward, backward, shuffled):
        assert torch.equal(other.count, whole.count)
        assert torch.equal(other.label_sums, whole.label_sums)
        assert torch.equal(other.probability_sums, whole.probability_sums)
        assert other.ece == whole.ece
    assert int(parts[0].count.sum()) == 7770  # left as they were


@settings(deadline=None, max_examples=50)
@given(
    st.integers(0, 99), st.integers(1, 30), st.integers(1, 4), st.integers(1, 20), st.integers(1, 9)
)
def test_properties(seed, N, Z, K, size):
    probabilities, labels = draw(N, Z, seed, torch.float64)
    value = class_wise_ece(probabilities, labels, K)
    assert 0 <= value <= 1
    assert value == pytest.approx(
        by_the_formula(probabilities.numpy(), labels.numpy(), K), abs=1e-9
    )
    at = torch.randperm(Z, generator=torch.Generator().manual_seed(seed))
    renamed = class_wise_ece(probabilities[:, at], at.argsort()[labels], K)
    assert renamed == pytest.approx(value, abs=1e-15)  # the sum over classes rounds
    streamed = ClassWise(Z, K)
    for p, y in zip(probabilities.split(size), labels.split(size), strict=True):
        streamed.merge(ClassWise(Z, K).update(p, y))
    assert streamed.ece == value
    frequency = torch.bincount(labels, minlength=Z).double() / N
    gap = (probabilities.mean(0) - frequency).abs().mean().item()
    assert class_wise_ece(probabilities, labels, 1) == pytest.approx(gap, abs=1e-9)


@pytest.mark.parametrize(
    ("probabilities", "labels", "bins", "message"),
    [
        ([[3.0, -1.0]], [0], 15, "softmax"),
        ([[0.9, 0.9]], [0], 15, "sum to 1"),
        ([[0.5, math.nan]], [0], 15, "nan"),
        ([0.5, 0.5], [0], 15, "shape"),
        ([[0.5, 0.5]], [2], 15, "0 .. 1"),
        ([[0.5, 0.5]], [0.0], 15, "integers"),
        ([[0.5, 0.5]], [0, 1], 15, "shape"),
        ([[0.5, 0.5]], [0], 0, "bins"),
    ],
)
def test_refuses_bad_input_in_one_line(probabilities, labels, bins, message):
    with pytest.raises(ArcalError, match=message) as error:
        class_wise_ece(torch.tensor(probabilities), torch.tensor(labels), bins)
    assert "\n" not in str(error.value)
