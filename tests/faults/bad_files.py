"""A folder of good and bad files, of every kind that the command line reads."""

import io
import json
import os
import shutil
import struct
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from bad_networks import NETWORKS
from PIL import Image
from safetensors.torch import save_file

from arcal.store import content_hash
from arcal.training import RECIPES, Run, train
from tiny_files import write_tiny

BROKEN_CODE = {
    "syntax.py": "def network(:\n",
    "raising.py": "raise RuntimeError('two\\nlines')\n",
    "exiting.py": "import sys; sys.exit(3)\n",
    "importing.py": "import a_module_that_nobody_has\n",
    "endless.py": "def f(): f()\nf()\n",
    "empty.py": "",
    "latin.py": b"name = '\xe9'\n",
    "nul.py": b"x = 1\0\n",
}


def picture(size: tuple[int, int] = (16, 16), mode: str = "RGB", seed: int = 0) -> Image.Image:
    """A picture of noise."""
    channels = len(mode) if mode in ("RGB", "RGBA", "CMYK") else 1
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], channels), np.uint8)
    return Image.fromarray(pixels.squeeze() if channels == 1 else pixels, mode)


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    """The bytes of a file of the picture."""
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it has so many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def write_world(folder: Path) -> Path:
    """All of it; returns the folder."""
    for write in (_models, _pictures, _tables, _predictions, _arrays, _runs, _rest):
        write(folder)
    return folder


