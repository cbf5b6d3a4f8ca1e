"""A loop by hand on two processes, where `update` gathers by itself."""

from pathlib import Path

import pytest
from on_two_processes import check_two_processes


@pytest.mark.slow
def test_two_processes_learn_from_all_and_continue_when_killed(tmp_path):
    """DDP with accumulation, in bf16: one run as it is, and one that is killed and continued."""
    check_two_processes(Path(__file__).with_name("loops_run.py"), tmp_path, epochs=4)
