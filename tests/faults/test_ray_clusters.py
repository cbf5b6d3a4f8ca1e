"""A Ray cluster that runs already: it works where the command was given, or says why it cannot."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from tests.audits import tiny

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="folders are hidden by mount namespaces"),
]

CODE = """
import torch

def net(x):
    lead = 8 * (x.mean((1, 2, 3)) - 0.5)
    return torch.stack([-lead, lead], dim=1)
"""
ENVIRONMENT = os.environ | {"RAY_AUTH_MODE": "disabled"}


@pytest.fixture
def cluster():
    """Starts a cluster of one core: with its shell's words before it, in another folder."""
    pytest.importorskip("ray")
    ray = Path(sys.executable).with_name("ray")
    sessions = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))  # paths of sockets are short
    started = []

    def start(before: str = "true", **environment: str) -> str:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        options = f"--head --block --port {port} --num-cpus 1 --include-dashboard=false"
        options += f" --temp-dir {sessions} --object-store-memory 100000000"
        command = ["sh", "-c", f"{before} && exec {ray} start {options}"]
        if before != "true":
            command = ["unshare", "-m", *command]
        everything = ENVIRONMENT | environment
        said = sessions / "said"
        with said.open("w") as log:
            started.append(
                subprocess.Popen(
                    command, cwd="/", env=everything, stdout=log, stderr=log, start_new_session=True
                )
            )
        deadline = time.monotonic() + 90
        while "Ray runtime started" not in said.read_text():
            assert time.monotonic() < deadline, said.read_text()
            time.sleep(0.2)
        time.sleep(5)  # until its machine can be asked, too
        return f"127.0.0.1:{port}"

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    shutil.rmtree(sessions, ignore_errors=True)


@pytest.fixture
def here(tmp_path):
    part = tiny.part(300)
    np.savez(tmp_path / "data.npz", images=part.pixels.numpy(), labels=part.labels.numpy())
    (tmp_path / "net.py").write_text(CODE)
    return tmp_path


def score(here, *more):
    command = [sys.executable, "-m", "arcal", "score", "net.py:net", "data.npz", "--threads", "1"]
    return subprocess.run(
        [*command, "--quiet", *more],
        cwd=here,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=240,
    )


def test_a_cluster_started_elsewhere_writes_the_bytes_of_one_process(here, cluster):
    assert score(here, "--out", "one.parquet").returncode == 0
    done = score(here, "--out", "ray.parquet", "--ray", cluster())
    assert done.returncode == 0, done.stderr
    assert (here / "ray.parquet").read_bytes() == (here / "one.parquet").read_bytes()


def test_a_cluster_that_does_not_see_the_folder_is_one_line(here, cluster):
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("this user has no mount namespaces")
    address = cluster(f"mount -t tmpfs none {here}")
    done = score(here, "--ray", address)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert f"of the Ray cluster does not see {here}" in line
    assert "run the command in a folder of a disk that all its machines share" in line
    assert not list(here.rglob("*.parquet"))