def _text(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def _models(folder: Path) -> None:
    _text(folder / "nets.py", NETWORKS)
    for name, text in BROKEN_CODE.items():
        _text(folder / name, text)
    save_file(
        {"1.weight": torch.zeros(3, 784), "1.bias": torch.zeros(3)}, folder / "grey.safetensors"
    )
    save_file({"1.weight": torch.zeros(3, 5)}, folder / "other.safetensors")
    save_file(
        {"1.weight": torch.full((3, 784), torch.nan), "1.bias": torch.zeros(3)},
        folder / "nan.safetensors",
    )
    whole = (folder / "grey.safetensors").read_bytes()
    _text(folder / "half.safetensors", whole[: len(whole) // 2])
    _text(folder / "length.safetensors", struct.pack("<Q", 2**62) + whole[8:])
    _text(folder / "header.safetensors", struct.pack("<Q", 4) + b"[[[[")
    _text(folder / "zeros.safetensors", bytes(4096))
    _text(folder / "empty.safetensors", b"")
    torch.save({"1.weight": torch.zeros(3, 784)}, folder / "some.pth")
    torch.save([1, 2, 3], folder / "list.pth")
    torch.save("text", folder / "text.pth")
    _text(folder / "half.pth", (folder / "some.pth").read_bytes()[:300])
    _text(folder / "pickle.pth", b"cos\nsystem\n(S'touch was_run'\ntR.")
    _text(folder / "text.pt2", "not a program")
    with zipfile.ZipFile(folder / "zip.pt2", "w") as archive:
        archive.writestr("hello", "there")
    for name, config in {
        "object": {"architectures": ["BertForImageClassification"], "model_type": "no-such"},
        "number": 3,
        "list": [1],
        "architectures": {"architectures": 3, "model_type": "vit"},
        "empty": {},
    }.items():
        _text(folder / "hf" / name / "config.json", json.dumps(config))
    _text(folder / "hf" / "brackets" / "config.json", "[" * 100_000)
    _text(folder / "hf" / "broken" / "config.json", "{")
    _text(folder / "hf" / "bytes" / "config.json", b"\xff\xfe\x00")


def _pictures(folder: Path) -> None:
    for label in ("cat", "dog"):
        for i in range(12):
            _text(folder / "pets" / label / f"{i:02}.png", encoded(picture(seed=i)))
    broken = {
        "half.png": encoded(picture())[:200],
        "empty.png": b"",
        "text.png": b"hello",
        "nul.jpg": bytes(1000),
        "huge.png": png_that_claims(60_000, 60_000),
        "large.png": png_that_claims(10_000, 10_000),
        "nothing.png": png_that_claims(0, 0),
        "deep.png": encoded(Image.fromarray(np.zeros((16, 16), np.uint16))),
        "whole.tif": encoded(Image.fromarray(np.ones((16, 16), np.int32)), "TIFF"),
        "script.eps.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\n",
    }
    for name, data in broken.items():
        root = folder / "broken" / name.split(".")[0]
        shutil.copytree(folder / "pets", root)
        _text(root / "cat" / name, data)
    sizes = folder / "sizes"
    shutil.copytree(folder / "pets", sizes)
    _text(sizes / "cat" / "wide.png", encoded(picture((40, 16))))
    for name in ("no-images", "one-class", "nested", "only-text"):
        (folder / name / "cat").mkdir(parents=True)
    _text(folder / "no-images" / "dog" / "a.txt", "hello")
    _text(folder / "one-class" / "cat" / "0.png", encoded(picture()))
    _text(folder / "nested" / "cat" / "deeper" / "0.png", encoded(picture()))
    _text(folder / "only-text" / "readme.txt", "hello")
    (folder / "empty-folder").mkdir()
    escapes = folder / "escapes"
    shutil.copytree(folder / "pets" / "cat", escapes / "cat\x1b[2J\x07")
    shutil.copytree(folder / "pets" / "dog", escapes / "dog\nsecond line")
    shutil.copytree(folder / "pets" / "cat", folder / "latin" / os.fsdecode(b"\xe9l\xe9phant"))
    shutil.copytree(folder / "pets" / "dog", folder / "latin" / "dog")


def _tables(folder: Path) -> None:
    rows = "\n".join(f"{i / 10:.1f},{i % 3},{i % 2}" for i in range(40))
    _text(folder / "rows.csv", f"a,b,label\n{rows}\n")
    _text(folder / "no-label.csv", "a,b\n1,2\n3,4\n")
    _text(folder / "header.csv", "a,b,label\n")
    _text(folder / "empty.csv", "")
    _text(folder / "words.csv", f"a,b,label\n{rows}\nhello,1,0\n")
    _text(folder / "gap.csv", f"a,b,label\n{rows}\n,1,0\n")
    _text(folder / "nan.csv", f"a,b,label\n{rows}\nnan,1,0\n")
    _text(folder / "negative.csv", f"a,b,label\n{rows}\n1,1,-3\n")
    _text(folder / "half.csv", f"a,b,label\n{rows}\n1,1,0.5\n")
    _text(folder / "ragged.csv", "a,b,label\n1,2\n3,4,5,6\n")
    _text(folder / "quote.csv", 'a,b,label\n"1,2,3\n')
    _text(folder / "latin.csv", b"a,b,label\n1,2,\xe9\n2,3,\xe8\n")
    _text(folder / "binary.csv", bytes(range(256)) * 4)
    _text(folder / "twice.csv", f"a,a,label\n{rows}\n")
    _text(folder / "nul.csv", b"a,b,label\n1,\x00,0\n")
    _text(folder / "text.parquet", "PAR1 but no Parquet PAR1")
    pq.write_table(pa.table({"a": [1.0, 2.0], "label": [0, 1]}), folder / "rows.parquet")
    whole = (folder / "rows.parquet").read_bytes()
    _text(folder / "half.parquet", whole[: len(whole) // 2])
    _text(folder / "tail.parquet", whole[:-20])
    _text(folder / "flipped.parquet", whole[:-40] + b"\xff" * 8 + whole[-32:])
    image = {"bytes": encoded(picture((28, 28), "L")), "path": None}
    for name, columns in {
        "no-bytes": {"image": [{"bytes": None, "path": "x.png"}] * 4, "label": [0, 1, 0, 1]},
        "damaged": {"image": [{"bytes": b"hello", "path": None}] * 4, "label": [0, 1, 0, 1]},
        "no-label": {"image": [image] * 4},
        "null-label": {"image": [image] * 4, "label": [0, 1, None, 1]},
        "far-label": {"image": [image] * 4, "label": [0, 1, 2, 10**9]},
        "list-label": {"image": [image] * 4, "label": [[0], [1], [0], [1]]},
        "text-image": {"image": ["a", "b", "c", "d"], "label": [0, 1, 0, 1]},
        "long-image": {"image": ["ab" * 5000] * 4, "label": [0, 1, 0, 1]},
        "list-image": {"image": [[0, 1, 2, 3]] * 4, "label": [0, 1, 0, 1]},
        "twice-id": {"image": [image] * 4, "label": [0, 1, 0, 1], "ID": [3, 5, 7, 5]},
        "no-rows": {
            "image": pa.array([], pa.struct([("bytes", pa.binary())])),
            "label": pa.array([], pa.int64()),
        },
    }.items():
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    listing = "path,label\npets/cat/00.png,cat\nmissing/1.png,dog\n"
    _text(folder / "listing.csv", listing)
    _text(folder / "brackets.json", "[" * 100_000)
    _text(folder / "brackets.jsonl", "[" * 100_000)
    _text(folder / "brackets-test.json", "[" * 100_000)


ALONE = ("alone", "list", "ids")
"""Files of JSON lines in which every line is of this kind."""


def _predictions(folder: Path) -> None:
    files: dict[str, str | bytes] = {}
    good = "\n".join(f"{0.5 + i / 100:.2f},{0.5 - i / 100:.2f},{i % 2}" for i in range(40))
    head = "probabilities_cat,probabilities_dog"
    files["good"] = f"{head},labels\n{good}\n"
    files["no-outputs"] = f"a,b,labels\n{good}\n"
    files["no-labels"] = f"{head}\n0.5,0.5\n"
    files["words"] = f"{head},labels\n{good}\nhalf,half,0\n"
    files["nan"] = f"{head},labels\n{good}\nnan,0.5,0\n"
    files["infinite"] = f"logits_cat,logits_dog,labels\n{good}\ninf,0.5,0\n"
    files["gap"] = f"{head},labels\n{good}\n,0.5,0\n"
    files["above"] = f"{head},labels\n{good}\n1.5,-0.5,0\n"
    files["sums"] = f"{head},labels\n{good}\n0.2,0.2,0\n"
    files["label-2"] = f"{head},labels\n{good}\n0.5,0.5,2\n"
    files["label-minus"] = f"{head},labels\n{good}\n0.5,0.5,-1\n"
    files["label-bird"] = f"{head},labels\n0.5,0.5,cat\n0.5,0.5,bird\n"
    files["label-gap"] = f"{head},labels\n{good}\n0.5,0.5,\n"
    files["label-half"] = f"{head},labels\n{good}\n0.5,0.5,0.5\n"
    files["one-class"] = "probabilities_cat,labels\n0.5,0\n0.6,0\n"
    files["ids-twice"] = f"{head},labels,ids\n0.5,0.5,0,7\n0.4,0.6,1,7\n"
    files["ids-text"] = f"{head},labels,ids\n0.5,0.5,0,a\n0.4,0.6,1,a\n"
    files["ids-half"] = f"{head},labels,ids\n0.5,0.5,0,0.5\n0.4,0.6,1,0.7\n"
    files["weights-minus"] = f"{head},labels,weights\n0.5,0.5,0,-1\n0.4,0.6,1,1\n"
    files["weights-text"] = f"{head},labels,weights\n0.5,0.5,0,a\n0.4,0.6,1,b\n"
    files["weights-zero"] = f"{head},labels,weights\n0.5,0.5,0,0\n0.4,0.6,1,0\n"
    files["weights-nan"] = f"{head},labels,weights\n0.5,0.5,0,nan\n0.4,0.6,1,1\n"
    files["late-others"] = "id,label\n8,cat\n"
    files["late-bird"] = "id,label\n7,bird\n"
    files["no-rows"] = f"{head},labels\n"
    files["both"] = f"{head},logits_cat,labels\n0.5,0.5,1,0\n0.4,0.6,2,1\n"
    files["three"] = "logits_a,logits_b,logits_c,labels\n1,2,3,0\n3,2,1,1\n"
    right = "\n".join(f"{0.5 + i / 100:.2f},{i % 2}" for i in range(40))
    files["answers"] = f"confidence,correct\n{right}\n"
    files["answers-percent"] = f"confidence,correct\n{right}\n95,1\n"
    files["answers-perhaps"] = f"confidence,correct\n{right}\n.5,perhaps\n"
    files["answers-half"] = f"confidence,correct\n{right}\n.5,.5\n"
    files["answers-graded"] = "id,correct\na,1\nb,0\n"
    files["answers-gap"] = f"confidence,correct\n{right}\n.5,\n"
    files["answers-names"] = "confidence,predicted,label\n.5,cat,0\n.6,dog,1\n"
    files["answers-alone"] = "confidence\n.5\n.6\n"
    for name, text in files.items():
        _text(folder / "said" / f"{name}.csv", text)
    for name, line in {
        "cut": '{"label": "cat", "probabilities": {"cat": 0.5, "dog',
        "array": '[{"label": "cat", "probabilities": {"cat": 0.5, "dog": 0.5}}]',
        "gap": '{"label": "cat", "probabilities": {"cat": 1}}',
        "text": '{"label": "cat", "probabilities": {"cat": "high", "dog": 0.5}}',
        "ids": '{"id": "7", "probabilities": {"cat": 0.5, "dog": 0.5}}',
        "alone": '{"label": "cat", "confidence": 0.5}',
        "list": '{"label": "cat", "probabilities": [0.5, 0.5]}',
        "bird": '{"label": "bird", "probabilities": {"cat": 0.5, "dog": 0.5}}',
    }.items():
        first = '{"label": "dog", "probabilities": {"cat": 0.5, "dog": 0.5}}\n'
        _text(folder / "said" / f"{name}.jsonl", f"{'' if name in ALONE else first}{line}\n")
    two = np.array([[0.75, 0.25], [0.5, 0.5]])
    for name, arrays in {
        "lengths": {"probabilities": two, "labels": [0, 1, 1]},
        "flat": {"probabilities": np.array([0.5, 0.5]), "labels": [0, 1]},
        "deep": {"logits": np.zeros((2, 2, 2, 2)), "labels": [0, 1]},
        "strings": {"logits": np.array([["a", "b"]] * 2), "labels": [0, 1]},
        "complex": {"logits": two * 1j, "labels": [0, 1]},
        "classes": {"logits": two, "labels": [0, 1], "classes": ["cat"]},
        "no-outputs": {"x": two, "labels": [0, 1]},
        "scalar": {"logits": np.array(3.0), "labels": [0, 1]},
        "empty": {"logits": np.zeros((0, 2)), "labels": np.zeros(0, int)},
        "far": {"logits": two, "labels": [0, 2**60]},
        "labels-2d": {"logits": two, "labels": two},
    }.items():
        np.savez(folder / "said" / f"{name}.npz", **arrays)
    np.savez(folder / "said" / "pickled.npz", logits=np.array([{}, {}], object), labels=[0, 1])
    whole = (folder / "said" / "lengths.npz").read_bytes()
    _text(folder / "said" / "half.npz", whole[: len(whole) // 2])
    _text(folder / "said" / "flipped.npz", whole[:120] + b"\xff\xff\xff\xff" + whole[124:])
    _text(folder / "said" / "text.npz", "hello")
    for name, columns in {
        "ragged": {"logits": [[1.0, 2.0], [1.0]], "labels": [0, 1]},
        "null": {"logits": [[1.0, 2.0], None], "labels": [0, 1]},
        "inner": {"logits": [[1.0, None], [1.0, 2.0]], "labels": [0, 1]},
        "structs": {"logits": [{"a": 1.0, "b": 2.0}, {"a": 2.0, "b": None}], "labels": [0, 1]},
        "text": {"logits": ["1,2", "2,1"], "labels": [0, 1]},
        "lists": {"logits": [[1.0, 2.0], [2.0, 1.0]], "labels": [[0], [1]]},
    }.items():
        pq.write_table(pa.table(columns), folder / "said" / f"{name}.parquet")


def _arrays(folder: Path) -> None:
    images, labels = np.zeros((12, 28, 28), np.uint8), np.arange(12) % 3
    for name, arrays in {
        "good": {"images": images, "labels": labels},
        "floats": {"images": images.astype(float), "labels": labels},
        "lengths": {"images": images, "labels": labels[:5]},
        "flat": {"images": images.reshape(12, -1), "labels": labels},
        "channels": {"images": np.zeros((12, 5, 5, 5), np.uint8), "labels": labels},
        "no-labels": {"images": images},
        "no-images": {"labels": labels},
        "none": {"images": images[:0], "labels": labels[:0]},
        "ids": {"images": images, "labels": labels, "ids": labels},
        "ids-half": {"images": images, "labels": labels, "ids": np.arange(12) / 2},
        "objects": {"images": images, "labels": np.array(list("abc") * 4, object)},
        "classes": {"images": images, "labels": labels, "classes": ["a", "b"]},
        "labels-float": {"images": images, "labels": labels + 0.5},
        "weights": {"images": images, "labels": labels, "weight": -np.ones(12)},
    }.items():
        np.savez(folder / "arrays" / f"{name}.npz", **arrays) if (folder / "arrays").is_dir() else (
            (folder / "arrays").mkdir(),
            np.savez(folder / "arrays" / f"{name}.npz", **arrays),
        )
    official = folder / "official"
    official.mkdir()
    for name in ("fog", "labels"):
        with zipfile.ZipFile(official / f"{name}.npy", "w") as archive:
            archive.writestr("hello", "there")
    other = folder / "official-shape"
    other.mkdir()
    np.save(other / "labels.npy", np.zeros(300, int))
    np.save(other / "fog.npy", np.zeros((300, 5, 5, 3), np.uint8))


def half(path: Path) -> None:
    """Keep the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _runs(folder: Path) -> None:
    data = write_tiny(folder / "data")
    run = Run(str(data), recipe=replace(RECIPES["small"], epochs=1), validation=40)
    trained = train(run, folder / "runs").path
    (folder / "run").symlink_to(trained)
    shutil.copytree(trained, folder / "changed" / trained.name)
    config = json.loads((trained / "config.json").read_text())
    _text(folder / "changed" / trained.name / "config.json", json.dumps(config | {"seeds": [7]}))

    def copied(name: str) -> Path:
        to = folder / "damaged" / name / trained.name
        shutil.copytree(trained, to)
        (folder / name).symlink_to(to)
        return to

    half(copied("half-checkpoint") / "checkpoint.safetensors")
    half(copied("half-metrics") / "metrics.jsonl")
    (copied("no-checkpoint") / "checkpoint.safetensors").unlink()
    _text(copied("text-metrics") / "metrics.jsonl", "hello\n")
    _text(copied("brackets-metrics") / "metrics.jsonl", "[" * 100_000 + "\n")
    _text(copied("list-metrics") / "metrics.jsonl", "[1]\n")
    _text(copied("bytes-metrics") / "metrics.jsonl", b"\xff\xfe\n")
    path = copied("flipped-checkpoint") / "checkpoint.safetensors"
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(bytes(data))
    for name, changed in {
        "data-list": config | {"data": [1]},
        "data-number": config | {"data": 3},
        "recipe-list": config | {"recipe": [1]},
        "recipe-empty": config | {"recipe": {}},
        "seeds-text": config | {"seeds": "zero"},
        "seeds-number": config | {"seeds": 3},
        "network-number": config | {"network": 7},
        "network-unknown": config | {"network": "huge"},
        "method-list": config | {"method": ["vanilla"]},
        "settings-number": config | {"settings": 5},
        "source-number": config | {"source": 5},
        "shape-text": config | {"data": config["data"] | {"shape": "hello"}},
        "classes-number": config | {"data": config["data"] | {"classes": 3}},
        "epochs-text": config | {"recipe": config["recipe"] | {"epochs": "three"}},
        "format-far": config | {"format": 10**30},
        "keys": {"hello": 1},
    }.items():
        to = folder / "shapes" / f"{name}-{content_hash(changed)}"
        shutil.copytree(trained, to)
        _text(to / "config.json", json.dumps(changed))
        (folder / f"config-{name}").symlink_to(to)
    for name, text in {
        "text": "hello",
        "list": "[1]",
        "number": "3",
        "brackets": "[" * 100_000,
        "bytes": b"\xff\xfe",
        "empty": "",
    }.items():
        to = copied(f"json-{name}")
        _text(to / "config.json", text)


def _rest(folder: Path) -> None:
    (folder / "loop").symlink_to("loop")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "loops").mkdir()
    (folder / "loops" / "config.json").symlink_to("config.json")
    _text(folder / "a-file", "hello")
    os.mkfifo(folder / "pipe.csv")
    _text(folder / "mine" / "index.html", "<p>mine</p>")
    _text(folder / "mine" / "audit.json", "{}")
    _text(folder / "mine" / "calibration.json", "{}")
    _text(folder / "mine" / "figures.json", "{}")
    _text(folder / "mine" / "figures.parquet", "mine")
