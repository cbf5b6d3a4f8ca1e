"""Functions called in other processes, which are dealt the GPUs there are."""

import multiprocessing
import os
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from arcal.compute import Compute
from arcal.compute.processes import UNGUARDED, fan_out, start_method
from arcal.errors import ArcalError


def what_is_seen(folder: Path, name: int) -> None:
    """Leave which GPUs this process sees; long enough that no process does all of it."""
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
    (folder / f"{name}-{os.getpid()}").write_text(seen)
    time.sleep(0.3)


@pytest.mark.parametrize(
    ("gpus", "workers", "each"),
    [
        (["0", "1"], 3, ["0", "0", "1"]),
        (["5", "GPU-8932f937", "2"], 2, ["5", "GPU-8932f937"]),
        ([], 2, ["all", "all"]),
    ],
)
def test_each_process_sees_one_gpu(gpus, workers, each, tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    jobs = [partial(what_is_seen, tmp_path, name) for name in range(3 * workers)]
    fan_out([jobs], workers, gpus=gpus)
    seen = {path.name.partition("-")[2]: path.read_text() for path in tmp_path.iterdir()}
    assert sorted(seen.values()) == each, "by process"
    assert "CUDA_VISIBLE_DEVICES" not in os.environ, "of this process"


def test_a_processor_has_no_gpus_to_deal():
    assert Compute("cpu", workers=4).gpus() == []


def test_a_script_that_would_be_run_by_each_process_is_told_to_be_guarded(monkeypatch):
    with pytest.raises(ArcalError, match=r"below `if __name__ == \"__main__\":`"):
        fan_out([[partial(os._exit, UNGUARDED)]], 1)
    codes = []
    monkeypatch.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)
    monkeypatch.setattr(os, "_exit", codes.append)
    start_method(set())  # as such a process would, before it starts others
    assert codes == [UNGUARDED]


def test_a_script_without_a_file_starts_no_processes(monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "<stdin>", raising=False)
    with pytest.raises(ArcalError, match="save it as a file"):
        fan_out([[partial(print, "never")]], 1)
