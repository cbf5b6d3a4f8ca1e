import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy
from sklearn.metrics import roc_auc_score

from arcal.calibration import auroc, entropy
from arcal.calibration.ood import entropy_shares
from arcal.errors import ArcalError

FEW = st.sampled_from([0.0, -0.0, 0.1, 0.25, 0.5, 1.0, -3.0])  # many ties
ANY = st.floats(-1e30, 1e30) | FEW
WITH_INFINITIES = ANY | st.sampled_from([math.inf, -math.inf])


def some(values):
    return st.lists(values, min_size=1, max_size=40).map(
        lambda found: torch.tensor(found, dtype=torch.float64)
    )


def as_sklearn(inside, outside):
    labels = np.r_[np.ones(len(inside)), np.zeros(len(outside))]
    return labels, torch.cat([inside, outside]).double().numpy()


def test_entropy_is_scipys_and_exact_at_its_ends():
    generator = torch.Generator().manual_seed(0)
    logits = 5 * torch.randn(300, 7, generator=generator, dtype=torch.float64)
    found = entropy(logits.log_softmax(1))
    assert found.dtype == torch.float64
    expected = scipy_entropy(logits.softmax(1).numpy(), axis=1)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-10)

    one_hot = torch.eye(4).log()  # -inf where the probability is 0
    assert entropy(one_hot).tolist() == [0.0] * 4
    half = torch.tensor([[0.5, 0.5, 0.0]]).log()
    assert entropy(half).item() == pytest.approx(math.log(2), rel=1e-7)
    uniform = torch.zeros(2, 1000).log_softmax(1)
    assert entropy(uniform).tolist() == pytest.approx([math.log(1000)] * 2, rel=1e-6)
    assert entropy(torch.zeros(0, 3)).shape == (0,)


@settings(deadline=None, max_examples=80)
@given(some(ANY), some(ANY))
def test_auroc_is_scikit_learns(inside, outside):
    labels, scores = as_sklearn(inside, outside)
    assert auroc(inside, outside) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


@settings(deadline=None, max_examples=80)
@given(some(WITH_INFINITIES), some(WITH_INFINITIES))
def test_auroc_is_the_share_of_pairs(inside, outside):
    """The definition itself, which takes infinities where scikit-learn does not."""
    above, equal = inside[:, None] > outside, inside[:, None] == outside
    pairs = (2 * above.sum() + equal.sum()).item() / (2 * above.numel())
    assert auroc(inside, outside) == pairs
    assert auroc(-inside, -outside) == pytest.approx(1 - pairs, abs=1e-15)
    assert auroc(inside, inside) == 0.5


def test_weights_of_whole_numbers_are_scores_that_are_there_as_often():
    inside, outside = torch.tensor([0.9, 1.0, 0.2, 0.1]), torch.tensor([0.2, 0.9, 0.1])
    weights = torch.tensor([0, 3, 1, 2])
    repeated = inside.repeat_interleave(weights)
    weighted = auroc(inside, outside, weights=weights)
    assert weighted == pytest.approx(auroc(repeated, outside), abs=1e-15)
    shares = entropy_shares(inside, Z=3, bins=4, weights=weights)
    assert shares.tolist() == pytest.approx(entropy_shares(repeated, Z=3, bins=4).tolist())


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 1000), st.integers(1, 60), st.integers(0, 10_000))
def test_shares_are_numpys_histogram(Z, bins, seed):
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(200, generator=generator, dtype=torch.float64) * math.log(Z)
    values[0], values[1], values[2] = 0, math.log(Z), math.log(Z) / 2
    found = entropy_shares(values, Z, bins)
    edges = torch.linspace(0, math.log(Z), bins + 1, dtype=torch.float64)
    expected, _ = np.histogram(values.numpy(), bins=edges.numpy())
    assert (200 * found).round().tolist() == expected.tolist()
    assert found.sum().item() == pytest.approx(1)


ONE = torch.ones(1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: auroc(torch.zeros(0), ONE), "scores_in is empty"),
        (lambda: auroc(ONE, torch.zeros(0)), "scores_out is empty"),
        (lambda: auroc(ONE, torch.tensor([0, math.nan])), "scores_out is nan at 1"),
        (
            lambda: auroc(torch.ones(2, 3), ONE),
            r"scores_in must be real numbers of shape \(N,\), not .*2, 3",
        ),
        (lambda: auroc(ONE, torch.tensor(1.0)), "scores_out must be real numbers of shape"),
        (lambda: auroc(ONE, torch.tensor([1j])), "scores_out is .* of real numbers"),
        (lambda: entropy(torch.zeros(3)), "shape"),
        (lambda: entropy(torch.zeros(1, 3)), "pass a log-softmax"),
        (lambda: entropy(torch.full((1, 2), 0.5)), "pass a log-softmax"),
        (lambda: entropy(torch.full((1, 2), math.nan)), "nan"),
        (lambda: entropy_shares(torch.tensor([0.5, 0.8]), 2), r"\[0, log 2\].*found 0.8"),
        (lambda: entropy_shares(torch.tensor([-0.1]), 2), "found -0.1"),
        (lambda: entropy_shares(torch.tensor([math.nan]), 2), "entropy is nan at 0"),
        (lambda: entropy_shares(torch.zeros(2, 2), 2), "shape"),
        (lambda: entropy_shares(ONE * 0, 1), "Z >= 2"),
        (lambda: entropy_shares(ONE * 0, 2, bins=0), "bins >= 1"),
    ],
)
def test_bad_input_is_one_line(call, message):
    with pytest.raises(ArcalError, match=message) as error:
        call()
    assert "\n" not in str(error.value)
