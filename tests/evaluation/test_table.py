"""The table of every figure: complete, one row each, and readable by any reader of Parquet."""

import json
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import torch

from arcal.auditing import (
    CLEAN,
    MEASURES,
    OTHER_ECE,
    STABILITY,
    Measures,
    Predictions,
    Provenance,
    Subject,
    measure,
    out_of_distribution,
    shift_sets,
)
from arcal.errors import ArcalError
from arcal.evaluation.table import rows, write_table

(FOG,) = shift_sets(["fog-3"])


@pytest.fixture(scope="module")
def subject():
    """Two runs, the second of two members, on two sets and on other data."""
    draw = torch.Generator().manual_seed(0)

    def two():
        labels = torch.arange(50) % 3
        logits = torch.randn(2, 1, 50, 3, generator=draw)
        return [Predictions(torch.arange(50), labels, run) for run in logits]

    runs, cut = {CLEAN: two(), FOG: two()}, torch.arange(50) % 10
    return Subject(
        name="vanilla",
        predictions=runs,
        measures={where: measure(some, cut) for where, some in runs.items()},
        seeds=[(0,), (1, 2)],
        ood=[out_of_distribution("cats/test", runs[CLEAN], two())],
        provenance=[Provenance("vanilla-s0-a"), Provenance("vanilla-s1-b")],
    )


def test_every_figure_has_one_row(subject):
    table = list(rows([subject]))
    columns = ("run", "set", "type", "level", "measure")
    assert len({tuple(row.get(column) for column in columns) for row in table}) == len(table)
    figures = len(MEASURES + OTHER_ECE)
    by_set = (2 + 1) * figures + len(STABILITY) * (1 + 10)  # of runs and ensemble; of all runs
    assert len(table) == 2 * by_set + 3 * 2, "and two AUROCs of two runs and their ensemble"


def test_a_row_says_what_it_is_of(subject, tmp_path):
    write_table(tmp_path / "figures.parquet", [subject], data="tiny")
    table = pq.read_table(tmp_path / "figures.parquet")
    assert len(table) == len(list(rows([subject])))
    assert json.loads(table.schema.metadata[b"arcal"])["data"] == "tiny"

    def only(**wanted):
        (row,) = (row for row in table.to_pylist() if wanted.items() <= row.items())
        return row

    fog = subject.measures[FOG]
    row = only(run="vanilla-s1-b", type="fog", measure="ece")
    assert (row["method"], row["seeds"], row["value"]) == ("vanilla", "1+2", fog.runs[1]["ece"])
    assert (row["set"], row["intensity"], row["level"]) == ("test", 3, None)
    row = only(run="all runs", type="fog", measure="churn", level=7)
    assert (row["seeds"], row["value"]) == ("0+1+2", fog.stability_by_level["churn"][7])
    row = only(run="ensemble", set="test", type=None, measure="nll")
    assert row["value"] == subject.measures[CLEAN].ensemble["nll"]
    row = only(run="ensemble", set="ood:cats/test", measure="auroc_entropy")
    assert row["value"] == subject.ood[0].ensemble.auroc_entropy


def test_what_a_file_has_of_others_stays_in_it(subject, tmp_path):
    path = tmp_path / "figures.parquet"
    write_table(path, [replace(subject, name="adals"), subject])
    before = pq.read_table(path).to_pylist()
    one = {CLEAN: Measures(subject.measures[CLEAN].runs[:1])}
    less = {"seeds": [(0,)], "provenance": subject.provenance[:1], "ood": []}
    smaller = replace(subject, measures=one, **less)
    write_table(path, [smaller], keep_others=True)
    after = pq.read_table(path).to_pylist()

    def made_anew(row):
        return row["method"] == "vanilla" and row["set"] == "test" and row["type"] is None

    assert [row for row in after if not made_anew(row)] == [r for r in before if not made_anew(r)]
    assert len([row for row in after if made_anew(row)]) == len(list(rows([smaller])))
    write_table(path, [smaller])
    assert len(pq.read_table(path)) == len(list(rows([smaller])))
    path.write_text("x")
    with pytest.raises(ArcalError, match=r"arcal did not write it"):
        write_table(path, [smaller], keep_others=True)
