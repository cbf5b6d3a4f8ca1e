"""`torchrun` and `srun` start the processes of `arcal train`: one speaks, and all make one run."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from arcal.compute.launcher import Launcher
from launching import finish, free_port, on_one_machine, start, torchrun

SIZE = ["--images", "400", "--validation", "100", "--epochs", "2", "--quiet"]
LEVELS = ["--method", "ar-adals", "--order", "gradient", "--levels", "2"]
SOON = 60


def bits(folder):
    return {path.parent.name: path.read_bytes() for path in folder.glob("*/checkpoint.safetensors")}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Runs of two processes that `arcal train` started itself."""
    folder = tmp_path_factory.mktemp("alone")
    command = [sys.executable, "-m", "arcal", "train", *SIZE, *LEVELS, "--devices", 2]
    code, _ = finish(start([*command, "--runs", folder]))
    assert code == 0
    assert len(bits(folder)) == 2, "the vanilla run and the other"
    return bits(folder)


@pytest.mark.slow
def test_torchrun_on_one_machine_gives_the_bits_of_arcal_alone(tmp_path, alone):
    command = [*on_one_machine(), "train", *SIZE, *LEVELS, "--devices", 2, "--runs", tmp_path]
    code, said = finish(start(command))
    assert code == 0, said
    assert bits(tmp_path) == alone
    (line,) = said  # rank 0 speaks
    assert "validation accuracy" in line
    assert not list(tmp_path.glob("*/.*.safetensors*")), "one process writes"


@pytest.mark.slow
def test_two_machines_give_the_same_bits(tmp_path, alone):
    port, machines = free_port(), []
    for rank in range(2):
        options = ["--nnodes", 2, "--node-rank", rank, "--nproc-per-node", 1]
        options += ["--master-addr", "127.0.0.1", "--master-port", port]
        command = [*torchrun(*options), "train", *SIZE, *LEVELS, "--nodes", 2, "--runs", tmp_path]
        machines.append(start(command))
    (first, said), (second, silence) = map(finish, machines)
    assert (first, second) == (0, 0), said
    assert bits(tmp_path) == alone
    assert len(said) == 1
    assert not silence


def long(folder, *launch):
    size = ["--images", 800, "--validation", 100, "--epochs", 8, "--devices", 2]
    return [*(launch or on_one_machine()), "train", *size, "--runs", folder, "--quiet"]


def ranks(process):
    """The processes that `torchrun` started, in order, once an epoch is saved."""
    folder = Path(process.args[process.args.index("--runs") + 1])
    deadline = time.monotonic() + 240
    while not list(folder.glob("*/checkpoint.safetensors")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return sorted(map(int, children))


def all_end(processes):
    deadline = time.monotonic() + SOON
    while any(Path(f"/proc/{one}").exists() for one in processes):
        assert time.monotonic() < deadline, "a process is left"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    code, said = finish(start(long(folder)))
    assert code == 0, said
    return bits(folder)


linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")


@linux
@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_rank_ends_all_with_one_line_and_the_command_goes_on(tmp_path, whole, rank):
    process = start(long(tmp_path))
    both = ranks(process)
    assert len(both) == 2
    os.kill(both[rank], signal.SIGKILL)
    code, said = finish(process)
    assert code != 0
    (line,) = said
    assert line.endswith("the same command continues")
    assert ("rank 1 on " in line) == (rank == 0)
    all_end(both)
    assert bits(tmp_path) != whole
    code, said = finish(start(long(tmp_path)))
    assert code == 0, said
    assert bits(tmp_path) == whole


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["train"], "torchrun started 2 processes on 1 machine, and not 1 process on 1 machine"),
        (["score", "there/is/none"], "there/is/none is not a run folder: there is no such folder"),
        (["audit", "a.py:net", "there/is/none", "--ray", "local"], "leave --ray out"),
        (["demo"], "start this command once, without it"),
    ],
)
def test_what_does_not_fit_is_one_line(command, words):
    code, said = finish(start([*on_one_machine(), *command]))
    assert code != 0
    (line,) = said
    assert words in line


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, None),
        ({"SLURM_STEP_NUM_TASKS": "1", "SLURM_NTASKS": "4"}, None),  # a batch script's own shell
        (
            {"SLURM_STEP_NUM_TASKS": "8", "SLURM_STEP_NUM_NODES": "2", "SLURM_PROCID": "5"},
            Launcher("srun", 5, 8, 4, 2),
        ),
    ],
)
def test_launchers_are_known_by_what_they_set(values, expected):
    assert Launcher.from_environment(values) == expected
