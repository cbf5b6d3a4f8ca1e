"""Bytes that nobody wrote, for every reader of a user's bytes: an answer or one line.

Each reader gets good files with bytes changed, cut, doubled and put in, and text of hypothesis's
own. `ARCAL_FUZZ` is for how many seconds each is tried, 2 unless given.
"""

import io
import json
import os
import random
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from bad_files import encoded, picture

from arcal.classifiers import open_classifier, read_weights
from arcal.data import kind_of, load, load_part, load_table, load_texts
from arcal.data.images import read_upright
from arcal.data.official_corruptions import mapped
from arcal.errors import ArcalError
from arcal.files import check_replaceable, parse_json
from arcal.prediction_files._files import holds_predictions, read_predictions
from arcal.robustness import Robustness
from arcal.store import (
    RunFolder,
    load_calibrator,
    load_header,
    load_scores,
    load_tensors,
    save_scores,
    save_tensors,
)

SECONDS = float(os.environ.get("ARCAL_FUZZ", "2"))
TINY = {"epoch": 1, "accuracy": 0.5, "name": "cat", "list": [1, 2.5, None, True, {"a": "b"}]}


def _csv() -> bytes:
    return b"a,b,label\n" + b"".join(b"%d,%d.5,%d\n" % (i, i, i % 2) for i in range(30))


def _parquet() -> bytes:
    file = io.BytesIO()
    image = {"bytes": encoded(picture()), "path": None}
    columns = {"image": [image] * 6, "label": [0, 1] * 3, "text": list("abcdef"), "a": [1.5] * 6}
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def _predictions(kind: str) -> bytes:
    file = io.BytesIO()
    logits, labels = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30) % 3
    if kind == "npz":
        np.savez(file, logits=logits, labels=labels)
    elif kind == "parquet":
        pq.write_table(pa.table({"logits": list(logits), "labels": labels}), file)
    elif kind == "jsonl":
        rows = zip(logits.tolist(), labels.tolist(), strict=True)
        objects = [{"logits": dict(zip("abc", row, strict=True)), "label": y} for row, y in rows]
        return "".join(json.dumps(one) + "\n" for one in objects).encode()
    else:
        rows = "".join(f"{a},{b},{c},{y}\n" for (a, b, c), y in zip(logits, labels, strict=True))
        return f"logits_a,logits_b,logits_c,labels\n{rows}".encode()
    return file.getvalue()


def _npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, images=np.zeros((6, 8, 8), np.uint8), labels=np.arange(6) % 2)
    return file.getvalue()


def _npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.arange(30))
    return file.getvalue()


def _tensors() -> bytes:
    path = Path("tensors.safetensors")
    save_tensors(path, {"T": torch.tensor(2.0, dtype=torch.float64)}, model="tiny")
    return path.read_bytes()


def _scores() -> bytes:
    ids = torch.arange(8)
    scores = Robustness(
        order="margin",
        ids=ids,
        robustness=torch.rand(8),
        success=None,
        predicted=ids % 2,
        labels=ids % 2,
        passes=ids,
    )
    save_scores(Path("scores.parquet"), scores, {"model": "tiny"})
    return Path("scores.parquet").read_bytes()


def _pth() -> bytes:
    file = io.BytesIO()
    torch.save({"weight": torch.zeros(3, 4)}, file)
    return file.getvalue()


def _json() -> bytes:
    return json.dumps(TINY).encode()


def _run(path: Path) -> None:
    RunFolder(path.parent).config_checked()


def _metrics(path: Path) -> None:
    RunFolder(path.parent).epochs()


def _image(path: Path) -> None:
    read_upright(path, str(path))


def _transformers(path: Path) -> None:
    open_classifier(f"hf:{path.parent}")


