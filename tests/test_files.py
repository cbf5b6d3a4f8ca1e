"""Files: what is not arcal's is never replaced, and a lock opens nothing but a lock."""

import ast
import errno
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from arcal import files
from arcal.auditing import CLEAN, Provenance, Subject, as_predictions
from arcal.errors import ArcalError
from arcal.evaluation import write_table
from arcal.files import check_replaceable, locked, meant, write_json, write_text

MINE = {
    "notes.md": b"# What arcal says of my network\n",
    "index.html": b"<!doctype html><title>My page</title>",
    "figures.json": b'{"seeds": [0, 1]}',
    "test.parquet": b"PAR1 not quite",
    "checkpoint.pt": b"weights",
    "empty.parquet": b"",
}


@pytest.mark.parametrize("name", MINE)
def test_what_arcal_did_not_write_is_not_replaced(name, tmp_path):
    (tmp_path / name).write_bytes(MINE[name])
    with pytest.raises(ArcalError, match="arcal did not write it"):
        check_replaceable(tmp_path / name)


def test_a_users_parquet_is_not_replaced_by_a_table(tmp_path):
    sure = as_predictions(probabilities=[[0.75, 0.25], [0.25, 0.75]], labels=[0, 1])
    subject = Subject.from_predictions("vanilla", {CLEAN: [sure]}, provenance=[Provenance("s0")])
    mine, table = tmp_path / "test.parquet", tmp_path / "figures.parquet"
    pq.write_table(pa.table({"image": [b"..."], "label": [3]}), mine)
    before = mine.read_bytes()
    with pytest.raises(ArcalError, match=r"test\.parquet exists, and arcal did not write it"):
        write_table(mine, [subject])
    assert mine.read_bytes() == before
    write_table(table, [subject])
    write_table(table, [subject])  # its own is replaced


def test_an_audit_replaces_its_own_files_only(tmp_path):
    import arcal

    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2)).eval()
    x, y = torch.rand(40, 3, 2, 2), torch.arange(40) % 2
    audit = arcal.audit(model, (x, y), order="margin", shift=[])
    audit.report(tmp_path / "out")
    audit.report(tmp_path / "out")
    for name in ("index.html", "audit.json", "inputs.parquet", "model-card.md"):
        other = tmp_path / name.replace(".", "-")
        other.mkdir()
        (other / name).write_text(json.dumps({"mine": name}))
        with pytest.raises(ArcalError, match="arcal did not write it"):
            audit.report(other)
        assert [path.name for path in other.iterdir()] == [name]
        assert json.loads((other / name).read_text()) == {"mine": name}


def test_what_is_flushed_is_open_for_writing_as_windows_wants_it(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def fsync(file: int) -> None:
        if fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(os, "fsync", fsync)
    write_json(tmp_path / "seeds.json", [0, 1])
    assert (tmp_path / "seeds.json").read_text() == "[\n  0,\n  1\n]\n"


def test_a_lock_empties_no_file(tmp_path):
    lock = tmp_path / ".lock"
    lock.write_text("mine")
    with locked(lock):
        pass
    assert lock.read_text() == "mine"


def test_a_lock_is_not_opened_through_a_symbolic_link(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / ".lock").symlink_to(tmp_path / "mine.txt")
    with pytest.raises(ArcalError, match="is a symbolic link"), locked(tmp_path / ".lock"):
        pass
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without named pipes")
def test_a_lock_that_is_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / ".lock")
    with pytest.raises(ArcalError, match="is not a file"), locked(tmp_path / ".lock"):
        pass


def test_a_file_system_without_locks_is_one_line(tmp_path, monkeypatch):
    """As some that lie on other machines: there is none here."""
    import arcal.files as files

    def refuse(file, how):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    if files.fcntl is None:
        pytest.skip("there are no locks at all")
    monkeypatch.setattr(files.fcntl, "flock", refuse)
    with pytest.raises(ArcalError, match="its file system has no locks"), locked(tmp_path / "a"):
        pass
    with locked(tmp_path / "a", needed=False) as held:
        assert held


def test_a_file_that_another_program_reads_is_replaced_when_it_is_done(tmp_path, monkeypatch):
    replace, refusals = Path.replace, iter([PermissionError(13, "in use")] * 2)

    def as_on_windows(self, target):
        for refusal in refusals:
            raise refusal
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", as_on_windows)
    monkeypatch.setattr(files, "WAITS", (0, 0))
    write_text(tmp_path / "a.txt", "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_texts_have_one_encoding_and_one_end_of_lines_on_every_system():
    """Of what ruff cannot see: calls on values whose type it does not know."""
    for path in (Path(files.__file__).parent).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr in ("read_text", "write_text"):
                line = f"{path}:{node.lineno}"
                assert node.func.attr == "read_text", f"{line}: arcal.files.write_text"
                first = [one.value for one in node.args if isinstance(one, ast.Constant)]
                named = {one.arg for one in node.keywords}
                assert "encoding" in named or "utf-8" in first, line


def test_what_was_meant_is_not_guessed_in_a_folder_that_may_not_be_listed(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    assert meant(tmp_path / "phtos") == f"did you mean {tmp_path / 'photos'}?"

    def refused(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(Path, "iterdir", refused)
    assert meant(tmp_path / "phtos") is None
