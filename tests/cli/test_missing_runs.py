"""A missing run is noticed before torch is imported, which takes seconds."""

from pathlib import Path

import pytest

from arcal.cli.evaluate import Evaluate
from arcal.cli.report import Report
from arcal.cli.score import Score
from arcal.errors import ArcalError

HERE, NOWHERE = Path(), Path("nowhere")


@pytest.mark.parametrize("command", [Evaluate((HERE, NOWHERE)), Report((NOWHERE,))])
def test_every_run_must_be_there(command):
    with pytest.raises(ArcalError, match="nowhere is not a run folder: there is no such folder"):
        command.check()


def test_a_model_to_score_may_be_code():
    Score(("nets:net", "data")).check()
    with pytest.raises(ArcalError, match="nowhere is not a run folder"):
        Score(("nowhere",)).check()
