"""What the page says of its subjects, without their pictures."""

import re

import pytest

from arcal.auditing import shift_sets
from arcal.report import page
from arcal.report.comparison import compare
from made_up_subjects import Maker

PICTURES: tuple[str, ...] = ("figure-1", "figure-2", "reliability", "levels", "ensembles")


@pytest.fixture(scope="module")
def text():
    def render(*subjects):
        compared = compare(subjects, 10, 4)
        pictures: dict[str, str] = dict.fromkeys(PICTURES, "")
        return page.render(compared, pictures, title="", notes=[], attacked=None)

    return render


def test_ties_lead_nothing_and_one_set_has_no_mean(text, maker):
    subject = maker.subject(seeds=(0, 1), sets=shift_sets(["fog-1"]))
    tied = text(subject, subject)
    assert 'class="best"' not in tied
    assert "mean corruption ECE" not in tied
    assert "<h2>Under shift</h2>" in tied
    assert 'class="best"' in text(subject, maker.subject(gap=0.0, sets=shift_sets(["fog-1"])))


def test_methods_of_one_to_three_runs(text, maker):
    subjects = [maker.subject(seeds=tuple(range(n)), gap=0.1 * n) for n in (1, 2, 3)]
    assert "1 to 3 runs a method." in text(*subjects)
    assert "1 run a method." in text(subjects[0])


def test_how_the_images_are_ranked_is_said(text, maker):
    own = text(maker.subject(seeds=(0,)))
    assert "Each run's images are ranked by its own model (gradient order)" in own
    by_chance = text(Maker(order="random").subject(seeds=(0,)))
    assert "Images are ranked by chance and" in by_chance
    assert "ranked by its own model" not in by_chance


def test_many_corrupted_sets_are_folded_away(text, maker):
    sets = shift_sets(["fog", "snow"])
    many, few = (text(maker.subject(seeds=(0,), sets=some)) for some in (sets, sets[:2]))
    assert "<summary>Each corrupted set</summary>" in many
    assert "<summary>Each corrupted set</summary>" not in few
    _, _, seeds = many.partition("Every seed's values")
    assert "Fog of intensity" not in seeds


def test_every_seeds_values_are_paired_by_seed(text, maker):
    _, _, rest = text(maker.subject(seeds=(0, 1)), maker.subject(gap=0.0, seeds=(1, 2))).partition(
        "Every seed's values"
    )
    table, _, _ = rest.partition("</table>")
    rows = re.findall(r"<tr><td>(\d)</td>(.*?)</tr>", table)
    assert [seed for seed, _ in rows] == ["0", "1", "2"] * 5
    assert rows[0][1].endswith("<td>–</td>")
    assert rows[2][1].startswith("<td>–</td>")
    bold = [seed for seed, cells in rows if "best" in cells]
    assert set(bold) == {"1"}, "only where both have the seed"
