"""Programs of torch.export from their files, and what is not opened."""

import io
import json
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.export import Dim, export, save

from arcal.auditing import check_model
from arcal.classifiers import open_classifier
from arcal.errors import ArcalError

pytestmark = pytest.mark.processor


@pytest.fixture
def net():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)
        ).eval()


@pytest.fixture
def file(net, tmp_path):
    program = export(net, (torch.rand(4, 3, 8, 8),), dynamic_shapes=({0: Dim("batch")},))
    save(program, tmp_path / "net.pt2")
    return tmp_path / "net.pt2"


def test_a_program_is_its_network(net, file):
    opened, x = open_classifier(str(file)), torch.rand(7, 3, 8, 8)
    torch.testing.assert_close(opened.model(x), net(x))
    assert (opened.kind, opened.input_shape, opened.name) == ("images", (3, 8, 8), "net")
    assert opened.facts["Weights"].startswith("net.pt2, SHA-256 ")
    check_model(opened.model, x, classes=5)
    normalized = open_classifier(str(file), normalize=(0.5, 0.25))
    torch.testing.assert_close(normalized.model(x), net((x - 0.5) / 0.25))
    assert normalized.fingerprint() != opened.fingerprint()


def test_a_program_of_one_batch_size_and_of_a_table(tmp_path):
    layer = nn.Linear(6, 3)
    save(export(layer, (torch.rand(4, 6),)), tmp_path / "table.pt2")
    opened, x = open_classifier(str(tmp_path / "table.pt2")), torch.rand(7, 6)
    torch.testing.assert_close(opened.model(x), layer(x))
    assert (opened.kind, opened.input_shape) == ("table", (6,))


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


def rewritten(file, name, change):
    """The file with one entry changed or added."""
    with zipfile.ZipFile(file) as archive:
        entries = {entry: archive.read(entry) for entry in archive.namelist()}
    (key,) = [entry for entry in entries if entry.endswith(name)] or [f"archive/{name}"]
    entries[key] = change(entries.get(key, b""))
    with zipfile.ZipFile(file, "w") as archive:
        for entry, content in entries.items():
            archive.writestr(entry, content)


def pickled(value):
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def with_pickle(config):
    if not config:
        pytest.skip("this torch writes no such entry")
    about = json.loads(config)
    next(iter(about["config"].values()))["use_pickle"] = True
    return json.dumps(about).encode()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("sample_inputs/model.pt", lambda _: pickled(((Evil("was here"),), {}))),
        ("model_weights_config.json", with_pickle),
        ("data/constants/custom_obj_0", lambda _: b""),
        ("data/constants/opaque_obj_0", lambda _: b""),
        ("data/aotinductor/model/net.so", lambda _: b""),
        ("data/weights/model.pt", lambda _: pickled(Evil("was here"))),
    ],
)
def test_what_would_be_unpickled_or_linked_is_not_opened(name, change, file, monkeypatch):
    monkeypatch.chdir(file.parent)
    rewritten(file, name, change)
    with pytest.raises(ArcalError, match="compiled code or would be unpickled") as caught:
        open_classifier("net.pt2")
    assert "\n" not in str(caught.value)
    assert not Path("was here").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"\x80\x02"])
def test_a_damaged_file_is_one_line(content, tmp_path):
    (tmp_path / "net.pt2").write_bytes(content)
    with pytest.raises(ArcalError, match="cannot be read as an exported program") as caught:
        open_classifier(str(tmp_path / "net.pt2"))
    assert "\n" not in str(caught.value)


def test_another_archive_and_a_missing_file_are_one_line(tmp_path):
    with zipfile.ZipFile(tmp_path / "net.pt2", "w") as archive:
        archive.writestr("version", "1")
    with pytest.raises(ArcalError, match="cannot be read as an exported program"):
        open_classifier(str(tmp_path / "net.pt2"))
    with pytest.raises(ArcalError, match="is missing"):
        open_classifier(str(tmp_path / "other.pt2"))
