import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss

from arcal.calibration import brier, entropy, nll
from arcal.errors import ArcalError


def draw(N=500, Z=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(N, Z, generator=generator, dtype=torch.float64)
    return logits, torch.randint(Z, (N,), generator=generator)


def test_nll_is_the_log_loss_of_scikit_learn():
    logits, labels = draw()
    expected = log_loss(labels.numpy(), logits.softmax(1).numpy(), labels=range(7))
    assert nll(logits.log_softmax(1), labels) == pytest.approx(expected, rel=1e-12)


def test_brier_is_the_formula_and_twice_scikit_learns_for_two_classes():
    logits, labels = draw()
    p = logits.softmax(1)
    expected = np.mean(
        [
            sum((p[i, z].item() - (labels[i].item() == z)) ** 2 for z in range(7))
            for i in range(len(labels))
        ]
    )
    assert brier(p, labels) == pytest.approx(expected, rel=1e-12)

    logits, labels = draw(Z=2)
    p = logits.softmax(1)
    one_class = brier_score_loss(labels.numpy(), p[:, 1].numpy())
    assert brier(p, labels) == pytest.approx(2 * one_class, rel=1e-12)


def test_closed_forms():
    labels = torch.tensor([0, 3, 2, 1])
    uniform = torch.full((4, 4), 0.25)
    assert nll(uniform.log(), labels) == pytest.approx(math.log(4), rel=1e-6)
    assert brier(uniform, labels) == 0.75
    certain = torch.eye(4)[labels]
    assert brier(certain, labels) == 0
    assert nll(certain.log(), labels) == 0
    assert brier(certain, (labels + 1) % 4) == 2


def test_a_true_class_called_impossible_costs_infinity():
    log_probabilities = torch.tensor([[0.5, 0.5], [1.0, 0.0]]).log()
    assert nll(log_probabilities, torch.tensor([0, 1])) == math.inf


def test_nll_of_the_certain_has_no_sign():
    assert str(nll(torch.tensor([[1.0, 0.0]]).log(), torch.tensor([0]))) == "0.0"


def test_nll_does_not_underflow_where_probabilities_would():
    logits = torch.tensor([[0.0, 2000.0]])
    assert logits.double().softmax(1)[0, 0] == 0
    assert nll(logits.log_softmax(1), torch.tensor([0])) == 2000


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_the_true_distribution_scores_best(seed, Z):
    """Propriety: with labels in proportion n_z, no forecast beats n_z / N."""
    generator = torch.Generator().manual_seed(seed)
    n = torch.randint(1, 9, (Z,), generator=generator)
    labels = torch.arange(Z).repeat_interleave(n)
    truth = (n.double() / n.sum()).expand(len(labels), Z)
    other = torch.rand(Z, generator=generator, dtype=torch.float64) + 1e-3
    other = (other / other.sum()).expand(len(labels), Z)
    assert nll(truth.log(), labels) <= nll(other.log(), labels) + 1e-12
    assert brier(truth, labels) <= brier(other, labels) + 1e-12
    assert 0 <= brier(other, labels) <= 2


@pytest.mark.parametrize("p", [[0.33, 0.33, 0.33], [0.34, 0.34, 0.33]])
def test_rows_of_two_decimals_may_sum_to_99_or_101_hundredths(p):
    expected = (1 - p[0]) ** 2 + p[1] ** 2 + p[2] ** 2
    assert brier([p], [0]) == pytest.approx(expected)
    with pytest.raises(ArcalError, match="sum to 1"):
        brier([[0.33, 0.33, 0.32]], [0])


@pytest.mark.parametrize("score", [nll, brier])
def test_refuses_bad_input_in_one_line(score):
    one_label = torch.tensor([0])
    for values, labels, message in [
        (torch.tensor([[3.0, -1.0]]), one_label, "softmax"),
        (torch.tensor([[math.nan, 0.0]]), one_label, "nan"),
        (torch.tensor([0.0, 0.0]), one_label, "shape"),
        (draw()[0].softmax(1) * 0.9, draw()[1], "sum to 1|softmax"),
        (torch.zeros(0, 3), one_label[:0], "no inputs"),
        (torch.ones(2, 1), torch.zeros(3, dtype=torch.int64), "shape|softmax"),
    ]:
        with pytest.raises(ArcalError, match=message) as error:
            score(values, labels)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("label", [-1, 2, -100])
def test_labels_out_of_range_are_refused(label):
    p = torch.full((1, 2), 0.5)
    with pytest.raises(ArcalError, match=r"must be 0 \.\. 1"):
        nll(p.log(), torch.tensor([label]))
    with pytest.raises(ArcalError, match=r"must be 0 \.\. 1"):
        brier(p, torch.tensor([label]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_coarse_log_softmax_of_many_classes_is_one(dtype):
    logits = torch.randn(50, 1000, generator=torch.Generator().manual_seed(0)) / 10
    labels = torch.arange(50)
    log_p = logits.log_softmax(1)
    assert nll(log_p.to(dtype), labels) == pytest.approx(nll(log_p, labels), rel=2e-3)
    assert torch.allclose(entropy(log_p.to(dtype)), entropy(log_p), rtol=2e-3)
