"""`--minutes`: a command that stops by itself, keeps what it did, and goes on."""

import time

import pytest

from arcal.cli._failures import TimeIsUp, time_limit
from arcal.errors import ArcalError


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
