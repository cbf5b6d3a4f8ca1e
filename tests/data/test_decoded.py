"""Images that are decoded once: the same as from the files, or made anew."""

import os
from time import sleep

import numpy as np
import pytest

from arcal.data import decoded as room
from arcal.data.decoded import decoded
from arcal.data.parquet import read_parquet
from tiny_files import write_tiny


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ARCAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(room, "WORTH", 1)
    return tmp_path / "cache"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "images"
    path.write_text("one")
    return path


class Decoder:
    """What decodes, and how often it was called."""

    def __init__(self, N=3, fill=7):
        self.images, self.calls = np.full((N, 1, 2, 2), fill, np.uint8), 0

    def __call__(self):
        self.calls += 1
        return self.images


def test_files_are_decoded_once_wherever_they_lie(cache, file):
    first, second = Decoder(), Decoder(fill=8)
    assert (decoded([file], first) == 7).all()
    moved = file.rename(file.with_name("elsewhere"))
    images = decoded([moved], second)
    assert (images == 7).all()
    assert (first.calls, second.calls) == (1, 0)
    images[:] = 9  # a map of one's own
    assert (decoded([moved], second) == 7).all()


def test_a_replaced_file_is_decoded_though_name_size_and_time_are_its_own(cache, file):
    decoded([file], Decoder())
    about = file.stat()
    file.write_text("two")
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert (decoded([file], Decoder(fill=8)) == 8).all()


@pytest.mark.parametrize("how", ["a byte", "cut", "empty", "no array", "another shape"])
def test_a_damaged_cache_is_made_anew(cache, file, how):
    decoded([file], Decoder())
    (path,) = cache.iterdir()
    content = bytearray(path.read_bytes())
    if how == "a byte":
        content[-20] ^= 1
    elif how == "cut":
        del content[-20:]
    elif how == "empty":
        content.clear()
    elif how == "no array":
        content[:] = b"hello"
    else:
        content = content.replace(b"(3, 1, 2, 2)", b"(1, 1, 2, 6)")
    path.write_bytes(content)
    again = Decoder()
    assert (decoded([file], again) == 7).all()
    assert again.calls == 1
    assert (decoded([file], again) == 7).all()
    assert again.calls == 1


def test_the_cache_is_bounded_and_what_was_used_last_stays(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "MOST", 1000)
    for number, name in enumerate("abc"):
        (tmp_path / name).write_text(name)
        decoded([tmp_path / name], Decoder(N=70, fill=number))  # some 424 bytes each
        for age, path in enumerate(sorted(cache.iterdir(), key=lambda p: p.stat().st_mtime_ns)):
            os.utime(path, ns=(age, age))
    assert len(list(cache.iterdir())) == 2
    again = Decoder(fill=9)
    decoded([tmp_path / "c"], again)
    sleep(0.05)  # for a coarse clock, by which b would be as old as c
    decoded([tmp_path / "b"], again)
    assert not again.calls
    assert (decoded([tmp_path / "a"], again) == 9).all(), "the oldest was deleted"
    decoded([tmp_path / "b"], large := Decoder(N=1000))
    assert not large.calls
    (tmp_path / "d").write_text("d")
    decoded([tmp_path / "d"], large)
    decoded([tmp_path / "d"], large)
    assert large.calls == 2, "more than half of the cache is not kept"


def test_parquet_gives_the_same_part(cache, tmp_path):
    source = write_tiny(tmp_path / "data")
    files = {part: (source.with_name(f"tiny-{part}.parquet"),) for part in ("train", "test")}
    first, second = (read_parquet(files, "tiny").values() for _ in range(2))
    assert len(list(cache.iterdir())) == 2
    for one, other in zip(first, second, strict=True):
        assert one.fingerprint() == other.fingerprint()
        assert one.images(one.ids[:3]).equal(other.images(other.ids[:3]))
