"""Files: what is not arcal's is never replaced, and a lock opens nothing but a lock."""

import errno
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from arcal import files
from arcal.auditing import CLEAN, Provenance, Subject, as_predictions
from arcal.errors import ArcalError
from arcal.evaluation import write_table
from arcal.files import check_replaceable, locked

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

    def refuse(file, how):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    if files.fcntl is None:
        pytest.skip("there are no locks at all")
    monkeypatch.setattr(files.fcntl, "flock", refuse)
    with pytest.raises(ArcalError, match="its file system has no locks"), locked(tmp_path / "a"):
        pass
    with locked(tmp_path / "a", needed=False) as held:
        assert held
