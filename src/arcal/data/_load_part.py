"""`load_part`: one part of images, in whatever form they are stored."""

import dataclasses
import logging
import math
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

import numpy as np
import torch

from arcal.data.fewer import drawn
from arcal.data.images import AUDIO, HEADER, UnreadableImageError
from arcal.data.listings import Names, list_part
from arcal.data.on_demand import BLOCK, InRows, OnDemand, check_images, read_headers
from arcal.data.part import Broken, InMemory
from arcal.data.sources import find_source
from arcal.data.views import (
    ADVICE,
    Crop,
    Interpolation,
    Settings,
    View,
    choose_view,
    describe,
)
from arcal.errors import ArcalError

log = logging.getLogger(__name__)

IN_MEMORY = 256 * 2**20
"""Images in rows of files are decoded once and held up to this many bytes of pixels."""


def load_part(
    source: str,
    *,
    part: str | None = None,
    image: str | None = None,
    label: str | None = None,
    weight: str | None = None,
    classes: Sequence[str] | None = None,
    size: int | tuple[int, int] | None = None,
    crop: Crop = "centre",
    resize: int | tuple[int, int] | None = None,
    interpolation: Interpolation = "bilinear",
    channels: int | None = None,
    keep: bool = False,
    round_down: bool = False,
    limit: int | None = None,
    skip_broken: bool = False,
    seed: int = 0,
    progress: Callable[[int, int], object] = lambda done, total: None,
    labelled: bool = True,
) -> InMemory | OnDemand:
    """One part of images with labels, to evaluate a classifier on.

    `source` is "fashion" or a path to one of these, as docs/your-data.md explains: Parquet, a
    folder that `datasets` saved, a table of paths (CSV or JSON lines), `.npz`, WebDataset shards, a
    folder of CLASS/IMAGE or of test/CLASS/IMAGE and so on, or the python archive of CIFAR. `part`
    is "test", "validation", "train" or another split; by default the test part, otherwise the
    validation part, otherwise the only one. The part's name says which.

    `image`, `label` and `weight` name columns (arrays of `.npz`, endings or fields of WebDataset).
    `classes` are the names of the model's classes in its order, for labels that are names. If the
    data need not be `labelled`, rows and arrays without labels get the label 0.

    Without a `size`, all images must have one size. With it they become `size` x `size`, or a pair
    (H, W). `crop` says how: "centre" resizes the short side to 256/224 of the size and crops the
    centre, as is usual for ImageNet; "short-side" resizes the short side to the size and crops the
    centre; "squash" resizes both sides. For a pair, the longer side counts. `resize` gives the
    exact size before the centre is cropped instead: the short side's length, or a pair.
    `interpolation` is one of Pillow's, with antialiasing. An offset of half a pixel before the crop
    is rounded to an even number or, with `round_down`, down, as transformers does. With `keep`,
    images that all have the size already are used as they are, neither resized nor cropped. With
    `channels` (1 or 3) images become grey or colour; by default they are grey if all of them are.
    They are turned upright by their EXIF data. The part's `how` says what was done.

    With a `limit` only that many images are used, drawn at random by `seed` as `load` draws
    `test_images`; `--limit` of the command line draws others. With `skip_broken` every image is
    decoded first, those that cannot be read are left out and listed in `skipped`, and `progress`
    gets the number of images decoded and that of all. Otherwise the first one that cannot be read
    raises. Images in files and tar files are decoded whenever they are read; images in rows only
    once, if their pixels take at most 256 MiB.

    Ids are a column `id` of integers, or else the position in the part as it is on disk. Anything
    that cannot be read, is empty or does not fit together raises `ArcalError`.

    >>> part = load_part("fashion", limit=100)
    >>> part.name, part.shape, len(part), part.how
    ('fashion/test', (1, 28, 28), 100, 'as they are')
    """
    started = monotonic()
    settings = Settings(size, crop, resize, interpolation, channels, keep, round_down)
    there = find_source(source)
    key, name, paths = there.choose(part)
    names = Names(image, label, weight, classes, labelled)
    whole = list_part(there.format, key, name, paths, names)
    if isinstance(whole, InMemory):
        chosen = drawn(_viewed(whole, settings), limit, split_seed=seed)
    else:
        chosen = drawn(whole, limit, split_seed=seed)
        chosen = _seen(chosen, settings, skip_broken=skip_broken, progress=progress)
        pixels = len(chosen) * math.prod(chosen.shape)
        if isinstance(chosen.encoded, InRows) and pixels <= IN_MEMORY:
            chosen = _decoded(chosen)
    C, H, W = chosen.shape
    log.info(
        f"read {name} from {source} in {monotonic() - started:.1f} s: {len(chosen):,} images of "
        f"{C} x {H} x {W}, {chosen.how}"
    )
    return chosen


