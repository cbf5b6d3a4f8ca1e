"""What only a process of its own can show, and what becomes of errors that nothing foresaw."""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from bad_files import encoded, picture
from bad_networks import NETWORKS

from arcal.cli._failures import line_for
from command_line import arcal

ARCAL = [sys.executable, "-m", "arcal"]


@pytest.fixture
def pets(tmp_path, monkeypatch):
    """A model, and images whose classes and files have names that are orders to a terminal."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pets_net.py").write_text(NETWORKS)
    for i, label in enumerate(("cat\x1b[2J\x07", "dog\nno")):
        for j in range(12):
            path = tmp_path / "odd" / label / f"{j}\x1b]0;title\x07.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(picture(seed=12 * i + j)))
    return tmp_path


def test_names_of_classes_and_files_are_no_orders_to_the_terminal_or_the_page(pets):
    latin = os.fsencode(pets / "odd" / "dog\nno") + b"/\xe9.png"
    Path(os.fsdecode(latin)).write_bytes(encoded(picture(seed=99)))
    done = arcal("audit", "pets_net.py:pets", "odd", "--out", "out", "--order", "margin")
    assert done.code == 0, done.stderr
    for text in (done.stdout, done.stderr):
        assert all(line.isprintable() for line in text.split("\n"))
    said = arcal(
        "audit", "pets_net.py:pets", "odd", "--out", "out", "--order", "margin", "--markdown"
    )
    assert all(line.isprintable() for line in said.stdout.split("\n"))
    page = (pets / "out" / "index.html").read_text(encoding="utf-8")
    assert "cat\\\\x1b[2J\\\\x07" in page
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", page)


def test_an_error_that_nothing_foresaw_is_a_line_and_a_file_with_the_traceback(
    tmp_path, monkeypatch
):
    def fails(*_):
        raise KeyError("no\nsuch \x1b[2J entry")

    monkeypatch.setattr("arcal.cli._parsed.command", lambda *arguments: lambda: fails())
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    done = arcal("train")
    assert (done.code, done.stderr.count("\n")) == (2, 1)
    assert "unforeseen KeyError" in done.stderr
    assert "\x1b" not in done.stderr
    (log,) = tmp_path.glob("arcal-*.log")
    assert str(log) in done.stderr
    assert "raise KeyError" in log.read_text()
    debug = arcal("train", "--debug").stderr
    assert debug.startswith("Traceback")
    assert "raise KeyError" in debug
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    assert arcal("train").stderr.endswith("the same command with --debug prints the traceback\n")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "memory ran out: run fewer"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "memory ran out (Default"),
        (RuntimeError("CUDA out of memory. Tried"), "memory ran out (CUDA"),
        (ImportError("libx.so: cannot open shared object file"), "a library cannot be loaded"),
        (OSError(28, "No space left on device", "runs/x"), "runs/x: no space left on device: free"),
        (OSError(5, "Input/output error", "runs/x"), "runs/x: input/output error: free some space"),
        (OSError(24, "Too many open files", "x"), "x: too many open files: raise the limit"),
        (OSError(13, "Permission denied", "a", None, "b"), "a and b: permission denied; put that"),
        (OSError("something\nelse"), "something else; finished work is kept"),
    ],
)
def test_errors_of_the_machine_say_what_to_do(error, words):
    assert line_for(error).startswith(words)


def _limited(kind: int, most: int):
    return lambda: resource.setrlimit(kind, (most, most))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "limit", "words"),
    [
        (["train", "--threads", "1000000"], None, "1000000 threads: at most 1,024"),
        (["train", "--network", "huge"], (resource.RLIMIT_NOFILE, 8), "network 'huge'"),
        (["train", "--network", "huge"], (resource.RLIMIT_AS, 200 << 20), "cannot be loaded"),
        (["audit", b"\xff\xfe"], None, "\\udcff\\udcfe is missing"),
        (["audit", b"caf\xe9.py:net", b"\xe9"], None, "caf\\udce9.py is missing"),
        (["train", "--data", b"\xe9"], None, "\\udce9"),
    ],
)
def test_a_process_of_its_own_ends_in_one_line(tmp_path, arguments, limit, words):
    done = subprocess.run(
        [*ARCAL, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=_limited(*limit) if limit else None,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert words in done.stderr
