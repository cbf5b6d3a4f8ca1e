"""What the page says of its subjects over their runs, without the pictures and single inputs."""

import pytest

from arcal.auditing import shift_sets
from arcal.report.comparison_payload import several_subjects
from arcal.report.names import compare

PICTURES = ("figure-1", "figure-2", "reliability")


@pytest.fixture(scope="module")
def said():
    def render(*subjects, R=10):
        return several_subjects(compare(subjects, R, 4), dict.fromkeys(PICTURES, ""))

    return render


def tables(page):
    """The tables by the title of their section and their own."""
    return {
        (section["title"], table["folded"] or table["title"]): table
        for section in page["sections"]
        for table in section["tables"]
    }


def cells(page):
    return [
        cell
        for table in tables(page).values()
        for part in table["parts"]
        for row in part["rows"]
        for cell in row["cells"]
    ]


def test_ties_lead_nothing_and_one_set_has_no_mean(said, maker):
    subject = maker.subject(seeds=(0, 1), sets=shift_sets(["fog-1"]))
    tied = said(subject, subject)
    assert not any(cell["best"] for cell in cells(tied))
    shifted = tables(tied)["Under shift", ""]
    assert "mean corruption ECE" not in shifted["note"]
    assert [column["title"] for column in shifted["columns"]] == ["Clean", "Intensity 1"]
    assert any(
        cell["best"]
        for cell in cells(said(subject, maker.subject(gap=0.0, sets=shift_sets(["fog-1"]))))
    )


def test_gaps_by_level_are_tinted_by_their_value(said, maker):
    subject = maker.subject(seeds=(0, 1))
    page = said(subject, R=4)
    table = tables(page)["What the methods change", "Confidence − accuracy by level, in points"]
    assert [column["tinted"] for column in table["columns"]] == [True] * 4 + [False] * 2
    levels = compare([subject], 4, 4).subjects[0].levels
    ((row,),) = [part["rows"] for part in table["parts"]]
    means = [cell["mean"] for cell in row["cells"]]
    assert means[:4] == pytest.approx(levels.gap.mean(dim=0).tolist())
    assert means[4:] == pytest.approx([levels.weakest_gap.mean, levels.gap_size.mean])
    assert row["cells"][4]["deviation"] == levels.weakest_gap.deviation