def _seen(
    part: OnDemand,
    settings: Settings,
    *,
    skip_broken: bool,
    progress: Callable[[int, int], object],
) -> OnDemand:
    """The part with the view that fits its images.

    All headers are read. With `skip_broken` all images are decoded, too, and those that cannot be
    read are left out; otherwise the first one without a readable header raises `ArcalError`.
    """
    headers, broken = read_headers(part)
    if broken and not skip_broken:
        raise UnreadableImageError(broken[0].where, broken[0].reason, ADVICE)
    part, headers = _without(part, headers, broken)
    view = choose_view(part.name, headers, part.where, settings)
    part = dataclasses.replace(part, view=view)
    if skip_broken:
        undecodable = check_images(part, progress)
        part, headers = _without(part, headers, undecodable)
        broken += undecodable
    skipped = tuple(sorted(broken, key=lambda image: image.id))
    return dataclasses.replace(part, skipped=skipped, **_done(view, headers, part.how))


def _done(view: View, headers: np.ndarray, note: str = "") -> dict[str, Any]:
    """What was done to images with these headers, as fields of their part."""
    return {
        "how": "; ".join(filter(None, (describe(view, headers), note))),
        "resized": view.resize is not None,
        "sixteen_bits": bool(headers["sixteen_bits"].any()),
    }


def _without(
    part: OnDemand, headers: np.ndarray, broken: list[Broken]
) -> tuple[OnDemand, np.ndarray]:
    """A part and its headers without the broken images; with none left it raises `ArcalError`."""
    if not broken:
        return part, headers
    whole = ~torch.isin(part.ids, torch.tensor([image.id for image in broken], device="cpu"))
    if not whole.any():
        remedy = ": give images in a format that Pillow reads" * (broken[0].reason != AUDIO)
        raise ArcalError(
            f"{part.name}: none of its {len(part)} images can be read, such as {broken[0].where} "
            f"({broken[0].reason}){remedy}"
        )
    return part.subset(part.ids[whole]), headers[whole.numpy()]


def _decoded(part: OnDemand) -> InMemory:
    pixels = torch.empty((len(part), *part.shape), dtype=torch.uint8, device="cpu")
    for positions in torch.arange(len(part), device="cpu").split(BLOCK):
        pixels[positions] = part.images(positions)
    fields = [one.name for one in dataclasses.fields(InMemory)]
    known = {name: getattr(part, name) for name in fields if hasattr(part, name)}
    names = tuple(map(part.key, range(len(part)))) if len(part) and part.key(0) else None
    return InMemory(**known, pixels=pixels, names=names)


def _viewed(part: InMemory, settings: Settings) -> InMemory:
    """A part of decoded images, of C = 1 or 3, in the view that the settings ask for."""
    N, C, H, W = part.pixels.shape
    header = np.zeros(N, HEADER)
    header["height"], header["width"], header["grey"] = H, W, C == 1
    view, pixels = choose_view(part.name, header, str, settings), part.pixels
    if view != View(C, H, W):
        pixels = torch.empty((N, *view.shape), dtype=torch.uint8, device="cpu")
        for place, image in zip(pixels.numpy(), part.pixels.numpy(), strict=True):
            place[:] = view.array(image)
    return dataclasses.replace(part, pixels=pixels, **_done(view, header))
