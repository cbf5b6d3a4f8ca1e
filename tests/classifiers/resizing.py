"""What a `Preprocessing` says, done with Pillow."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from arcal.classifiers import Preprocessing


def picture(width: int, height: int, channels: int = 3) -> Image.Image:
    """A picture with structure of several sizes."""
    generator = np.random.default_rng(0)
    layers = []
    for size in (4, 15, 60):
        rough = generator.integers(0, 256, (height // size, width // size, channels), np.uint8)
        small = Image.fromarray(rough.squeeze())
        layers.append(np.asarray(small.resize((width, height), Image.Resampling.BICUBIC), float))
    return Image.fromarray(np.mean(layers, axis=0).astype(np.uint8))


def preprocessed(image: Image.Image, how: Preprocessing) -> Tensor:
    """The image float `(C, H, W)` in [0, 1], resized and cropped."""
    resampling = Image.Resampling[how.interpolation.upper()]
    width, height = image.size
    if isinstance(how.resize, int):
        short = how.resize
        long = int(short * max(width, height) / min(width, height))
        image = image.resize((short, long) if width <= height else (long, short), resampling)
    elif how.resize is not None:
        image = image.resize((how.resize[1], how.resize[0]), resampling)
    (H, W), (width, height) = how.size, image.size
    top, left = round((height - H) / 2), round((width - W) / 2)
    return to_tensor(image.crop((left, top, left + W, top + H)))


def to_tensor(image: Image.Image) -> Tensor:
    """Float `(C, H, W)` in [0, 1]."""
    pixels = torch.from_numpy(np.asarray(image).copy())
    return (pixels.unsqueeze(0) if pixels.ndim == 2 else pixels.permute(2, 0, 1)) / 255
