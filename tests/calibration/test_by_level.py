import math

import numpy as np
import pytest
import torch

from arcal.calibration import by_level, ece, mean_by_level
from arcal.errors import ArcalError

R, Z = 6, 4
EMPTY = 3


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(0)
    confidence = torch.rand(400, generator=generator, dtype=torch.float64) ** 0.5
    correct = torch.rand(400, generator=generator) < 0.8
    levels = torch.randint(R - 1, (400,), generator=generator)
    levels[levels >= EMPTY] += 1
    labels = torch.randint(Z, (400,), generator=generator)
    return confidence, correct, levels, labels


def test_is_a_loop_over_levels(inputs):
    confidence, correct, levels, labels = inputs
    result = by_level(confidence, correct, levels, R, labels=labels, classes=Z)
    assert result.class_histogram is not None
    p, c, r, y = (t.numpy() for t in inputs)
    for level in set(range(R)) - {EMPTY}:
        i = r == level
        assert result.count[level] == i.sum()
        assert result.accuracy[level].item() == pytest.approx(c[i].mean(), abs=1e-14)
        assert result.confidence[level].item() == pytest.approx(p[i].mean(), abs=1e-14)
        assert result.gap[level].item() == pytest.approx(p[i].mean() - c[i].mean(), abs=1e-14)
        expected = ece(confidence[i], correct[i])
        assert result.ece[level].item() == pytest.approx(expected, abs=1e-12)
        wrong = (i & ~c).sum() / (~c).sum()
        assert result.misclassified[level].item() == pytest.approx(wrong, abs=1e-12)
        assert result.class_histogram[level].tolist() == [(y[i] == z).sum() for z in range(Z)]


def test_an_empty_level_is_nan_and_holds_no_errors(inputs):
    confidence, correct, levels, labels = inputs
    result = by_level(confidence, correct, levels, R, labels=labels)
    assert result.class_histogram is not None
    for figure in (result.accuracy, result.confidence, result.ece, result.gap):
        assert figure.dtype == torch.float64
        assert figure.isnan().nonzero().flatten().tolist() == [EMPTY]
    assert result.count[EMPTY] == 0
    assert result.misclassified[EMPTY] == 0
    assert result.class_histogram[EMPTY].tolist() == [0] * Z


def test_mean_by_level_averages_anything(inputs):
    levels = inputs[2]
    values = torch.linspace(-5, 8, 400, dtype=torch.float64)
    result = mean_by_level(values, levels, R)
    for level in range(R):
        chosen = values.numpy()[levels.numpy() == level]
        expected = np.mean(chosen) if len(chosen) else math.nan
        assert result[level].item() == pytest.approx(expected, abs=1e-13, nan_ok=True)
    assert mean_by_level(values[:0], levels[:0], R).isnan().all()


def test_refuses_bad_input(inputs):
    confidence, correct, levels, labels = inputs
    with pytest.raises(ArcalError, match=r"levels must be 0 \.\. 4, found 5"):
        by_level(confidence, correct, levels, R - 1)
    with pytest.raises(ArcalError, match="levels must be 0"):
        by_level(confidence, correct, levels - 1, R)
    with pytest.raises(ArcalError, match="levels must be integers"):
        by_level(confidence, correct, levels.double(), R)
    with pytest.raises(ArcalError, match="levels must have shape"):
        by_level(confidence, correct, levels[1:], R)
    with pytest.raises(ArcalError, match=r"labels must be 0 \.\. 1"):
        by_level(confidence, correct, levels, R, labels=labels, classes=2)
    with pytest.raises(ArcalError, match="labels must have shape"):
        by_level(confidence, correct, levels, R, labels=labels[1:])
    with pytest.raises(ArcalError, match="labels must have shape"):
        by_level(confidence, correct, levels, R, labels=labels[:0])
    with pytest.raises(ArcalError, match="nan"):
        by_level(confidence * math.nan, correct, levels, R)
    with pytest.raises(ArcalError, match="no inputs"):
        by_level(confidence[:0], correct[:0], levels[:0], R)
    with pytest.raises(ArcalError, match="shape"):
        mean_by_level(confidence[:, None], levels, R)
