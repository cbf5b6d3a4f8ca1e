"""Trackers are shown every epoch once, also of a run that was stopped and goes on."""

import csv
from dataclasses import replace

import pytest

from arcal.compute import Compute
from arcal.training import train
from arcal.training.recipes import RECIPES
from arcal.training.run import Run
from arcal.training.trackers import flat


@pytest.fixture
def run():
    recipe = replace(RECIPES["small"], epochs=2, steps=())
    settings = {"order": "confidence", "R": 2, "alpha": 0.1}
    return Run(
        method="ar-adals",
        settings=settings,
        recipe=recipe,
        images=200,
        validation=200,
        test_images=100,
    )


def rows(folder):
    with (folder.path / "tracked" / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_table_has_what_the_run_folder_has(run, tmp_path):
    folder = train(run, tmp_path, compute=Compute(trackers=("csv",)))
    tracked, records = rows(folder), folder.epochs()
    assert [int(row["step"]) for row in tracked] == [1, 2]
    for row, record in zip(tracked, records, strict=True):
        assert {name: float(row[name]) for name in flat(record)} == flat(record)
        assert "epsilon/1" in row


def test_epochs_that_were_done_are_shown_again_and_once(run, tmp_path):
    short = replace(run, method="vanilla", settings={})
    whole = train(short, tmp_path / "whole", compute=Compute(trackers=("csv",)))
    folder = short.folder(tmp_path / "stopped", short.load())
    (folder.path / "tracked").mkdir()
    (folder.path / "tracked" / "metrics.csv").write_text("loss,step\n9,7\n")
    train(short, tmp_path / "stopped", compute=Compute(trackers=("csv",)))
    one, other = rows(whole), rows(folder)
    assert [row["loss"] for row in one] == [row["loss"] for row in other]


def test_tensorboard_has_every_epoch(run, tmp_path):
    module = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="tensorboard is not installed: make test-all installs it",
        exc_type=ImportError,
    )
    folder = train(run, tmp_path, compute=Compute(trackers=("tensorboard",)))
    events = module.EventAccumulator(str(folder.path / "tensorboard"))
    events.Reload()
    losses = {event.step: event.value for event in events.Scalars("loss")}
    assert losses == {r["epoch"]: pytest.approx(r["loss"]) for r in folder.epochs()}
