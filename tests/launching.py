"""Two processes of one program that find each other, started by `torchrun` or as it does it."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from torch import distributed


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def torchrun(*options: Any) -> list[str]:
    """The beginning of a command that `torchrun` starts."""
    return [sys.executable, "-m", "torch.distributed.run", *map(str, options), "-m", "arcal"]


def on_one_machine(*options: Any) -> list[str]:
    """The same in two processes."""
    return torchrun("--nproc-per-node", 2, "--master-port", free_port(), *options)


def start(command: Iterable[Any], **values: str) -> "subprocess.Popen[str]":
    """Start a command, with more in its environment."""
    return subprocess.Popen(
        [*map(str, command)],
        env=os.environ | {"OMP_NUM_THREADS": "1"} | values,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: "subprocess.Popen[str]") -> tuple[int, list[str]]:
    """The exit code, and the lines that arcal itself said."""
    try:
        out, said = process.communicate(timeout=240)
    finally:
        process.kill()
    return process.returncode, [line for line in (out + said).splitlines() if _is_ours(line)]


def _is_ours(line: str) -> bool:
    return line.startswith(("arcal: ", "two", "srun", "runs", "/"))


def on_two_processes(program: Path, *arguments: Any, seconds: int = 240, killed: int = 0) -> None:
    """Run a program in two processes; as soon as one fails, fail with what both wrote.

    `killed` is the exit code that both are expected to end with.
    """
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2"}
    group |= {"GROUP_RANK": "0", "LOCAL_WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "test"}
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    with TemporaryFile() as said:
        processes = [
            subprocess.Popen(
                [sys.executable, program, *map(str, arguments)],
                env=os.environ
                | group
                | {"RANK": str(rank), "LOCAL_RANK": str(rank), "PYTHONPATH": path},
                stderr=said,
            )
            for rank in range(2)
        ]
        end = time.monotonic() + seconds
        try:
            while {process.poll() for process in processes} != {killed}:
                codes = {process.poll() for process in processes} - {None, killed}
                if codes or time.monotonic() > end:
                    said.seek(0)
                    raise AssertionError(f"{codes or 'too slow'}: {said.read().decode()}")
                time.sleep(0.1)
        finally:
            for process in processes:
                process.kill()
                process.wait()


def one_of_two(main: Callable[[int], Any]) -> None:
    """In such a process: write what `main` returns for its rank, as JSON, and end.

    The program's one argument is a folder; the file there is called as the rank is.
    """
    distributed.init_process_group("gloo")
    rank = distributed.get_rank()
    (Path(sys.argv[1]) / str(rank)).write_text(json.dumps(main(rank)))
    distributed.barrier()
    os._exit(0)  # gloo's threads may abort an orderly exit
