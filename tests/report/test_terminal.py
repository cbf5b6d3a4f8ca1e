import dataclasses
import io

import torch
from rich.console import Console

from arcal.evaluation import MethodRuns, Predictions, figures
from arcal.report.tables import COLUMNS, ECE, SEPARATION, measures_of, separation_of
from arcal.report.terminal import as_records, print_table


def test_records_are_one_a_run_and_set(made):
    runs = made.runs(seeds=(0, 1), sets=("test", "test-fog-1"))
    records = as_records([runs])
    assert [(r["set"], r["seeds"]) for r in records] == [
        ("test", [0]),
        ("test", [1]),
        ("test-fog-1", [0]),
        ("test-fog-1", [1]),
    ]
    assert records[2]["ece"] == runs.figures["test-fog-1"][0]["ece"]


def test_an_infinite_measure_is_null_in_records():
    certain_and_wrong = torch.tensor([[[-torch.inf, 0.0]]])
    found = Predictions(torch.tensor([0]), torch.tensor([0]), certain_and_wrong)
    runs = MethodRuns("vanilla", [], [(0,)], [found], [], {"test": [figures(found)]})
    (record,) = as_records([runs])
    assert record["nll"] is None


def test_terminal_table_fits_and_shows_labels_as_they_are(made):
    runs = [made.runs(), made.runs("label-smoothing", {"epsilon": 0.1}, gap=-0.1)]
    runs[1] = dataclasses.replace(runs[1], label="[red]mine")
    written = io.StringIO()
    print_table(runs, Console(file=written, width=80))
    assert "[red]mine" in written.getvalue()
    titled = made.runs(ood=("set [v2]",))
    print_table([titled], Console(file=written, width=80))
    assert "told from set [v2]" in written.getvalue()
    assert "…" not in written.getvalue()
    assert ECE.show_spread(measures_of(runs[0])["test"]["ece"]) in written.getvalue()


def test_a_narrow_terminal_cuts_no_number(made):
    runs = [made.runs(), made.runs("ar-adals", {"R": 5}, gap=0.1)]
    written = io.StringIO()
    print_table(runs, Console(file=written, width=50))
    text = written.getvalue()
    for of_method in runs:
        of_clean = measures_of(of_method)["test"]
        assert all(column.show_spread(of_clean[column.measure]) in text for column in COLUMNS)
    assert all(f"{column.unit} {column.best}" in text for column in COLUMNS)


def test_other_data_have_a_table_and_records_of_their_own(made):
    runs = [made.runs(ood=("other",)), made.runs("ar-adals", {"R": 5}, gap=0.1, ood=("other",))]
    records = [record for record in as_records(runs) if record["set"] == "other"]
    assert len(records) == 6
    assert records[4]["auroc_entropy"] == runs[1].ood[0].runs[1].auroc_entropy
    written = io.StringIO()
    print_table(runs, Console(file=written, width=80))
    _, _, table = written.getvalue().partition("Test images told from other")
    for of_method in runs:
        rows = separation_of(of_method.ood[0].runs)
        assert all(column.show_spread(rows[column.measure]) in table for column in SEPARATION)
