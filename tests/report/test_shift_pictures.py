import numpy as np
import pytest
from matplotlib.patches import PathPatch

from arcal.report.shift_pictures import shift, variance
from arcal.report.study import study

TYPES = ("fog", "snow", "frost", "contrast", "pixelate")
SETS = ("test", *(f"test-{type}-{i}" for type in TYPES for i in (2, 5)))


def boxes(axes):
    """Lower and upper end of each box, and all ends of whiskers, from what was drawn."""
    drawn = [patch for patch in axes.patches if isinstance(patch, PathPatch)]
    found = [np.asarray(patch.get_path().vertices)[:, 1] for patch in drawn]
    return [(ends.min(), ends.max()) for ends in found]


@pytest.fixture
def compared(made):
    runs = [
        made.runs(sets=SETS),
        made.runs("ar-adals", {"R": 2}, gap=0.0, sets=SETS),
        made.runs("label-smoothing", gap=0.1, sets=SETS, seeds=(0,)),
    ]
    return study(runs, 10, made.Z), runs


def test_a_box_is_the_quartiles_of_means_over_runs_and_whiskers_are_the_ends(compared):
    found, runs = compared
    figure = shift(found)
    ece = figure.axes[2]
    assert ece.get_title() == "ECE, single runs"
    assert [label.get_text() for label in ece.get_xticklabels()] == ["clean", "2", "5"]
    drawn = boxes(ece)
    assert len(drawn) == 3 * 2
    by_type = [[np.mean([one["ece"] for one in runs[0].figures[f"test-{t}-2"]])] for t in TYPES]
    assert drawn[0] == pytest.approx(np.percentile(by_type, [25, 75]))
    ends = np.concatenate([np.asarray(line.get_ydata()) for line in ece.lines])
    for end in (np.min(by_type), np.max(by_type), np.median(by_type)):
        assert np.abs(ends - end).min() < 1e-12
    together = boxes(figure.axes[3])
    assert len(together) == 2 * 2, "one run has no ensemble"
    of_ensemble = [runs[1].ensemble[f"test-{t}-5"]["ece"] for t in TYPES]
    assert together[3] == pytest.approx(np.percentile(of_ensemble, [25, 75]))


def test_the_variance_is_of_methods_with_several_runs(compared):
    found, runs = compared
    (axes,) = variance(found).axes
    of_types = [runs[0].stability[f"test-{t}-5"]["variance_all_classes"] for t in TYPES]
    assert boxes(axes)[1] == pytest.approx(np.percentile(of_types, [25, 75]))
    assert len(boxes(axes)) == 4
    (clean, _) = [np.asarray(line.get_ydata()) for line in axes.lines if line.get_marker() == "o"]
    assert clean.tolist() == [runs[0].stability["test"]["variance_all_classes"]]


def test_single_runs_only_have_two_panels(made):
    figure = shift(study([made.runs(sets=SETS, seeds=(0,))], 10, made.Z))
    assert [axes.get_title() for axes in figure.axes] == ["Accuracy", "ECE"]
