"""The picture shows the curve: its steps, its band, its words."""

import numpy as np
import pytest
import torch

from arcal.calibration import robust_accuracy
from arcal.errors import ArcalError
from arcal.report.robust_accuracy_picture import robust_accuracy_figure, write_robust_accuracy

DISTANCE = torch.tensor([0.2, 0.0, 0.5, torch.inf, 0.2, 0.1])
CORRECT = torch.tensor([True, True, True, True, False, False])
CURVE = robust_accuracy(DISTANCE, CORRECT)


def test_what_is_drawn_is_the_curve():
    (axes,) = robust_accuracy_figure({"one": CURVE, "two": CURVE}, "linf").axes
    assert len(axes.lines) == 2
    line = axes.lines[0]
    assert line.get_drawstyle() == "steps-post", "it falls at a radius, not before"
    x, y = (np.asarray(values) for values in line.get_data())
    assert list(x[:3]) == CURVE.radii.tolist()
    assert list(y[:3]) == CURVE.accuracy.tolist()
    assert y[3] == y[2], "what has no distance stays right"
    band = np.asarray(axes.collections[0].get_paths()[0].vertices)
    assert band[:, 1].min() == pytest.approx(float(CURVE.low.min()))
    assert band[:, 1].max() == pytest.approx(float(CURVE.high.max()))
    assert "L-infinity" in axes.get_xlabel()


def test_the_file_is_the_same_each_time_and_says_whose_it_is(tmp_path):
    files = [write_robust_accuracy(tmp_path / name, {"mine": CURVE}) for name in ("a.svg", "b.svg")]
    first, second = (file.read_bytes() for file in files)
    assert first == second
    assert b"mine, 6 inputs" in first


@pytest.mark.parametrize(
    ("name", "curves", "norm", "says"),
    [
        ("a.tex", {"a": CURVE}, "l2", "ends in .svg, .pdf or .png"),
        ("a.svg", {}, "l2", "there is no curve of robust accuracy to draw"),
        ("a.svg", {"a": CURVE}, "l1", "norm is 'l1': give that of the distances, l2 or linf"),
    ],
)
def test_bad_input_is_one_line(tmp_path, name, curves, norm, says):
    with pytest.raises(ArcalError, match=says) as caught:
        write_robust_accuracy(tmp_path / name, curves, norm)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
