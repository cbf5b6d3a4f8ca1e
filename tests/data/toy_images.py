"""Images and real data for the tests of this folder."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SHARED = Path(os.environ.get("ARCAL_SHARED") or Path(__file__).parents[2].parent / "shared")


def encode(pixels: np.ndarray, **options: Any) -> bytes:
    """`(H, W)` or `(H, W, 3)` as a PNG, or as what `format` says."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, **{"format": "PNG"} | options)
    return file.getvalue()


def random_images(count: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)
