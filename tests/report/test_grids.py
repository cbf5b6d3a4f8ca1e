"""The tables under headings: which columns and rows there are, and what leads a column."""

import statistics

import pytest

from arcal.auditing import CLEAN, Spread, shift_sets
from arcal.report.comparison_tables import (
    ensembles,
    out_of_distribution,
    stability,
    stability_by_level,
    under_shift,
)
from arcal.report.names import compare
from arcal.report.tables import ECE

SETS = shift_sets(["fog-1", "fog-3", "snow-3", "spatter-3"])
FOG_1, FOG_3 = SETS[:2]


def some(table):
    assert table is not None
    return table


def texts(row):
    return [cell["text"] for cell in row.cells]


def leading(rows, column):
    """Whether each row leads a column."""
    return [row.cells[column]["best"] for row in rows]


@pytest.fixture(scope="module")
def subjects(maker):
    return [
        maker.subject(sets=SETS, ood=["other"]),
        maker.subject("label-smoothing", gap=0.0, sets=SETS, ood=["other"], seeds=(0,)),
        maker.subject("ar-adals", {"R": 2}, gap=0.1, sets=SETS, ood=["other"]),
    ]


@pytest.fixture(scope="module")
def compared(subjects, maker):
    return compare(subjects, 4, maker.Z)


def test_the_table_under_shift(compared, subjects):
    table = some(under_shift(compared))
    assert [(column.title, column.words) for column in table.columns] == [
        ("Clean", ""),
        ("Intensity 1", "1 type"),
        ("Intensity 3", "3 types"),
        ("Mean", "3 types"),
        ("Mean", "2 types"),
    ]
    assert [part.title for part in table.parts] == [
        "ECE, ×10⁻² ↓: single runs",
        "ECE, ×10⁻² ↓: ensembles of a method's runs",
        "Accuracy, % ↑: single runs",
        "Accuracy, % ↑: ensembles of a method's runs",
    ]
    single, together = (part.rows for part in table.parts[:2])
    assert [(row.name, row.method) for row in together] == [("Vanilla", 0), ("AR-AdaLS", 2)]
    clean = Spread(tuple(run["ece"] for run in subjects[0].measures[CLEAN].runs))
    assert texts(single[0])[0] == ECE.show_spread(clean)
    assert texts(together[0])[1] == ECE.show(subjects[0].measures[FOG_1].ensemble["ece"])
    values = [[float(cell.split(" ")[0]) for cell in texts(row)] for row in single]
    for column in range(5):
        lowest = min(row[column] for row in values)
        assert leading(single, column) == [row[column] == lowest for row in values]


def test_the_tables_of_stability(compared, subjects):
    table = some(stability(compared))
    assert [len(part.rows) for part in table.parts] == [2] * 4, "one run has no variance"
    churn = table.parts[3].rows
    assert texts(churn[1])[0] == f"{100 * subjects[2].measures[CLEAN].stability['churn']:.2f}"
    by_level = stability_by_level(compared)
    assert len(by_level.columns) == 4
    whole = subjects[0].measures[CLEAN].stability
    for part, measure in ((0, "variance_all_classes"), (3, "churn")):
        cells = [float(cell) / 100 for cell in texts(by_level.parts[part].rows[0])]
        assert statistics.mean(cells) == pytest.approx(whole[measure], abs=1e-4)


def test_the_tables_of_ensembles_and_other_data(compared, subjects):
    single, together = (part.rows for part in some(ensembles(compared)).parts)
    vanilla = subjects[0].measures[CLEAN]
    assert texts(together[0])[1] == ECE.show(vanilla.ensemble["ece"])
    assert texts(single[0])[1] == ECE.show_spread(Spread(tuple(run["ece"] for run in vanilla.runs)))
    single, together = (part.rows for part in out_of_distribution(compared, 0).parts)
    assert [len(single), len(together)] == [3, 2]
    other = subjects[0].ood[0]
    averaged = some(other.ensemble)
    mean = statistics.mean(run.auroc_entropy for run in other.runs)
    assert texts(single[0])[1].startswith(f"{mean:.3f} ± ")
    assert texts(together[0]) == [
        f"{averaged.auroc_confidence:.3f}",
        f"{averaged.auroc_entropy:.3f}",
    ]
    means = [float(texts(row)[1].split()[0]) for row in single]
    assert leading(single, 1) == [value == max(means) for value in means]
