"""What the page says of its subjects over their runs, without the pictures and single inputs."""

import pytest

from arcal.auditing import shift_sets
from arcal.report.comparison_payload import several_subjects
from arcal.report.names import compare
from arcal.report.tables import COLUMNS
from made_up_subjects import Maker

PICTURES = ("figure-1", "figure-2", "reliability", "levels", "ensembles")


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


def captions(page):
    return " ".join(
        picture["lead"] + picture["caption"]
        for section in page["sections"]
        for picture in section["pictures"]
    )


def test_ties_lead_nothing_and_one_set_has_no_mean(said, maker):
    subject = maker.subject(seeds=(0, 1), sets=shift_sets(["fog-1"]))
    tied = said(subject, subject)
    assert not any(cell["best"] for cell in cells(tied))
    shifted = tables(tied)["Under shift", ""]
    assert "mean corruption ECE" not in shifted["note"]
    assert [column["title"] for column in shifted["columns"]] == ["Clean", "Intensity 1"]
    leaders = tables(tied)["The methods compared", "Who is best at what"]
    tie = leaders["parts"][0]["rows"][0]["cells"][0]
    assert (tie["text"], tie["methods"]) == ("tie", [0, 1])
    assert any(
        cell["best"]
        for cell in cells(said(subject, maker.subject(gap=0.0, sets=shift_sets(["fog-1"]))))
    )


def test_methods_of_one_to_three_runs(said, maker):
    subjects = [maker.subject(seeds=tuple(range(n)), gap=0.1 * n) for n in (1, 2, 3)]
    page = said(*subjects)
    assert page["about"].startswith("1 to 3 runs a method.")
    assert [len(method["seeds"]) for method in page["methods"]] == [1, 2, 3]
    first = tables(page)["The methods compared", ""]["parts"][0]["rows"]
    assert [row["cells"][0]["text"] for row in first] == ["1", "2", "3"]
    alone = said(subjects[0])
    assert alone["about"].startswith("1 run a method.")
    assert not any("±" in cell["text"] for cell in cells(alone))


def test_how_the_images_are_ranked_is_said(said, maker):
    own = captions(said(maker.subject(seeds=(0,))))
    assert "Each run's images are ranked by its own model (gradient order)" in own
    by_chance = captions(said(Maker(order="random").subject(seeds=(0,))))
    assert "Images are ranked by chance and" in by_chance
    assert "ranked by its own model" not in by_chance


def test_many_corrupted_sets_are_folded_away(said, maker):
    sets = shift_sets(["fog", "snow"])
    many, few = (said(maker.subject(seeds=(0,), sets=some)) for some in (sets, sets[:2]))
    for page, fold, folded in ((many, "Each corrupted set", 10), (few, None, 0)):
        table = tables(page)["The methods compared", ""]
        assert table["folded_parts"] == fold
        assert sum(part["folded"] for part in table["parts"]) == folded
    seeds = tables(many)["The methods compared", "Every seed's values, paired by seed"]
    titles = [part["title"] for part in seeds["parts"]]
    assert not any(title.startswith("Fog of intensity") for title in titles)
    assert "figures.json" in seeds["note"]


def test_every_seeds_values_are_paired_by_seed(said, maker):
    page = said(maker.subject(seeds=(0, 1)), maker.subject(gap=0.0, seeds=(1, 2)))
    table = tables(page)["The methods compared", "Every seed's values, paired by seed"]
    assert [column["method"] for column in table["columns"]] == [0, 1]
    rows = [row for part in table["parts"] for row in part["rows"]]
    assert [row["name"] for row in rows] == ["0", "1", "2"] * len(COLUMNS)
    assert rows[0]["cells"][1]["text"] == "–"
    assert rows[2]["cells"][0]["text"] == "–"
    bold = {row["name"] for row in rows if any(cell["best"] for cell in row["cells"])}
    assert bold == {"1"}, "only where both have the seed"


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


def test_every_word_of_every_section_is_there(said, maker):
    """No caption ends in the middle of a sentence, whatever was evaluated."""
    options = {"sets": shift_sets(["fog-1", "snow-1", "spatter-1", "fog-2", "snow-2", "frost-2"])}
    subjects = [maker.subject(ood=["other"], **options) for _ in range(2)]
    drawn: dict[str, str] = dict.fromkeys((*PICTURES, "shift", "variance", "entropy-1"), "")
    page = several_subjects(compare(subjects, 10, 4), drawn)
    pictures = [picture for section in page["sections"] for picture in section["pictures"]]
    assert {picture["name"] for picture in pictures} == drawn.keys()
    notes = [section["note"] for section in page["sections"]]
    notes += [table["note"] for table in tables(page).values()]
    notes += [picture["lead"] + picture["caption"] for picture in pictures]
    for note in filter(None, [*notes, page["about"], *page["remarks"]]):
        assert note.endswith("."), note
        assert "  " not in note
        assert " ," not in note
