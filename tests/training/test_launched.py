"""`torchrun` and `srun` start the processes of `arcal train`: one speaks, and all make one run."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from arcal.compute.launcher import Launcher
from arcal.errors import ArcalError
from command_line import arcal
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


@pytest.mark.slow
def test_srun_gives_the_same_bits(tmp_path, alone):
    """With the variables that SLURM sets; there is no SLURM here."""
    said = by_srun("train", *SIZE, *LEVELS, "--devices", 2, "--runs", tmp_path)
    assert bits(tmp_path) == alone
    assert len(said) == 1


def by_srun(*command):
    """What the first of two processes says that have the variables of `srun`."""
    job = {"SLURM_JOB_ID": "7001", "SLURM_JOB_NAME": "train", "SLURM_NODELIST": "127.0.0.1"}
    job |= {"SLURM_NTASKS": "2", "SLURM_STEP_NUM_TASKS": "2", "MASTER_PORT": str(free_port())}
    job |= {"SLURM_NNODES": "1", "SLURM_STEP_NUM_NODES": "1", "SLURM_NODEID": "0"}
    of_srun = [sys.executable, "-m", "arcal", *command]
    tasks = [
        start(of_srun, **job, SLURM_PROCID=str(rank), SLURM_LOCALID=str(rank)) for rank in range(2)
    ]
    (first, said), (second, silence) = map(finish, tasks)
    assert (first, second) == (0, 0), said + silence
    assert not silence
    return said


@pytest.mark.slow
def test_members_of_an_ensemble_end_in_the_bits_of_one_process(tmp_path):
    ensemble = ["train", *SIZE, *LEVELS, "--ensemble", "--seeds", 0, 1, 2, "--devices"]
    one, by_torchrun = [sys.executable, "-m", "arcal", *ensemble, 1], [*on_one_machine(), *ensemble]
    assert finish(start([*one, "--runs", tmp_path / "one"]))[0] == 0
    code, said = finish(start([*by_torchrun, 2, "--runs", tmp_path / "torchrun"]))
    assert code == 0, said
    by_srun(*ensemble, 2, "--runs", tmp_path / "srun")
    whole = bits(tmp_path / "one")
    assert len(whole) == 4, "three vanilla runs and the ensemble"
    assert bits(tmp_path / "torchrun") == whole
    assert bits(tmp_path / "srun") == whole


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


@linux
@pytest.mark.slow
def test_an_elastic_restart_goes_on(tmp_path, whole):
    again = torchrun("--standalone", "--nproc-per-node", 2, "--max-restarts", 1)
    process = start(long(tmp_path, *again), TORCH_DISABLE_SHARE_RDZV_TCP_STORE="1")
    os.kill(ranks(process)[1], signal.SIGKILL)
    code, said = finish(process)
    assert code == 0, said
    assert bits(tmp_path) == whole


def test_a_restart_that_would_meet_the_earlier_processes_is_refused():
    launcher = Launcher("torchrun", 1, 2, 2, 1)
    shared = {"TORCHELASTIC_RESTART_COUNT": "1", "TORCHELASTIC_USE_AGENT_STORE": "True"}
    with pytest.raises(ArcalError, match="set TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1, or run"):
        launcher.check_restart(shared)
    launcher.check_restart(shared | {"TORCHELASTIC_RESTART_COUNT": "0"})
    launcher.check_restart(shared | {"TORCHELASTIC_USE_AGENT_STORE": "False"})


@linux
@pytest.mark.slow
def test_ranks_end_with_torchrun(tmp_path):
    process = start(long(tmp_path))
    both = ranks(process)
    process.kill()
    process.communicate()
    all_end(both)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["train"], "torchrun started 2 processes on 1 machine, and not 1 process on 1 machine"),
        (["train", "--devices", "2", "--nodes", "2"], "give --devices 2 --nodes 1"),
        (["train", "--devices", "2", "--nope"], "there is no option --nope"),
        (["train", "--devices", "2", "--workers", "2"], "2 devices for each of several runs"),
        (["score", "there/is/none"], "there/is/none is not a run folder: there is no such folder"),
        (["score", ".", "--devices", "4"], "give --devices 2 --nodes 1"),
        (["evaluate", ".", "--nodes", "2"], "give --devices 2 --nodes 1"),
        (["evaluate", ".", "--workers", "2"], "2 devices share the sets already"),
        (["audit", "a.py:net", "there/is/none", "--ray", "local"], "leave --ray out"),
        (["demo"], "start this command once, without it"),
    ],
)
def test_what_does_not_fit_is_one_line(command, words):
    code, said = finish(start([*on_one_machine(), *command]))
    assert code != 0
    (line,) = said
    assert words in line


def test_machines_without_a_launcher_are_told_how_to_start_one(tmp_path):
    assert "torchrun --nnodes 2" in arcal("train", "--nodes", 2, "--runs", tmp_path).line


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


def test_the_line_says_what_to_give():
    launcher = Launcher("srun", 5, 8, 4, 2)
    launcher.check(4, 2)
    with pytest.raises(ArcalError, match=r"^srun started 4 processes on each of 2 machines, and "):
        launcher.check(8, 1)
