import numpy as np
import pytest
import torch

from arcal.calibration import churn, variance
from arcal.errors import ArcalError


def draw(M=5, N=80, Z=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(M, N, Z, generator=generator, dtype=torch.float64)).softmax(-1)


def test_three_readings_are_loops_over_numpy():
    probabilities = draw()
    result = variance(probabilities)
    p = probabilities.numpy()
    all_classes, fixed_class, own_maximum = [], [], []
    for i in range(p.shape[1]):
        all_classes.append(sum(np.var(p[:, i, z], ddof=1) for z in range(p.shape[2])))
        fixed_class.append(np.var(p[:, i, np.mean(p[:, i], axis=0).argmax()], ddof=1))
        own_maximum.append(np.var([p[m, i].max() for m in range(p.shape[0])], ddof=1))
    np.testing.assert_allclose(result.all_classes_per_input, all_classes, rtol=1e-12)
    np.testing.assert_allclose(result.fixed_class_per_input, fixed_class, rtol=1e-12)
    np.testing.assert_allclose(result.own_maximum_per_input, own_maximum, rtol=1e-12)
    assert result.all_classes == pytest.approx(np.mean(all_classes), rel=1e-12)
    assert result.fixed_class == pytest.approx(np.mean(fixed_class), rel=1e-12)
    assert result.own_maximum == pytest.approx(np.mean(own_maximum), rel=1e-12)
    readings = (result.all_classes, result.fixed_class, result.own_maximum)
    assert len({round(r, 4) for r in readings}) == 3


def test_runs_that_disagree_with_equal_confidence():
    """Two certain runs, one class each: p-bar = (1/2, 1/2), so 4 x 1/4 over M - 1 = 1."""
    result = variance(torch.eye(2)[:, None])
    assert result.all_classes == 1
    assert result.fixed_class == 0.5
    assert result.own_maximum == 0


def test_churn_counts_pairs():
    predictions = torch.tensor([[0, 1, 2, 3], [0, 1, 2, 0], [0, 2, 2, 0]])
    assert churn(predictions) == pytest.approx((1 / 4 + 2 / 4 + 1 / 4) / 3)
    assert churn(predictions[:1].expand(3, -1)) == 0
    assert churn(torch.tensor([[0, 1], [1, 0]])) == 1


def test_refuses_bad_input():
    with pytest.raises(ArcalError, match="at least two runs, found 1"):
        variance(draw(M=1))
    with pytest.raises(ArcalError, match="no inputs"):
        variance(draw()[:, :0])
    with pytest.raises(ArcalError, match=r"\(M, N, Z\)"):
        variance(draw()[0])
    with pytest.raises(ArcalError, match="softmax"):
        variance(draw().log())
    with pytest.raises(ArcalError, match="at least two runs, found 1"):
        churn(torch.zeros(1, 5, dtype=torch.int64))
    with pytest.raises(ArcalError, match="no inputs"):
        churn(torch.zeros(2, 0, dtype=torch.int64))
    with pytest.raises(ArcalError, match=r"\(M, N\)"):
        churn(torch.zeros(5, dtype=torch.int64))
    with pytest.raises(ArcalError, match="integers"):
        churn(torch.zeros(2, 5))
