"""Reliability diagrams of any methods as a file for a paper."""

import pytest
import torch

from arcal.calibration import Reliability
from arcal.errors import ArcalError
from arcal.report.reliability_pictures import write_reliability

DRAW = torch.Generator().manual_seed(0)


def run():
    confidence = torch.rand(300, generator=DRAW) / 2 + 0.5
    return Reliability().update(confidence, torch.rand(300, generator=DRAW) < 0.7)


RUNS = [run() for _ in range(3)]


@pytest.mark.parametrize(
    ("ending", "begins"), [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")]
)
def test_a_file_has_the_format_of_its_name(ending, begins, tmp_path):
    runs = {"plain": RUNS, "mine $5": RUNS[0]}
    written = write_reliability(tmp_path / f"a.{ending}", runs).read_bytes()
    assert written.startswith(begins)
    assert ending != "svg" or b"mine $5" in written


@pytest.mark.parametrize(
    ("name", "methods", "says"),
    [
        ("a.tex", {"plain": RUNS}, r"ends in \.svg, \.pdf or \.png"),
        ("a.pdf", {}, "there is no reliability diagram"),
        ("a.pdf", {"plain": [RUNS[0], Reliability()]}, "plain has a reliability diagram of no"),
        ("a.pdf", {"plain": []}, "plain has a reliability diagram of no inputs"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(name, methods, says, tmp_path):
    with pytest.raises(ArcalError, match=says):
        write_reliability(tmp_path / name, methods)
    assert not list(tmp_path.iterdir())
