import numpy as np
import pytest
from matplotlib.collections import LineCollection
from scipy.stats import binomtest

from arcal.report.reliability import (
    as_bins,
    ensemble_reliability_of,
    interval_of,
    reliability_of,
)
from arcal.report.reliability_pictures import ensembles, reliability
from arcal.report.study import study


def test_each_run_has_its_own_bins_and_the_ensemble_the_mean_probability(made):
    runs = made.runs(seeds=(0, 1))
    first, second = reliability_of(runs)
    together = ensemble_reliability_of(runs)
    assert together is not None
    assert first.count.sum() == second.count.sum() == together.count.sum() == made.N
    p = np.mean([found.log_probabilities.exp().numpy() for found in runs.predictions], axis=0)
    top, right = p.max(1), p.argmax(1) == runs.predictions[0].labels.numpy()
    inside = (top > 10 / 15) & (top <= 11 / 15)
    assert together.count[10] == inside.sum()
    assert float(together.accuracy[10]) == pytest.approx(right[inside].mean())
    assert ensemble_reliability_of(made.runs(seeds=(0,))) is None


def test_the_interval_of_a_bin_is_scipys_exact_one(made):
    (found,) = reliability_of(made.runs(seeds=(0,)))
    low, high = interval_of(found)
    for k in range(15):
        if found.count[k] == 0:
            assert low[k].isnan()
            continue
        exact = binomtest(int(found.correct_sums[k]), int(found.count[k])).proportion_ci()
        assert (float(low[k]), float(high[k])) == pytest.approx(tuple(exact), abs=1e-9)
    bins = as_bins([found, found])
    assert bins is not None
    assert [len(bins["low"]), len(bins["low"][0])] == [2, 15]
    assert as_bins(None) is None


def shown(figure):
    return [axes.get_title() for axes in figure.axes if axes.get_visible()]


def test_single_and_ensemble_stand_side_by_side(made):
    runs = [made.runs(), made.runs("adals", gap=0.0, seeds=(4,))]
    figure = reliability(study(runs, 10, made.Z))
    titles = [title for title in shown(figure) if title]
    assert titles == ["Vanilla\nseed 0", "Vanilla\n3 runs averaged", "AdaLS\nseed 4"]
    _, intervals = figure.axes[0].collections
    assert isinstance(intervals, LineCollection)
    (first, *_) = reliability_of(runs[0])
    low, high = interval_of(first)
    k = int(first.count.argmax())
    drawn = [
        segment
        for segment in intervals.get_segments()
        if segment[0][0] == pytest.approx((k + 0.5) / 15)
    ]
    assert drawn[0][:, 1] == pytest.approx([float(low[k]), float(high[k])])


def test_single_runs_stand_beside_each_other(made):
    runs = [made.runs(seeds=(0,)), made.runs("adals", gap=0.0, seeds=(0,))]
    titles = [title for title in shown(reliability(study(runs, 10, made.Z))) if title]
    assert titles == ["Vanilla\nseed 0", "AdaLS\nseed 0"]


def test_confidence_and_accuracy_of_single_runs_and_ensembles(made):
    runs = [made.runs(), made.runs("adals", gap=0.0, seeds=(4,))]
    (axes,) = ensembles(study(runs, 10, made.Z)).axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["Vanilla: single", "ensemble"], "one run has no ensemble"
    squares = [np.asarray(line.get_xdata())[0] for line in axes.lines if line.get_marker() == "s"]
    mean = np.mean([one["confidence"] for one in runs[0].figures["test"]])
    assert squares == pytest.approx([mean, runs[0].ensemble["test"]["confidence"]])
