"""Processes share the blocks of a data set: the bytes of one, also after one was killed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from test_killed_ranks import all_end, descendants, ranks

from tests.audits import tiny

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc"),
]

CODE = """
import time
import torch

class Brightness(torch.nn.Module):
    def forward(self, x):
        time.sleep(0.02)  # so that there is time to be killed in
        lead = 8 * (x.mean((1, 2, 3)) - 0.5)
        return torch.stack([-lead, lead], dim=1)

net = Brightness().eval()
"""
N, BLOCKS = 1000, 5

COMMANDS = {
    "score": "score net.py:net data.npz --out scores.parquet",
    "audit": "audit net.py:net data.npz --other other.npz --out audit --no-images --json",
    "calibrate": "calibrate net.py:net data.npz --calibrators temperature --out calibrated",
}
WRITTEN = {
    "score": ["scores.parquet"],
    "audit": ["audit/audit.json", "audit/inputs.parquet", "audit/index.html"],
    "calibrate": ["calibrated/calibration.json", "calibrated/calibrator.safetensors"],
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "net.py").write_text(CODE)
    for name, part in (("data", tiny.part(N)), ("other", tiny.part(300, noise=0.3))):
        labels = part.labels.numpy()
        np.savez(folder / name, images=part.pixels.numpy(), labels=labels, ids=part.ids.numpy())
    return folder


@pytest.fixture(scope="module")
def whole(prepared, tmp_path_factory):
    """What each command writes in one process, made once."""
    made: dict[str, list[bytes]] = {}

    def of(name: str) -> list[bytes]:
        if name not in made:
            folder = shutil.copytree(prepared, tmp_path_factory.mktemp(name) / "here")
            assert finish(name, folder).returncode == 0
            made[name] = written(name, folder)
        return made[name]

    return of


@pytest.fixture
def here(prepared, tmp_path):
    return shutil.copytree(prepared, tmp_path / "here")


STARTED = []


@pytest.fixture(autouse=True)
def _end_all():
    yield
    while STARTED:
        with STARTED.pop() as process:
            process.kill()


def start(name, folder, *more):
    command = [sys.executable, "-m", "arcal", *COMMANDS[name].split(), "--threads", "1", "--quiet"]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    STARTED.append(subprocess.Popen([*command, *more], cwd=folder, **pipes))
    return STARTED[-1]


def finish(name, folder, *more):
    process = start(name, folder, *more)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    return process


def written(name, folder):
    return [(folder / file).read_bytes() for file in WRITTEN[name]]


def blocks(folder):
    """The blocks that are done, with their times; none while their folder is removed."""
    files = (one for kind in ("0*.parquet", "0*.safetensors") for one in folder.rglob(kind))
    try:
        return {str(one): one.stat().st_mtime_ns for one in files if ".work" in str(one)}
    except FileNotFoundError:
        return {}


def some_are_done(process, folder):
    deadline = time.monotonic() + 120
    while not 1 <= len(done := blocks(folder)) < BLOCKS:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return done


@pytest.mark.parametrize("name", COMMANDS)
def test_two_processes_write_the_bytes_of_one(name, here, whole):
    finish(name, here, "--devices", "2")
    assert written(name, here) == whole(name)


@pytest.mark.parametrize("name", ["score", "audit"])
def test_a_killed_process_ends_all_with_one_line_and_any_number_goes_on(name, here, whole):
    process = start(name, here, "--devices", "2")
    some_are_done(process, here)
    everything, others = descendants(process.pid), ranks(process.pid)
    assert len(others) == 2
    os.kill(others[0], signal.SIGKILL)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 2
    (line,) = said.strip().splitlines()
    assert line.startswith("arcal: a process was killed")
    assert line.endswith("the same command continues")
    all_end(everything)
    before = blocks(here)
    process = start(name, here, "--devices", "3")
    while process.poll() is None:
        again = {one for one, when in blocks(here).items() if before.get(one, when) != when}
        assert not again
        time.sleep(0.05)
    assert process.returncode == 0
    assert written(name, here) == whole(name)


def test_a_killed_command_leaves_no_process_and_another_number_finishes_it(here, whole):
    two, ray = ("--devices", "2"), ("--ray", "local", "--devices", "2")
    for first, then in ((two, ()), ((), two), (ray, ())):
        process = start("score", here, *first)
        some_are_done(process, here)
        everything = descendants(process.pid)
        process.kill()
        process.communicate()
        all_end(everything)
        finish("score", here, *then)
        assert written("score", here) == whole("score")
        (here / "scores.parquet").unlink()


def test_a_killed_process_of_ray_costs_its_block_only(here, whole):
    pytest.importorskip("ray")
    process = start("score", here, "--ray", "local", "--devices", "2")
    some_are_done(process, here)
    tasks = [one for one in descendants(process.pid) if "ray::_do_there" in command_of(one)]
    assert tasks, [command_of(one) for one in descendants(process.pid)]
    before = blocks(here)
    os.kill(tasks[0], signal.SIGKILL)
    everything = descendants(process.pid)
    while process.poll() is None:
        again = {one for one, when in blocks(here).items() if before.get(one, when) != when}
        assert not again
        time.sleep(0.05)
    assert process.returncode == 0
    assert "Traceback" not in process.stderr.read()
    assert written("score", here) == whole("score")
    all_end(everything)


def command_of(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text(errors="replace")
    except OSError:
        return ""