READERS: dict[str, tuple[str, Callable[[], bytes], Callable[[Path], object]]] = {
    "JSON": ("x.json", _json, lambda path: parse_json(path.read_bytes())),
    "config.json of a run": ("config.json", _json, _run),
    "metrics.jsonl": (
        "metrics.jsonl",
        lambda: _json() + b"\n",
        _metrics,
    ),
    "config.json of transformers": ("config.json", _json, _transformers),
    "tensors": ("x.safetensors", _tensors, load_tensors),
    "header of tensors": ("x.safetensors", _tensors, load_header),
    "calibrator": ("x.safetensors", _tensors, load_calibrator),
    "weights, safetensors": ("x.safetensors", _tensors, read_weights),
    "weights, torch": ("x.pth", _pth, read_weights),
    "program": ("x.pt2", _pth, lambda path: open_classifier(str(path))),
    "scores": ("x.parquet", _scores, load_scores),
    "predictions, csv": ("x.csv", lambda: _predictions("csv"), read_predictions),
    "predictions, npz": ("x.npz", lambda: _predictions("npz"), read_predictions),
    "predictions, parquet": ("x.parquet", lambda: _predictions("parquet"), read_predictions),
    "predictions, jsonl": ("x.jsonl", lambda: _predictions("jsonl"), read_predictions),
    "predictions or not": ("x.csv", _csv, holds_predictions),
    "kind of data": ("x.csv", _csv, lambda path: kind_of(str(path))),
    "table, csv": ("x.csv", _csv, lambda path: load_table(str(path))),
    "table, parquet": ("x.parquet", _parquet, lambda p: load_table(str(p), columns=["a"])),
    "table, jsonl": ("x.jsonl", lambda: (_json() + b"\n") * 3, lambda p: load_table(str(p))),
    "texts, parquet": ("x.parquet", _parquet, lambda path: load_texts(str(path))),
    "images, parquet": ("x.parquet", _parquet, lambda path: load_part(str(path))),
    "images, npz": ("x.npz", _npz, lambda path: load_part(str(path))),
    "training data, parquet": ("x-train.parquet", _parquet, lambda p: load(str(p.with_name("x")))),
    "official corruptions": ("x.npy", _npy, mapped),
    "png": ("x.png", lambda: encoded(picture()), _image),
    "jpeg": ("x.jpg", lambda: encoded(picture(), "JPEG"), _image),
    "gif": ("x.gif", lambda: encoded(picture(), "GIF"), _image),
    "tiff": ("x.tif", lambda: encoded(picture(), "TIFF"), _image),
    "webp": (
        "x.webp",
        lambda: encoded(picture(), "WEBP"),
        _image,
    ),
    "bmp": ("x.bmp", lambda: encoded(picture(), "BMP"), _image),
    "file to replace": ("x.parquet", _scores, check_replaceable),
}
REFUSED = (ArcalError, OSError)
"""What a reader may raise: `OSError` names its file, and the command line says it in one line."""
PLAIN = {"JSON": (ValueError,), "config.json of transformers": (ArcalError, ImportError)}
"""Of readers whose callers say it."""


def mutated(data: bytes, draw: random.Random) -> bytes:
    """A file with some of its bytes changed, cut off, doubled or put in."""
    new = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4, 16))):
        place = draw.randrange(len(new) + 1)
        if draw.random() < 0.3:  # where headers and footers are
            place = min(
                len(new),
                draw.choice((draw.randrange(64), max(0, len(new) - draw.randrange(1, 64)))),
            )
        kind = draw.randrange(5)
        if kind == 0 and place < len(new):
            new[place] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del new[place : place + draw.choice((1, 4, 100, len(new)))]
        elif kind == 2:
            new[place:place] = draw.randbytes(draw.choice((1, 4, 40)))
        elif kind == 3:
            new[place : place + 8] = draw.choice(
                (b"\xff" * 8, b"\0" * 8, b"[" * 8, b"9" * 8, b"nan")
            )
        else:
            new[place:place] = new[max(0, place - draw.randrange(1, 60)) : place]
    return bytes(new)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", READERS)
def test_changed_files_are_read_or_refused_in_one_line(
    tmp_path, monkeypatch, name, record_property
):
    monkeypatch.chdir(tmp_path)
    file, make, read = READERS[name]
    good, draw, tried = make(), random.Random(name), 0
    end = None
    while end is None or time.monotonic() < end:
        folder = tmp_path / f"{tried % 50}"
        folder.mkdir(exist_ok=True)
        path = folder / file
        path.write_bytes(mutated(good, draw) if tried else good)
        tried += 1
        check(name, path, read)
        end = end or time.monotonic() + SECONDS  # the first, which imports what it needs, is free
    record_property("tried", tried)
    assert tried > 5


def check(name: str, path: Path, read: Callable[[Path], object]) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read(path)
    except (*REFUSED, *PLAIN.get(name, ())):
        pass
    except Exception as error:
        kept = path.with_name(f"failed-{path.name}")
        kept.write_bytes(path.read_bytes())
        raise AssertionError(f"{name}: {type(error).__name__}: {error}; see {kept}") from error
