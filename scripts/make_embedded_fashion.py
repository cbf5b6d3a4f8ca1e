"""Make the embedded subset of Fashion-MNIST from its four official idx files.

    python scripts/make_embedded_fashion.py FOLDER

FOLDER holds train-images-idx3-ubyte, train-labels-idx1-ubyte and the two t10k files, plain or
with .gz (Debian: package `dataset-fashion-mnist`). It writes fashion-train.parquet (900 images of
each class), fashion-test.parquet (500 of each) and LICENSE to src/arcal/data/embedded.
"""

import argparse
import gzip
import hashlib
import io
import json
import math
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

EMBEDDED = Path(__file__).parent.parent / "src" / "arcal" / "data" / "embedded"
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
PARTS = {"train": ("train", 60_000, 900), "test": ("t10k", 10_000, 500)}  # prefix, N, a class

LICENSE = """\
The files fashion-train.parquet and fashion-test.parquet hold a subset of Fashion-MNIST
(github.com/zalandoresearch/fashion-mnist), which has this licence:

The MIT License (MIT)

Copyright (c) 2017 Zalando SE, https://tech.zalando.com

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


def read_idx(folder: Path, name: str, magic: int, shape: tuple[int, ...]) -> np.ndarray:
    """uint8 of `shape`: an idx file, whose magic number and counts must be the expected ones."""
    path = folder / name
    packed = path.with_name(f"{name}.gz")
    if not path.exists() and not packed.exists():
        raise SystemExit(f"{folder} holds neither {name} nor {name}.gz")
    data = path.read_bytes() if path.exists() else gzip.decompress(packed.read_bytes())
    header = struct.unpack_from(f">{1 + len(shape)}i", data)
    if header != (magic, *shape):
        raise SystemExit(f"{path}: magic and counts are {header}, expected {(magic, *shape)}")
    if len(data) != 4 * len(header) + math.prod(shape):
        raise SystemExit(f"{path}: {len(data)} bytes do not fit its counts {shape}")
    return np.frombuffer(data, np.uint8, offset=4 * len(header)).reshape(shape)


def draw(labels: np.ndarray, count: int, part: str) -> list[int]:
    """`count` ids of each class, ascending: those whose hash is smallest.

    A draw that no library's next release can change.
    """

    def key(id: int) -> bytes:
        return hashlib.sha256(f"arcal/fashion/{part}/{id}".encode()).digest()

    classes = [np.flatnonzero(labels == z).tolist() for z in range(len(CLASSES))]
    return sorted(id for ids in classes for id in sorted(ids, key=key)[:count])


def png(pixels: np.ndarray) -> bytes:
    """The image as a PNG that is not compressed: Parquet compresses many of them together.

    On these images that is smaller (390 bytes an image) than PNG's own best (500) or lossless
    WebP (440), and a grey PNG stays grey.
    """
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG", compress_level=0)
    return file.getvalue()


def write(part: str, ids: list[int], images: np.ndarray, labels: np.ndarray) -> None:
    """Write one Parquet file in the Hugging Face layout."""
    features = {
        "id": {"dtype": "int64", "_type": "Value"},
        "image": {"_type": "Image"},
        "label": {"names": CLASSES, "_type": "ClassLabel"},
    }
    schema = pa.schema(
        {
            "id": pa.int64(),
            "image": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
            "label": pa.int64(),
        },
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    rows = [
        {"id": id, "image": {"bytes": png(images[id]), "path": None}, "label": int(labels[id])}
        for id in ids
    ]
    path = EMBEDDED / f"fashion-{part}.parquet"
    pq.write_table(
        pa.Table.from_pylist(rows, schema),
        path,
        compression="zstd",
        compression_level=22,
        use_dictionary=False,
        data_page_size=1 << 24,  # one page, hence one compression, for all images
        row_group_size=len(rows),
    )
    print(f"{path.name}: {len(rows)} images, {path.stat().st_size / 1e6:.2f} MB")


def main() -> None:
    """Read the official files, draw, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the four idx files are")
    folder = parser.parse_args().folder
    EMBEDDED.mkdir(exist_ok=True)
    for part, (prefix, N, count) in PARTS.items():
        images = read_idx(folder, f"{prefix}-images-idx3-ubyte", 2051, (N, 28, 28))
        labels = read_idx(folder, f"{prefix}-labels-idx1-ubyte", 2049, (N,))
        write(part, draw(labels, count, part), images, labels)
    (EMBEDDED / "LICENSE").write_text(LICENSE, "utf-8")


if __name__ == "__main__":
    main()
