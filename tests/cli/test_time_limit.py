"""`--minutes`: a command that stops by itself, keeps what it did, and goes on."""

import time

import pytest

from arcal.cli._failures import TimeIsUp, time_limit
from arcal.errors import ArcalError
from command_line import arcal


def epochs_in(runs):
    return sum(len(one.read_text().splitlines()) for one in runs.glob("*/metrics.jsonl"))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_reproduction_stops_and_goes_on(workers, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = "reproduce", "table3", "--seeds", 0, "--workers", workers, "--minutes"
    trained, minutes = [0, 0], 0.2
    while minutes < 5 and not 0 < trained[-2] < trained[-1]:  # a busy machine needs more
        done = arcal(*command, minutes)
        assert done.code == 124
        assert done.stderr.splitlines()[-1] == (
            f"arcal: {minutes:g} minutes are over; finished work is kept, and the same command "
            "continues"
        )
        trained.append(epochs_in(tmp_path / "runs"))
        minutes *= 1.5
    assert 0 < trained[-2] < trained[-1]
    assert not (tmp_path / "results" / "smoke" / "table3.md").exists()


@pytest.mark.parametrize("minutes", [0, -1, float("inf"), float("nan")])
def test_a_limit_that_is_none(minutes):
    with pytest.raises(ArcalError, match=r"--minutes .*: give more than 0"), time_limit(minutes):
        pass


def test_what_is_done_in_time_is_not_stopped():
    with time_limit(0.0005):  # 30 ms
        pass
    with pytest.raises(TimeIsUp), time_limit(0.0001):
        time.sleep(5)


def test_without_a_timer_it_is_refused(monkeypatch):
    monkeypatch.delattr("signal.setitimer")  # as on Windows
    with pytest.raises(ArcalError, match="press Ctrl-C"), time_limit(1):
        pass
