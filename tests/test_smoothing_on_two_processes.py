"""Soft labels on two processes are those of one process that has all predictions."""

import json
from pathlib import Path

import pytest

from launching import on_two_processes
from two_updaters import R, predictions, smoothing


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What each of two processes found."""
    folder = tmp_path_factory.mktemp("two")
    on_two_processes(Path(__file__).with_name("two_updaters.py"), folder)
    return [json.loads((folder / str(rank)).read_text()) for rank in range(2)]


@pytest.mark.slow
@pytest.mark.parametrize(("levels", "rule"), [(1, "own"), (R, "own"), (R, "joint")])
def test_each_process_passes_its_own_predictions(two, levels, rule):
    ids, confidence, correct = predictions()
    alone = smoothing(levels, rule)
    gaps = [alone.update(confidence, correct, ids).tolist() for _ in range(2)]
    found = two[0][f"{levels} {rule}"]
    assert found == two[1][f"{levels} {rule}"]
    assert found[0] == [pytest.approx(gap, abs=1e-12) for gap in gaps]
    assert found[1] == pytest.approx(alone.soft_label.tolist(), abs=1e-12)
    assert min(alone.soft_label) < 1


@pytest.mark.slow
def test_bad_input_of_one_process_stops_all(two):
    assert two[0]["errors"] == two[1]["errors"]
    for error, words in zip(
        two[0]["errors"],
        ["not in [0, 1]", "ids are missing", "has no level", "at least 1"],
        strict=True,
    ):
        assert words in error


@pytest.mark.slow
def test_a_process_without_a_share_takes_part(two):
    ids, confidence, correct = predictions()
    alone = smoothing(R, "own")
    alone.update(confidence, correct, ids)
    assert two[0]["one share"] == two[1]["one share"]
    assert two[0]["one share"] == pytest.approx(alone.soft_label.tolist(), abs=1e-12)


def test_an_id_that_occurs_twice_counts_once_and_the_order_does_not_matter():
    ids, confidence, correct = predictions()
    alone, padded = smoothing(R, "joint"), smoothing(R, "joint")
    alone.update(confidence, correct, ids)
    rows = [*range(len(ids) - 1, -1, -1), 0, 1]
    padded.update(confidence[rows], correct[rows], ids[rows])
    assert alone.soft_label.tolist() == padded.soft_label.tolist()
