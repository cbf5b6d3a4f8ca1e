"""Smooth ECE against its definition, closed forms, and the figures of another library."""

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.stats import norm

from arcal.calibration import smooth_ece
from arcal.calibration.draws import chance
from arcal.calibration.smooth import smooth_ece_by_chance


def direct(confidence, correct, weights=None, T=800):
    """The definition, at T points, with reflections that reach beyond four on either side."""
    f, y = np.asarray(confidence, float), np.asarray(correct, float)
    w = np.ones(len(f)) if weights is None else np.asarray(weights, float)
    residual, t = w * (y - f) / w.sum(), (np.arange(T)[:, None] + 0.5) / T
    images = [2 * k + sign * f for k in range(-2, 3) for sign in (1, -1)]

    def error(s):
        return np.abs(sum(norm.pdf(t, image, s) @ residual for image in images)).mean()

    return brentq(lambda s: error(s) - s, 1e-4, 1.5, xtol=1e-9)


def draw(n, seed, slope):
    generator = torch.Generator().manual_seed(seed)
    confidence = torch.rand(n, generator=generator, dtype=torch.float64) ** 0.3
    return confidence, torch.rand(n, generator=generator, dtype=torch.float64) < slope * confidence


def fixed(N, slope):
    """Rows without a random generator: multiples of two irrational numbers."""
    i = np.arange(N)
    confidence = 0.5 + 0.5 * ((i * 0.6180339887498949) % 1) ** 0.5
    return torch.tensor(confidence), torch.tensor((i * 0.7548776662466927) % 1 < slope * confidence)


@pytest.mark.parametrize(("n", "slope"), [(20, 0.5), (60, 1.0), (80, 0.9), (60, 0.0)])
def test_is_the_definition(n, slope):
    rows = draw(n, 0, slope)
    assert smooth_ece(*rows) == pytest.approx(direct(*rows), abs=5e-6)


def test_is_the_definition_with_weights():
    confidence, correct = draw(60, 1, 0.95)
    weights = torch.arange(60) % 5
    found = smooth_ece(confidence, correct, weights=weights)
    assert found == pytest.approx(direct(confidence, correct, weights), abs=5e-6)
    repeated = confidence.repeat_interleave(weights), correct.repeat_interleave(weights)
    assert found == pytest.approx(smooth_ece(*repeated), abs=1e-8)


@pytest.mark.parametrize(
    ("N", "slope", "figure"),
    [
        (50, 0.5, 0.404844),
        (400, 1.0, 0.020118),
        (400, 0.9, 0.076304),
        (2000, 0.8, 0.166550),
        (5000, 1.05, 0.038249),
        (1000, 0.0, 0.833109),
    ],
)
def test_agrees_with_relplot(N, slope, figure):
    """`relplot.smECE(confidence, correct)` of relplot 1.0.3 (PyPI), run once on these rows.

    It looks for the bandwidth in steps of 1/1024 and sums over 200 points or a few more.
    """
    assert smooth_ece(*fixed(N, slope)) == pytest.approx(figure, abs=1e-3)


def test_smooth_eces_by_chance_are_those_of_labels_drawn_by_the_confidences():
    confidence = torch.rand(60, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weights = torch.arange(60) % 3 + 1
    draws = smooth_ece_by_chance(confidence, weights=weights, resamples=30, seed=4)
    right = torch.cat(list(chance(confidence, 30, seed=4)), dim=1)
    expected = [smooth_ece(confidence, one, weights=weights) for one in right.T]
    assert draws.tolist() == pytest.approx(expected, abs=1e-7)
