"""Thresholds for acting alone with weights and clusters, against sums by hand and simulations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betainc

from arcal.calibration import act_above, selective_accuracy


def effective_number(wrong, weights, of, unseen=0.0):
    """The formula of the docstring, with one more cluster that is wrong throughout."""
    W, E = np.bincount(of, weights), np.bincount(of, weights * wrong)
    more = max((W @ W) / W.sum(), unseen)
    W_more, E_more = np.append(W, more), np.append(E, more)
    r = E_more.sum() / W_more.sum()
    n = r * (1 - r) * W_more.sum() ** 2 / ((E_more - r * W_more) ** 2).sum()
    return min(n * W.sum() / W_more.sum(), weights.sum() ** 2 / (weights @ weights))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000))
def test_a_threshold_is_the_last_that_passes_the_test_of_its_docstring(seed):
    draw = np.random.default_rng(seed)
    N, accuracy = 300, 0.6
    confidence = np.round(draw.uniform(0.5, 1, N), 2)
    right = draw.uniform(size=N) < 2 * confidence - 1 + 0.3
    of, w = draw.integers(0, 150, N), draw.choice([0.0, 1.0, 2.5], N)
    found = act_above(confidence, right, accuracy, weights=w, clusters=of)

    def unseen(some):
        """The weight that may be missing by chance, with m and S m rounded by scipy's beta."""
        V = np.bincount(of, w)
        share = sum(w[i] * V[of[i]] for i in np.flatnonzero(some)) / (V @ V)
        parts = [some[own].mean() for g in range(150) if (own := (of == g) & (w > 0)).any()]
        k, m = np.mean(parts), (V @ V) ** 2 / (V**4).sum()
        chance = betainc(m * (1 - share), m * share + 1, 1 - k) if share < 1 - 1e-9 else 1
        lacks = share < k * (1 - 1e-9) and chance > 0.01
        return (V**3).sum() / (V**2).sum() if lacks else 0.0

    def passes(t):
        some = confidence >= t
        n = effective_number(~right[some], w[some], of[some], unseen(some))
        hits = n * (w * right)[some].sum() / w[some].sum()
        return hits > 0 and betainc(hits, n - hits + 1, accuracy) <= 0.01

    tested = selective_accuracy(confidence, right, points=100, weights=w)
    shown = [passes(t) for t in tested.threshold.tolist()]
    reached = -1
    for start in (0.05, 0.1, 0.2, 0.4, 0.8):
        i = int((tested.coverage < start).sum())
        while i < len(shown) and shown[i]:
            reached, i = max(reached, i), i + 1
    if found is None:
        assert reached == -1
        return
    assert found.confidence == pytest.approx(tested.threshold[reached].item())
    assert found.coverage == pytest.approx(tested.coverage[reached].item())
    some = confidence >= found.confidence
    assert found.n == int((some & (w > 0)).sum())
    assert found.share_right == pytest.approx((w * right)[some].sum() / w[some].sum())


@pytest.mark.parametrize("accuracy", [0.9])
def test_clusters_that_are_right_or_wrong_as_a_whole_seldom_pass_at_a_lower_accuracy(accuracy):
    """Taken as independent, 40 inputs of each would pass in more than a tenth of the draws."""
    draw = np.random.default_rng(0)
    passed = {True: 0, False: 0}
    for _ in range(300):
        of = np.arange(120 * 40) // 40
        right = (draw.uniform(size=120) < accuracy - 0.001)[of]
        for together in (True, False):
            clusters = of if together else None
            passed[together] += (
                act_above(np.ones(len(of)), right, accuracy, clusters=clusters) is not None
            )
    assert passed[True] <= 15
    assert passed[False] > 30


@given(st.integers(0, 10_000))
def test_weighted_shares_are_those_of_repeated_inputs(seed):
    draw = np.random.default_rng(seed)
    confidence, right = draw.integers(1, 6, 40) / 5, draw.uniform(size=40) < 0.6
    often = draw.integers(0, 4, 40)
    often[0] = 1
    one = selective_accuracy(confidence, right, weights=often)
    many = selective_accuracy(confidence.repeat(often), right.repeat(often))
    for name in ("threshold", "coverage", "accuracy"):
        assert getattr(one, name).tolist() == pytest.approx(getattr(many, name).tolist())
    assert (one.low <= many.low + 1e-12).all()
    assert (one.high >= many.high - 1e-12).all()


@pytest.mark.parametrize(
    ("often", "weight", "right", "accuracy"), [(0.01, 30, 0.5, 0.9), (0.003, 40, 0.0, 0.95)]
)
@pytest.mark.parametrize("whole", [False, True], ids=["weights", "clusters"])
def test_a_few_heavy_inputs_that_are_not_among_the_surest_are_not_forgotten(
    often, weight, right, accuracy, whole
):
    """The accuracy is too low at every confidence; more than 40 % of the draws used to pass."""
    draw, passed = np.random.default_rng(0), 0
    for _ in range(60):
        heavy = draw.uniform(size=1000) < often
        correct = draw.uniform(size=1000) < np.where(heavy, right, 0.995)
        confidence = draw.uniform(0.5, 1, 1000)
        w = np.where(heavy, weight, 1)
        if whole:  # clusters of one and of `weight` inputs, right or wrong as a whole
            inputs = np.repeat(np.arange(1000), w)
            found = act_above(confidence[inputs], correct[inputs], accuracy, clusters=inputs)
        else:
            found = act_above(confidence, correct, accuracy, weights=w)
        passed += found is not None
    assert passed <= 8
