"""The probability of a class against its frequency."""

import numpy as np
import pytest
import torch
from sklearn.calibration import calibration_curve as sklearn_curve

from arcal.auditing import as_predictions, calibration_curve, class_probability
from arcal.calibration import ClassWise, class_wise_ece, clopper_pearson
from arcal.errors import ArcalError


def rare(N=3000, seed=0, power=1.0):
    """Probabilities of a class of some 3 % of inputs that are right, but for a power."""
    random = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-random.normal(-5, 2, N)))
    return p**power, random.random(N) < p


@pytest.mark.parametrize(
    ("binning", "strategy", "bins"), [("width", "uniform", 15), ("mass", "quantile", 10)]
)
def test_the_curve_is_that_of_scikit_learn(binning, strategy, bins):
    p, positive = rare()
    frequency, probability = sklearn_curve(positive, p, n_bins=bins, strategy=strategy)
    curve = calibration_curve(p, positive, bins=bins, binning=binning)
    assert [one.frequency.value for one in curve] == pytest.approx(frequency, rel=1e-13)
    assert [one.probability for one in curve] == pytest.approx(probability, rel=1e-13)


def test_bins_of_equal_mass_have_equally_many_inputs_and_exact_intervals():
    p, positive = rare(3001)
    curve = calibration_curve(p, positive)
    assert {one.n for one in curve} <= {200, 201}
    assert sum(one.n for one in curve) == 3001
    assert (curve[0].low, curve[-1].high) == (0.0, 1.0)
    for one in curve:
        inside = (p > one.low) & (p <= one.high)
        assert one.n == inside.sum()
        ends = clopper_pearson(torch.tensor(int(positive[inside].sum())), torch.tensor(one.n))
        assert (one.frequency.low, one.frequency.high) == pytest.approx([e.item() for e in ends])
        assert one.gap.value == pytest.approx(p[inside].mean() - positive[inside].mean())


def test_equal_probabilities_share_a_bin_also_if_rounding_tells_them_apart():
    p = np.repeat([0.0, 0.3, 0.6], [60, 20, 20])
    p[25:60] = 0
    p[80:90] = np.exp(np.log(0.6))
    p[90:] = np.nextafter(0.6, 1)
    for binning in ("mass", "width"):
        curve = calibration_curve(p, p > 0.5, binning=binning)
        assert [one.n for one in curve] == [60, 20, 20]


def test_weights_count_as_often_as_inputs_do():
    p, positive = rare(600)
    often = np.random.default_rng(1).integers(0, 4, 600)
    weighted = calibration_curve(p, positive, weights=often.astype(float), bins=5)
    repeated = calibration_curve(p.repeat(often), positive.repeat(often), bins=5)
    for one, other in zip(weighted, repeated, strict=True):
        assert one.probability == pytest.approx(other.probability)
        assert one.frequency.value == pytest.approx(other.frequency.value)
    alike = calibration_curve(p, positive, weights=np.full(600, 2.5))
    for one, other in zip(alike, calibration_curve(p, positive), strict=True):
        assert one.frequency.high == pytest.approx(other.frequency.high)


def predictions(power=1.0, N=3000):
    p, positive = rare(N, power=power)
    return as_predictions(probabilities=np.stack([1 - p, p], axis=1), labels=positive.astype(int))


def test_in_the_large_and_the_class_wise_ece():
    said = predictions(power=0.5)
    one = class_probability(said, resamples=50)
    p, labels = said.log_probabilities.exp(), said.labels
    assert one.probability == pytest.approx(p[:, 1].mean().item())
    assert one.frequency.value == pytest.approx(labels.double().mean().item())
    assert one.gap.low == pytest.approx(one.probability - one.frequency.high)
    assert one.ece.value == pytest.approx(ClassWise(2).update(p, labels).per_class[1].item())
    assert one.ece.value == pytest.approx(class_wise_ece(p, labels))
    assert one.verdict == "over-confident"
    assert one.ece.low > one.ece_if_calibrated.high


def test_inputs_are_in_the_bins_that_count_them():
    p, positive = rare()
    probabilities = np.stack([1 - p, p], axis=1)
    predictions = as_predictions(probabilities=probabilities, labels=positive.astype(int))
    one = class_probability(predictions, resamples=50)
    for bins, numbers in zip(
        (one.bins, one.bins_of_equal_width), one.bins_of(predictions).unbind(1), strict=True
    ):
        assert numbers.bincount().tolist() == [each.n for each in bins]


def test_the_first_class_mirrors_the_second():
    second, first = (class_probability(predictions(0.5), z, resamples=20) for z in (1, 0))
    assert first.gap.value == pytest.approx(-second.gap.value)
    assert first.verdict == "under-confident"


def test_a_curve_that_only_the_mean_hides_is_told_from_the_bins():
    p = np.repeat([0.01, 0.2], 2000)
    positive = np.concatenate([np.arange(2000) < 120, np.arange(2000) < 300])
    said = as_predictions(probabilities=np.stack([1 - p, p], axis=1), labels=positive.astype(int))
    one = class_probability(said, resamples=20)
    assert one.verdict == "not shown"
    assert [each.verdict for each in one.bins] == ["under-confident", "over-confident"]
    assert one.miscalibrated


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (([0.5], [1]), {}, "correct must be 1 booleans"),
        (([], torch.zeros(0, dtype=torch.bool)), {}, "there are no inputs"),
        (([1.5], [True]), {}, "must lie in"),
        (([0.5], [True]), {"binning": "size"}, "'mass' or 'width', not 'size'"),
        (([0.5], [True]), {"bins": 0}, "bins must be at least 1"),
        (([0.5], [True]), {"weights": [-1.0]}, "weights must be 0 or more"),
    ],
)
def test_bad_input_is_refused(arguments, options, words):
    with pytest.raises(ArcalError, match=words):
        calibration_curve(*arguments, **options)
