"""Loops by hand on two processes, where `update` gathers by itself."""

from pathlib import Path

import pytest
from on_two_processes import check_two_processes
from torch import nn

from arcal import AdaptiveLabelSmoothing, ArcalError


@pytest.mark.slow
@pytest.mark.parametrize("loop", ["plain", "accelerate", "timm"])
def test_two_processes_learn_from_all_and_continue_when_killed(loop, tmp_path):
    """DDP with accumulation, in bf16: one run as it is, and one that is killed and continued."""
    if loop != "plain":
        pytest.importorskip(loop, reason=f"{loop} is not installed")
    check_two_processes(Path(__file__).with_name("loops_run.py"), tmp_path, loop, epochs=4)


@pytest.mark.slow
def test_the_example_of_a_task_runs(capsys):
    pytest.importorskip("timm", reason="the extra `timm` is not installed")
    from importlib.util import module_from_spec, spec_from_file_location

    path = Path(__file__).parents[2] / "examples" / "loops" / "timm_task.py"
    spec = spec_from_file_location("timm_task", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    soft_label = module.main(epochs=2)
    assert capsys.readouterr().out.count("soft labels") == 2
    assert (soft_label < 1).any()
    smoothing = AdaptiveLabelSmoothing(Z=2)
    task = module.RobustTask(nn.Linear(2, 2), smoothing, verbose=False)
    with pytest.raises(ArcalError, match="the checkpoint has no soft labels"):
        task.load_checkpoint_state(task.get_checkpoint_state()["state_dict"])
