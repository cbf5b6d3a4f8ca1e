import statistics

import pytest

from arcal.report.grids import (
    calibration_errors,
    ensembles,
    out_of_distribution,
    stability,
    stability_by_level,
    under_shift,
)
from arcal.report.study import study
from arcal.report.tables import ECE, Spread, measures_of

SETS = ("test", "test-fog-1", "test-fog-3", "test-snow-3", "test-spatter-3")


def some(table):
    assert table is not None
    return table


@pytest.fixture
def compared(made):
    runs = [
        made.runs(sets=SETS, ood=("other",)),
        made.runs("label-smoothing", gap=0.0, sets=SETS, ood=("other",), seeds=(0,)),
        made.runs("ar-adals", {"R": 2}, gap=0.1, sets=SETS, ood=("other",)),
    ]
    return study(runs, 4, made.Z), runs


def test_the_table_under_shift(compared):
    found, runs = compared
    table = some(under_shift(found))
    heads = [
        ("Clean", ""),
        ("Intensity 1", "1 type"),
        ("Intensity 3", "3 types"),
        ("Mean", "3 types"),
        ("Mean", "2 types"),
    ]
    assert table.head == heads
    assert [heading for heading, _ in table.parts] == [
        "ECE, ×10⁻² ↓: single runs",
        "ECE, ×10⁻² ↓: ensembles of a method's runs",
        "Accuracy, % ↑: single runs",
        "Accuracy, % ↑: ensembles of a method's runs",
    ]
    single, together = (rows for _, rows in table.parts[:2])
    assert [row.name.short for row in together] == ["Vanilla", "AR-AdaLS"]
    clean = Spread(tuple(one["ece"] for one in runs[0].figures["test"]))
    assert single[0].cells[0] == ECE.show_spread(clean)
    assert together[0].cells[1] == ECE.show(runs[0].ensemble["test-fog-1"]["ece"])
    values = [[float(cell.split(" ")[0]) for cell in row.cells] for row in single]
    for column in range(5):
        lowest = min(row[column] for row in values)
        assert [column in row.best for row in single] == [row[column] == lowest for row in values]


def test_every_calibration_error_is_shown(compared):
    found, runs = compared
    for of_run in runs[0].figures["test"]:
        of_run |= {"ece_low": 0.01, "ece_high": 0.5}
    table = calibration_errors(study(runs[:1], 4, 4))
    assert [head for head, _ in table.head][:3] == ["ECE", "95 % from", "to"]
    ((_, (row,)),) = table.parts
    assert row.cells[1:3] == ["1.00 ± 0.00", "50.00 ± 0.00"]
    mean = Spread(tuple(one["ece_equal_mass"] for one in runs[0].figures["test"]))
    assert row.cells[3] == ECE.show_spread(mean)
    ((_, rows),) = calibration_errors(found).parts
    assert len(rows[0].cells) == 5, "the interval is not there for made-up runs"
    assert not any(4 in row.best for row in rows), "chance is no contest"


def test_one_corrupted_set_has_no_mean(made):
    table = some(under_shift(study([made.runs(sets=("test", "test-fog-3"))], 10, made.Z)))
    assert table.head == [("Clean", ""), ("Intensity 3", "1 type")]
    assert under_shift(study([made.runs()], 10, made.Z)) is None


def test_the_tables_of_stability(compared):
    found, runs = compared
    table = some(stability(found))
    assert [len(rows) for _, rows in table.parts] == [2] * 4, "one run has no variance"
    churn = table.parts[3][1]
    assert churn[1].cells[0] == f"{100 * runs[2].stability['test']['churn']:.2f}"
    by_level = stability_by_level(found)
    assert len(by_level.head) == 4
    all_classes = [float(cell) / 100 for cell in by_level.parts[0][1][0].cells]
    of_set = runs[0].stability["test"]["variance_all_classes"]
    assert statistics.mean(all_classes) == pytest.approx(of_set, abs=1e-4)
    churned = [float(cell) / 100 for cell in by_level.parts[3][1][0].cells]
    assert statistics.mean(churned) == pytest.approx(runs[0].stability["test"]["churn"], abs=1e-4)


def test_the_tables_of_ensembles_and_other_data(compared):
    found, runs = compared
    (_, single), (_, together) = some(ensembles(found)).parts
    assert together[0].cells[1] == ECE.show(runs[0].ensemble["test"]["ece"])
    assert single[0].cells[1] == ECE.show_spread(measures_of(runs[0])["test"]["ece"])
    (_, single), (_, together) = out_of_distribution(found, 0).parts
    assert [len(single), len(together)] == [3, 2]
    other = runs[0].ood[0]
    together_of_other = some(other.ensemble)
    mean = statistics.mean(run.auroc_entropy for run in other.runs)
    assert single[0].cells[1].startswith(f"{mean:.3f} ± ")
    assert together[0].cells == [
        f"{together_of_other.auroc_confidence:.3f}",
        f"{together_of_other.auroc_entropy:.3f}",
    ]
    means = [float(row.cells[1].split()[0]) for row in single]
    assert [1 in row.best for row in single] == [value == max(means) for value in means]


def test_one_run_has_no_ensemble_and_no_stability(made):
    compared = study([made.runs(seeds=(0,), sets=SETS)], 10, made.Z)
    assert stability(compared) is None
    assert ensembles(compared) is None
    assert [heading for heading, _ in some(under_shift(compared)).parts] == [
        "ECE, ×10⁻² ↓: single runs",
        "Accuracy, % ↑: single runs",
    ]
