"""A data set on disk that trains in a second."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def write_tiny(
    folder: Path, N: int = 160, test: int = 60, Z: int = 3, *, wrong: int | None = None
) -> Path:
    """Parquet of grey 28 x 28 images whose class is where they are bright; returns the prefix.

    With `wrong`, one label of so many is that of another class, so that nothing is certain.
    """
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    for part, count in (("train", N), ("test", test)):
        labels = np.arange(count) % Z
        pixels = generator.integers(0, 140, (count, 28, 28))
        for z in range(Z):
            pixels[labels == z, 8 * z : 8 * z + 8] += 40
        images = []
        for image in pixels.astype(np.uint8):
            file = io.BytesIO()
            Image.fromarray(image).save(file, "PNG")
            images.append({"bytes": file.getvalue(), "path": None})
        if wrong is not None:
            labels = (labels + (np.arange(count) % wrong == 0)) % Z
        table = pa.table({"image": images, "label": labels})
        pq.write_table(table, folder / f"tiny-{part}.parquet")
    return folder / "tiny"
