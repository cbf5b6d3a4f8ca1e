"""The tables under headings: which columns and rows there are, and what leads a column."""

import statistics

import pytest

from arcal.auditing import CLEAN, Spread, shift_sets
from arcal.report.comparison import compare
from arcal.report.grids import (
    calibration_errors,
    ensembles,
    out_of_distribution,
    stability,
    stability_by_level,
    under_shift,
)
from arcal.report.tables import ECE
from made_up_subjects import with_figures

SETS = shift_sets(["fog-1", "fog-3", "snow-3", "spatter-3"])
FOG_1, FOG_3 = SETS[:2]


def some(table):
    assert table is not None
    return table


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
    assert table.head == [
        ("Clean", ""),
        ("Intensity 1", "1 type"),
        ("Intensity 3", "3 types"),
        ("Mean", "3 types"),
        ("Mean", "2 types"),
    ]
    assert [heading for heading, _ in table.parts] == [
        "ECE, ×10⁻² ↓: single runs",
        "ECE, ×10⁻² ↓: ensembles of a method's runs",
        "Accuracy, % ↑: single runs",
        "Accuracy, % ↑: ensembles of a method's runs",
    ]
    single, together = (rows for _, rows in table.parts[:2])
    assert [row.name.short for row in together] == ["Vanilla", "AR-AdaLS"]
    clean = Spread(tuple(run["ece"] for run in subjects[0].measures[CLEAN].runs))
    assert single[0].cells[0] == ECE.show_spread(clean)
    assert together[0].cells[1] == ECE.show(subjects[0].measures[FOG_1].ensemble["ece"])
    values = [[float(cell.split(" ")[0]) for cell in row.cells] for row in single]
    for column in range(5):
        lowest = min(row[column] for row in values)
        assert [column in row.best for row in single] == [row[column] == lowest for row in values]


def test_every_calibration_error_that_was_computed_is_shown(compared, subjects, maker):
    interval = {"ece_low": (0.01,) * 3, "ece_high": (0.5,) * 3}
    table = calibration_errors(compare([with_figures(subjects[0], CLEAN, **interval)], 4, maker.Z))
    assert [head for head, _ in table.head][:3] == ["ECE", "95 % from", "to"]
    ((_, (row,)),) = table.parts
    assert row.cells[1:3] == ["1.00 ± 0.00", "50.00 ± 0.00"]
    mean = Spread(tuple(run["ece_equal_mass"] for run in subjects[0].measures[CLEAN].runs))
    assert row.cells[3] == ECE.show_spread(mean)
    ((_, rows),) = calibration_errors(compared).parts
    assert len(rows[0].cells) == 5, "without its interval"
    assert not any(4 in row.best for row in rows), "what chance gives is no contest"


def test_one_corrupted_set_has_no_mean(maker):
    table = some(under_shift(compare([maker.subject(sets=[FOG_3])], 10, maker.Z)))
    assert table.head == [("Clean", ""), ("Intensity 3", "1 type")]
    assert under_shift(compare([maker.subject()], 10, maker.Z)) is None


def test_the_tables_of_stability(compared, subjects):
    table = some(stability(compared))
    assert [len(rows) for _, rows in table.parts] == [2] * 4, "one run has no variance"
    churn = table.parts[3][1]
    assert churn[1].cells[0] == f"{100 * subjects[2].measures[CLEAN].stability['churn']:.2f}"
    by_level = stability_by_level(compared)
    assert len(by_level.head) == 4
    whole = subjects[0].measures[CLEAN].stability
    for part, measure in ((0, "variance_all_classes"), (3, "churn")):
        cells = [float(cell) / 100 for cell in by_level.parts[part][1][0].cells]
        assert statistics.mean(cells) == pytest.approx(whole[measure], abs=1e-4)


def test_the_tables_of_ensembles_and_other_data(compared, subjects):
    (_, single), (_, together) = some(ensembles(compared)).parts
    vanilla = subjects[0].measures[CLEAN]
    assert together[0].cells[1] == ECE.show(vanilla.ensemble["ece"])
    assert single[0].cells[1] == ECE.show_spread(Spread(tuple(run["ece"] for run in vanilla.runs)))
    (_, single), (_, together) = out_of_distribution(compared, 0).parts
    assert [len(single), len(together)] == [3, 2]
    other = subjects[0].ood[0]
    averaged = some(other.ensemble)
    mean = statistics.mean(run.auroc_entropy for run in other.runs)
    assert single[0].cells[1].startswith(f"{mean:.3f} ± ")
    assert together[0].cells == [
        f"{averaged.auroc_confidence:.3f}",
        f"{averaged.auroc_entropy:.3f}",
    ]
    means = [float(row.cells[1].split()[0]) for row in single]
    assert [1 in row.best for row in single] == [value == max(means) for value in means]


def test_one_run_has_no_ensemble_and_no_stability(maker):
    compared = compare([maker.subject(seeds=(0,), sets=SETS)], 10, maker.Z)
    assert stability(compared) is None
    assert ensembles(compared) is None
    assert [heading for heading, _ in some(under_shift(compared)).parts] == [
        "ECE, ×10⁻² ↓: single runs",
        "Accuracy, % ↑: single runs",
    ]
