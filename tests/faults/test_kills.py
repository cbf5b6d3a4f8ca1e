"""A dozen kills at random moments; `kills.py` does as many as are wanted, of every command."""

import sys

import pytest
from kills import kills


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_commands_that_are_killed_at_random_lose_nothing(tmp_path):
    said = []
    counts = kills(12, 1, tmp_path, said.append, ("train", "score a run"))
    assert counts["kills"] == 12
    assert counts["files whole"] > 0
    assert counts["lost"] == 0, said
