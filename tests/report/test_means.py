import statistics

import pytest

from arcal.report.grids import ensembles, out_of_distribution, stability, stability_by_level
from arcal.report.grids import under_shift as shift_table
from arcal.report.means import boxed, means_of, types_at
from arcal.report.study import study
from arcal.report.tables import ECE, SHIFTED, Column, Spread, measures_of

SETS = ("test", "test-fog-1", "test-fog-3", "test-snow-3", "test-spatter-3")
PERCENT = Column("variance", "", "", "↓")


def texts(rows):
    return [row.cells for row in rows]


def test_means_are_over_sets_and_leave_out_what_there_is_not(made):
    runs = made.runs(sets=SETS)
    found = means_of(runs, ("ece",))["ece"]
    fog, snow = ([one["ece"] for one in runs.figures[f"test-{t}-3"]] for t in ("fog", "snow"))
    spatter = [one["ece"] for one in runs.figures["test-spatter-3"]]
    at_3 = [statistics.mean(three) for three in zip(fog, snow, spatter, strict=True)]
    assert found.by_intensity[2].values == pytest.approx(at_3)
    assert [i for i, spread in enumerate(found.by_intensity) if spread is not None] == [0, 2]
    assert found.overall.values == pytest.approx(measures_of(runs)[SHIFTED]["ece"].values)
    fog_1 = [one["ece"] for one in runs.figures["test-fog-1"]]
    three = [statistics.mean(values) for values in zip(fog, snow, fog_1, strict=True)]
    assert found.standard.values == pytest.approx(three)
    assert types_at(found) == [1, 0, 3, 0, 0]


def test_one_run_has_no_ensemble_and_no_stability(made):
    runs = made.runs(seeds=(0,), sets=SETS)
    assert means_of(runs, ("ece",), ensemble=True) == {}
    assert means_of(runs, ("churn",)) == {}
    compared = study([runs], 10, made.Z)
    assert stability(compared) is None
    assert ensembles(compared) is None


def test_extra_types_are_told_apart_only_beside_others(made):
    for sets in (("test", "test-fog-1"), ("test", "test-spatter-1", "test-saturate-1")):
        assert means_of(made.runs(sets=sets), ("ece",))["ece"].standard is None


def test_a_box_plot_needs_three_types_at_two_intensities(made):
    types = ("fog", "snow", "frost")
    few = ("test", *(f"test-{type}-2" for type in types), "test-fog-5")
    assert boxed(means_of(made.runs(sets=few, seeds=(0,)), ("ece",))["ece"]) == []
    enough = (*few, "test-snow-5", "test-frost-5", "test-fog-4")
    assert boxed(means_of(made.runs(sets=enough, seeds=(0,)), ("ece",))["ece"]) == [2, 5]


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
    table = shift_table(found)
    heads = [
        ("Clean", ""),
        ("1", "1 type"),
        ("3", "3 types"),
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


def test_one_corrupted_set_has_no_mean(made):
    table = shift_table(study([made.runs(sets=("test", "test-fog-3"))], 10, made.Z))
    assert table.head == [("Clean", ""), ("3", "1 type")]
    assert shift_table(study([made.runs()], 10, made.Z)) is None


def test_the_tables_of_stability(compared):
    found, runs = compared
    table = stability(found)
    assert [len(rows) for _, rows in table.parts] == [2] * 4, "one run has no variance"
    churn = table.parts[3][1]
    assert churn[1].cells[0] == PERCENT.show(runs[2].stability["test"]["churn"])
    by_level = stability_by_level(found)
    assert len(by_level.head) == 4
    all_classes = [float(cell) / 100 for cell in by_level.parts[0][1][0].cells]
    of_set = runs[0].stability["test"]["variance_all_classes"]
    assert statistics.mean(all_classes) == pytest.approx(of_set, abs=1e-4)


def test_the_tables_of_ensembles_and_other_data(compared):
    found, runs = compared
    (_, single), (_, together) = ensembles(found).parts
    assert together[0].cells[1] == ECE.show(runs[0].ensemble["test"]["ece"])
    assert single[0].cells[1] == ECE.show_spread(measures_of(runs[0])["test"]["ece"])
    (_, single), (_, together) = out_of_distribution(found, 0).parts
    assert [len(single), len(together)] == [3, 2]
    other = runs[0].ood[0]
    mean = statistics.mean(run.auroc_entropy for run in other.runs)
    assert single[0].cells[1].startswith(f"{mean:.3f} ± ")
    assert together[0].cells == [
        f"{other.ensemble.auroc_confidence:.3f}",
        f"{other.ensemble.auroc_entropy:.3f}",
    ]
