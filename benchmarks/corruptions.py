"""The time of each corruption, and that of the package imagecorruptions if it is installed.

    python -m benchmarks.corruptions

Processor time on one thread, the mean over the five intensities, on CIFAR-10's test images of 32
pixels: the table of `docs/notebook/corruption-speed.md`. imagecorruptions follows the official
ImageNet-C code image by image and with its constants (but replaces ImageMagick's motion blur), so
ours is timed with the same constants. It needs old releases of other packages (numpy 1, a
`multichannel` option of scikit-image); what those have dropped since is put back while it runs.
"""

import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from time import process_time
from types import ModuleType
from typing import Any

import numpy as np
import torch
import tyro
from torch import Tensor

from arcal.transforms import CORRUPTIONS, corrupt
from benchmarks.settings import cifar10_test, shared

INTENSITIES = range(1, 6)
PEER = "imagecorruptions"


def main(images: int = 1000, peer_images: int = 40, only: tuple[str, ...] = ()) -> None:
    """Print a table, of all types or some."""
    torch.set_num_threads(1)
    test = cifar10_test(shared()).subset(torch.arange(images))
    pixels, ids = test.images(torch.arange(images)), test.ids
    theirs = peer() if find_spec(PEER) else None
    print(f"{images} images, torch {torch.__version__}, one thread; ms an image and intensity\n")
    name = f"{PEER} {version(PEER)}" if theirs else f"{PEER} (not installed)"
    print(f"| type | CIFAR's constants | ImageNet-C's | {name} | times |\n|---|---|---|---|---|")
    rows = []
    for type in only or CORRUPTIONS:
        rows.append([ours(pixels, ids, type, constants) for constants in ("cifar", "imagenet")])
        if theirs:
            rows[-1].append(ms_of_peer(theirs, pixels[:peer_images], type))
        print(line(type, rows[-1]), flush=True)
    print(line("all", np.sum(rows, axis=0).tolist()))


def line(name: str, times: list[float]) -> str:
    """A row of the table; the last column is the peer's time over ours."""
    cells = [f"{ms:.3f}" for ms in times] + ["", ""]
    if len(times) == 3:
        cells[3] = f"{times[2] / times[1]:.1f}"
    return f"| {name} | {' | '.join(cells[:4])} |"


def ours(pixels: Tensor, ids: Tensor, type: str, constants: Any) -> float:
    """Milliseconds per image and intensity."""

    def run(intensity: int) -> None:
        corrupt(pixels, ids, type=type, intensity=intensity, constants=constants)

    corrupt(pixels[:2], ids[:2], type=type, intensity=1, constants=constants)
    return timed(run, len(pixels))


def ms_of_peer(package: ModuleType, pixels: Tensor, type: str) -> float:
    """Milliseconds per image and intensity of the peer's function, one image at a time."""
    arrays = [np.ascontiguousarray(image) for image in pixels.permute(0, 2, 3, 1).numpy()]

    def run(intensity: int) -> None:
        for image in arrays:
            package.corrupt(image, severity=intensity, corruption_name=type)

    return timed(run, len(arrays))


def timed(run: Callable[[int], None], count: int) -> float:
    """Milliseconds of processor time per image and intensity."""
    began = process_time()
    for intensity in INTENSITIES:
        run(intensity)
    return 1000 * (process_time() - began) / (count * len(INTENSITIES))


def peer() -> ModuleType:
    """imagecorruptions, with what new releases of its dependencies lack put back."""
    import scipy.ndimage

    warnings.simplefilter("ignore")
    resources: Any = ModuleType("pkg_resources")
    resources.resource_filename = lambda name, path: str(files(PEER).joinpath(path))
    sys.modules.setdefault("pkg_resources", resources)
    sys.modules.setdefault("scipy.ndimage.interpolation", scipy.ndimage)
    setattr(np, "float_", np.float64)  # noqa: B010 -- no such attribute to the type checker
    inner: Any = import_module(f"{PEER}.corruptions")
    gaussian = inner.gaussian

    def with_multichannel(image: Any, *args: Any, multichannel: bool = False, **named: Any) -> Any:
        return gaussian(image, *args, channel_axis=-1 if multichannel else None, **named)

    inner.gaussian = with_multichannel
    np.random.seed(0)  # noqa: NPY002 -- the generator it draws from
    return import_module(PEER)


if __name__ == "__main__":
    tyro.cli(main)
