"""What is printed: no number cut, names as they are, records that programs can read."""

import dataclasses
import io
import math

import torch
from rich.console import Console

from arcal.auditing import CLEAN, Predictions, Spread, Subject, shift_sets
from arcal.report.tables import ECE
from arcal.report.terminal import as_records, print_table
from made_up_subjects import with_figures

(FOG,) = shift_sets(["fog-1"])


def printed(subjects, width=80, **terminal):
    written = io.StringIO()
    print_table(subjects, Console(file=written, width=width, **terminal))
    return written.getvalue()


def test_records_are_one_a_run_and_set(maker):
    subject = maker.subject(seeds=(0, 1), sets=[FOG])
    records = as_records([subject])
    assert [(record["set"], record["seeds"]) for record in records] == [
        ("test", [0]),
        ("test", [1]),
        ("test-fog-1", [0]),
        ("test-fog-1", [1]),
    ]
    assert records[2]["ece"] == subject.measures[FOG].runs[0]["ece"]


def test_an_infinite_measure_is_null_in_records(maker):
    subject = with_figures(maker.subject(seeds=(0,)), nll=(math.inf,))
    (record,) = as_records([subject])
    assert record["nll"] is None
    assert record["method"] == "vanilla"


def test_the_table_fits_and_shows_names_as_they_are(maker):
    mine = dataclasses.replace(maker.subject(gap=-0.1), name="[red]mine", method=None)
    text = printed([maker.subject(), mine])
    assert "[red]mine: 3 runs" in text
    text += printed([maker.subject(ood=["set [v2]"])])
    assert "told from set [v2]" in text
    assert "…" not in text
    vanilla = maker.subject().measures[CLEAN].runs
    assert ECE.show_spread(Spread(tuple(run["ece"] for run in vanilla))) in text


def test_a_classifier_of_which_only_predictions_are_known():
    labels = torch.arange(4) % 2
    sure = Predictions(torch.arange(4), labels, 4 * torch.eye(2)[1 - labels][None])
    subject = Subject.from_predictions("mine", {CLEAN: [sure]})
    text = printed([subject])
    assert "mine: 1 run\n" in text
    assert "0.00" in text
    (record,) = as_records([subject])
    assert (record["method"], record["seeds"], record["accuracy"]) == ("mine", [0], 0.0)
