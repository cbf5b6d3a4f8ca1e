"""Data behind URLs: a web server, a store in memory and this disk, each without a mock."""

import functools
import http.server
import shutil
import tarfile
import threading
from io import BytesIO

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from arcal.data import load, load_part, load_table, load_test, remote
from arcal.data.remote import listed
from arcal.errors import ArcalError
from command_line import arcal


def encoded(number):
    file = BytesIO()
    pixels = np.random.default_rng(number).integers(0, 255, (8, 8, 3), np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write_parquet(path, first, N):
    rows = {"image": [{"bytes": encoded(first + i)} for i in range(N)]}
    pq.write_table(pa.table(rows | {"label": [i % 2 for i in range(N)]}), path)


@pytest.fixture
def pets(tmp_path):
    """A folder of Parquet shards and one of a WebDataset."""
    folder = tmp_path / "data" / "pets"
    folder.mkdir(parents=True)
    write_parquet(folder / "train.parquet", 0, 20)
    for shard in range(2):
        write_parquet(folder / f"test-{shard:05}-of-00002.parquet", 100 + 10 * shard, 6)
    (folder.parent / "web").mkdir()
    for shard in range(2):
        with tarfile.open(folder.parent / "web" / f"val-{shard:03}.tar", "w") as tar:
            for i in range(4):
                for ending, data in (("png", encoded(4 * shard + i)), ("cls", b"01"[i % 2 :][:1])):
                    member = tarfile.TarInfo(f"{shard}{i}.{ending}")
                    member.size = len(data)
                    tar.addfile(member, BytesIO(data))
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ARCAL_CACHE", str(tmp_path / "cache"))
    yield tmp_path / "cache"
    released()


class Server(http.server.ThreadingHTTPServer):
    """What was asked for, besides what it serves."""

    def __init__(self, folder):
        self.sent = []
        super().__init__(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        assert isinstance(self.server, Server)
        self.server.sent.append(self.path)
        super().do_GET()

    def log_message(self, format, *args):
        pass


@pytest.fixture
def server(pets):
    with Server(pets.parent) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def in_memory(folder, name):
    store = fsspec.filesystem("memory")
    for path in folder.iterdir():
        store.pipe(f"/{name}/{path.name}", path.read_bytes())
    return f"memory://{name}"


@pytest.fixture(params=["http", "memory", "file"])
def url(request, pets):
    if request.param == "http":
        return f"{request.getfixturevalue('server').url}/pets"
    return in_memory(pets, "pets") if request.param == "memory" else f"file://{pets}"


def same(one, other):
    assert (one.name, one.classes) == (other.name, other.classes)
    assert one.fingerprint() == other.fingerprint()
    every = torch.arange(len(one))
    assert torch.equal(one.images(every), other.images(every))


def test_a_part_is_the_local_one(url, pets):
    same(load_part(url), load_part(str(pets)))
    same(load_part(f"{url}/", part="train"), load_part(str(pets), part="train"))
    same(load_part(f"{url}/train.parquet"), load_part(str(pets / "train.parquet")))


def test_training_data_are_the_local_ones(url, pets):
    far, near = load(url, validation=5), load(str(pets), validation=5)
    for name in ("train", "validation", "test"):
        same(far.part(name), near.part(name))
    same(load_test(url), load_test(str(pets)))


def test_shards_of_a_webdataset(pets, server):
    web = pets.parent / "web"
    same(load_part(f"{server.url}/web"), load_part(str(web)))
    same(load_part(in_memory(web, "web")), load_part(str(web)))


def test_a_table(tmp_path, server):
    (tmp_path / "data" / "rows.csv").write_text("a,b,label\n1,2,0\n3,4,1\n")
    assert load_table(f"{server.url}/rows.csv").rows.tolist() == [[1, 2], [3, 4]]


def test_each_file_is_copied_once_and_again_when_it_changes(pets, server, cache):
    def copied():
        return [path.rpartition("/")[2] for path in server.sent if path.endswith(".parquet")]

    load_part(f"{server.url}/pets")
    shards = [f"test-0000{i}-of-00002.parquet" for i in range(2)]
    assert copied() == shards, "and no other part"
    load_part(f"{server.url}/pets")
    assert copied() == shards
    write_parquet(pets / shards[1], 500, 7)
    same(load_part(f"{server.url}/pets"), load_part(str(pets)))
    assert copied() == [*shards, shards[1]]
    (copy,) = cache.rglob(shards[0])  # one that is cut short
    copy.write_bytes(copy.read_bytes()[:-1])
    same(load_part(f"{server.url}/pets"), load_part(str(pets)))
    assert copied() == [*shards, shards[1], shards[0]]


def named(cache):
    return {path.parent.name: path.name for path in cache.rglob("*.parquet")}


def released():
    remote._held.close()
    remote._folders.clear()


def test_copies_used_longest_ago_make_room(pets, cache, monkeypatch):
    size = (pets / "train.parquet").stat().st_size
    monkeypatch.setenv("ARCAL_CACHE_LIMIT", str(2.5 * size / 2**30))
    urls = {name: f"{in_memory(pets, name)}/train.parquet" for name in ("one", "two", "three")}
    for name in ("one", "two", "one"):
        load_part(urls[name])
        released()  # as when the process ends
    assert named(cache).keys() == {"one", "two"}
    part = load_part(urls["three"])
    assert named(cache).keys() == {"one", "three"}
    assert not [*(cache / "remote" / "memory" / "two").glob(".train*")], "nothing is left of it"
    for name in ("one", "two"):  # all in use: more than the limit
        load_part(urls[name])
    assert named(cache).keys() == {"one", "two", "three"}
    assert len(part.images(torch.arange(20))) == 20
    released()
    load_part(urls["two"])
    assert named(cache).keys() == {"one", "two", "three"}, "nothing was copied"


def test_no_name_leads_out_of_the_cache(server, pets, cache):
    page = '<a href="../../../etc/x.parquet">x</a> <a href="test.parquet">y</a>'
    (pets / "index.html").write_text(page)
    with listed(f"{server.url}/pets") as there:
        assert [path.name for path in there.path.rglob("*") if path.is_file()] == ["test.parquet"]


def refused(url, **options):
    with pytest.raises(ArcalError) as caught:
        load_part(url, **options)
    (line,) = str(caught.value).splitlines()
    return line


def test_what_cannot_be_read_is_one_line(pets, server, monkeypatch, tmp_path):
    assert refused(f"{server.url}/none").startswith(f"{server.url}/none is not there: give the URL")
    assert "pets/none.parquet is not there" in refused(f"{server.url}/pets/none.parquet")
    assert "is not there" in refused("memory://nowhere")
    assert "has no part 'valid'" in refused(f"{server.url}/pets", part="valid").replace(
        "'validation'", "'valid'"
    )
    assert f"{server.url}/pets has no part" in refused(f"{server.url}/pets", part="other")
    shutil.rmtree(pets)
    (pets / "cat").mkdir(parents=True)
    (pets / "cat" / "1.png").write_bytes(encoded(1))
    assert "holds nothing that can be read from a URL" in refused(f"{server.url}/pets")
    assert "cannot be read" in refused("nonsense://x/y.parquet")
    port = server.url.rpartition(":")[2]
    server.server_close()
    server.shutdown()
    assert "cannot be read" in refused(f"http://127.0.0.1:{port}/x.parquet")
    monkeypatch.setenv("ARCAL_CACHE", "")
    assert "ARCAL_CACHE is empty" in refused(f"{in_memory_one()}/x.parquet")


def in_memory_one():
    fsspec.filesystem("memory").pipe("/one/x.parquet", b"no Parquet")
    return "memory://one"


def test_commands_take_urls(server, pets, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = "from torch import nn\nnet = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))\n"
    (tmp_path / "net.py").write_text(f"import torch\ntorch.manual_seed(0)\n{code}")
    for where, url in (("near", str(pets)), ("far", f"{server.url}/pets")):
        done = arcal("score", "net.py:net", url, "--out", f"{where}.parquet", "-q")
        assert done.code == 0, done.stderr
    near, far = (pq.read_table(f"{where}.parquet") for where in ("near", "far"))
    assert near.equals(far), "but for where the data is, which their metadata say"
    done = arcal("audit", "net.py:net", f"{server.url}/pets", "--order", "none", "-q")
    assert done.code == 0, done.stderr
    assert "is not there" in arcal("audit", "net.py:net", f"{server.url}/nix").line
    assert "is not there" in arcal("train", "--data", f"{server.url}/nix").line
