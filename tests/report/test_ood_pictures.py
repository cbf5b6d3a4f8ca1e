import math

import pytest
from matplotlib.patches import StepPatch

from arcal.report.ood_pictures import entropy
from arcal.report.study import study


def test_histograms_are_means_over_runs_and_share_their_axes(made):
    runs = [
        made.runs(ood=("first", "second")),
        made.runs("adals", gap=0.0, ood=("first", "second"), seeds=(0,)),
    ]
    figure = entropy(study(runs, 10, made.Z), 1, made.Z)
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in panels] == ["Vanilla", "AdaLS"]
    drawn = [[p.get_data() for p in axes.patches if isinstance(p, StepPatch)] for axes in panels]
    inside, outside = drawn[0]
    other = runs[0].ood[1]
    assert inside[0] == pytest.approx(100 * other.inside.mean(dim=0).numpy())
    assert outside[0] == pytest.approx(100 * other.outside.mean(dim=0).numpy())
    assert outside[0].sum() == pytest.approx(100)
    assert (outside[1][0], outside[1][-1]) == (0, pytest.approx(math.log(made.Z)))
    tallest = max(stairs[0].max() for both in drawn for stairs in both)
    for axes in panels:
        assert axes.get_ylim()[1] > tallest
    assert [text.get_text() for text in figure.legends[0].get_texts()][1] == "second"
