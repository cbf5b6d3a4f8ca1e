import math

import numpy as np
import pytest
import torch
from sklearn.metrics import brier_score_loss, log_loss

from arcal.calibration import brier, nll
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


def test_nll_does_not_underflow_where_probabilities_would():
    logits = torch.tensor([[0.0, 2000.0]])
    assert logits.double().softmax(1)[0, 0] == 0
    assert nll(logits.log_softmax(1), torch.tensor([0])) == 2000


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
