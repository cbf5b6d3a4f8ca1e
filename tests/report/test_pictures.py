"""What the pictures show, read off their artists; rendered is only what has to be measured."""

import dataclasses

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.patches import PathPatch

from arcal.auditing import accuracy_interval, reliability, shift_sets
from arcal.report import pictures, reliability_pictures
from arcal.report.names import compare

CLASSES = ("shirt", "coat", "$bag", "<boot>")
TYPES = ("fog", "snow", "frost", "contrast", "pixelate")
SETS = {(type, i): where for type in TYPES for i in (2, 5) for where in shift_sets([f"{type}-{i}"])}


@pytest.fixture(scope="module")
def subjects(maker):
    """Two methods of three runs and one of a single run, under shift and on other data."""
    options = {"sets": list(SETS.values()), "ood": ["first", "second"]}
    return [
        maker.subject(**options),
        maker.subject("ar-adals", {"R": 2}, gap=0.0, **options),
        maker.subject("label-smoothing", gap=0.1, seeds=(4,), **options),
    ]


@pytest.fixture(scope="module")
def compared(subjects, maker):
    return compare(subjects, 10, maker.Z)


@pytest.fixture(scope="module")
def single(maker):
    """Two methods of one run each."""
    runs = [maker.subject(seeds=(0,), sets=list(SETS.values())), maker.subject("adals", seeds=(0,))]
    runs[1] = dataclasses.replace(runs[1], measures=runs[0].measures)
    return compare(runs, 10, maker.Z)


def visible(figure):
    return [axes for axes in figure.axes if axes.get_visible()]


def titles(figure):
    return [axes.get_title() for axes in visible(figure) if axes.get_title()]


def errorbars(axes):
    """The means of what was drawn by `errorbar`, by its label."""
    return {bars.get_label(): bars.lines[0].get_ydata() for bars in axes.containers}


def test_figure_1_shows_the_reference_by_level(compared):
    top, bottom = pictures.figure_1(compared).axes
    levels = compared.subjects[0].levels
    assert top.get_title() == "Vanilla"
    shown = errorbars(top) | errorbars(bottom)
    assert shown["accuracy"] == pytest.approx(levels.accuracy.mean(dim=0).numpy())
    assert shown["confidence"] == pytest.approx(levels.confidence.mean(dim=0).numpy())
    assert shown["ECE"] == pytest.approx(levels.ece.mean(dim=0).numpy())
    assert shown["variance over the runs"] == pytest.approx(levels.variance.numpy())


def test_figure_2_shows_the_others_and_the_ece_and_variance_of_all(compared):
    figure = pictures.figure_2(compared)
    assert titles(figure) == [
        "(a) AR-AdaLS",
        "(b) Label smoothing",
        "(c) ECE",
        "(d) Variance over the runs",
    ]
    *_, ece, variance = figure.axes
    assert set(errorbars(ece)) == {"Vanilla", "AR-AdaLS", "Label smoothing"}
    assert set(errorbars(variance)) == {"Vanilla", "AR-AdaLS"}, "one run has no variance"
    expected = compared.subjects[1].levels
    assert errorbars(ece)["AR-AdaLS"] == pytest.approx(expected.ece.mean(dim=0).numpy())
    assert errorbars(variance)["AR-AdaLS"] == pytest.approx(expected.variance.numpy())


def boxes(axes):
    """Lower and upper end of each box, from what was drawn."""
    drawn = [patch for patch in axes.patches if isinstance(patch, PathPatch)]
    places = [np.asarray(patch.get_path().vertices)[:, 1] for patch in drawn]
    return [(ends.min(), ends.max()) for ends in places]


def test_a_box_is_the_quartiles_of_means_over_runs_and_whiskers_are_the_ends(compared, subjects):
    figure = pictures.shift(compared)
    ece = figure.axes[2]
    assert ece.get_title() == "ECE, single runs"
    assert [label.get_text() for label in ece.get_xticklabels()] == ["clean", "2", "5"]
    drawn = boxes(ece)
    assert len(drawn) == 3 * 2
    vanilla, adaptive, _ = (one.measures for one in subjects)
    by_type = [np.mean([run["ece"] for run in vanilla[SETS[type, 2]].runs]) for type in TYPES]
    assert drawn[0] == pytest.approx(np.percentile(by_type, [25, 75]))
    ends = np.concatenate([np.asarray(line.get_ydata()) for line in ece.lines])
    for end in (np.min(by_type), np.max(by_type), np.median(by_type)):
        assert np.abs(ends - end).min() < 1e-12
    together = boxes(figure.axes[3])
    assert len(together) == 2 * 2, "one run has no ensemble"
    averaged = [adaptive[SETS[type, 5]].ensemble["ece"] for type in TYPES]
    assert together[3] == pytest.approx(np.percentile(averaged, [25, 75]))


def test_in_reliability_diagrams_single_and_ensemble_stand_side_by_side(compared, subjects):
    figure = reliability_pictures.reliability(compared)
    assert titles(figure) == [
        "Vanilla\nseed 0",
        "Vanilla\n3 runs averaged",
        "AR-AdaLS\nseed 0",
        "AR-AdaLS\n3 runs averaged",
        "Label smoothing\nseed 4",
    ]
    _, intervals = figure.axes[0].collections
    assert isinstance(intervals, LineCollection)
    bins = reliability(subjects[0].clean[0])
    low, high = accuracy_interval(bins)
    k = int(bins.count.argmax())
    (drawn,) = [
        segment
        for segment in intervals.get_segments()
        if segment[0][0] == pytest.approx((k + 0.5) / 15)
    ]
    assert drawn[:, 1] == pytest.approx([float(low[k]), float(high[k])])
