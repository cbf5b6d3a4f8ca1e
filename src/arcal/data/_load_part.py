"""`load_part`: one part of images alone, in whatever form somebody has them."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import torch

from arcal.data.arrow_folder import MappedImages
from arcal.data.fewer import drawn
from arcal.data.images import UnreadableImageError
from arcal.data.listings import Listing, Names, list_part
from arcal.data.on_demand import BLOCK, OnDemand, check_images, read_headers
from arcal.data.parquet_columns import RowGroups
from arcal.data.part import Broken, InMemory
from arcal.data.sources import find_source
from arcal.data.upright import HEADER
from arcal.data.views import ADVICE, Crop, View, check_view, choose_view, describe
from arcal.errors import ArcalError

IN_MEMORY = 256 * 2**20
"""Bytes of pixels up to which images in rows of files are decoded once and held."""


def load_part(
    source: str,
    *,
    part: str | None = None,
    image: str | None = None,
    label: str | None = None,
    weight: str | None = None,
    classes: Sequence[str] | None = None,
    size: int | None = None,
    crop: Crop = "centre",
    channels: int | None = None,
    limit: int | None = None,
    skip_broken: bool = False,
    seed: int = 0,
) -> InMemory | OnDemand:
    """One part of images with labels, to evaluate a classifier on.

    `source` is "fashion" or a path to one of these, as docs/your-data.md explains: Parquet, a
    folder that `datasets` saved, a table of paths (CSV or JSON lines), `.npz`, WebDataset shards, a
    folder of CLASS/IMAGE or of test/CLASS/IMAGE and so on, or the python archive of CIFAR. `part`
    is "test", "validation", "train" or another split; by default the test part, otherwise the
    validation part, otherwise the only one. The part's name says which.

    `image`, `label` and `weight` name columns (arrays of `.npz`, endings or fields of WebDataset).
    `classes` are the names of the model's classes in its order, for labels that are names. With a
    `size` images become `size` x `size` as `crop` says (`View`); without one they must all have the
    same size. With `channels` (1 or 3) they become grey or colour; by default they are grey if all
    of them are. They are turned upright as their EXIF data says. `how` says what was done.

    With a `limit` only so many images are used, drawn at random by `seed`. With `skip_broken` every
    image is decoded first, and those that cannot be read are left out and listed in `skipped`;
    otherwise the first one raises. Images in files and tar files are decoded whenever they are
    read, those in rows only once if their pixels take less than 256 MiB.

    Ids are a column `id` of integers, or else the position in the part as it is on disk. Anything
    that cannot be read, is empty or does not fit together raises `ArcalError`.

    >>> part = load_part("fashion", limit=100)
    >>> part.name, part.shape, len(part), part.how
    ('fashion/test', (1, 28, 28), 100, 'as they are')
    """
    there = find_source(source)
    key, name, paths = there.choose(part)
    check_view(name, size, crop, channels)
    names = Names(image, label, weight, classes)
    listing = list_part(there.format, key, name, paths, names)
    if isinstance(listing.images, np.ndarray):
        whole = _from_pixels(name, listing, listing.images, size, crop, channels)
        return drawn(whole, limit, split_seed=seed)
    whole = OnDemand(
        name,
        listing.ids,
        listing.labels,
        listing.classes,
        listing.images,
        torch.arange(len(listing.ids)),
        View(3, 1, 1),  # until the headers of the images are known
        listing.weights,
    )
    chosen = drawn(whole, limit, split_seed=seed)
    seen = _seen(chosen, size, crop, channels, listing.note, skip_broken=skip_broken)
    in_rows = isinstance(seen.encoded, RowGroups | MappedImages)
    return _decoded(seen) if in_rows and len(seen) * math.prod(seen.shape) <= IN_MEMORY else seen


def _seen(
    part: OnDemand,
    size: int | None,
    crop: Crop,
    channels: int | None,
    note: str,
    *,
    skip_broken: bool,
) -> OnDemand:
    """The part with the view that fits its images, which are looked at here.

    The headers of all are read. With `skip_broken` all are decoded, too, and the part is without
    those that cannot be read; otherwise the first one without a header raises `ArcalError`.
    """
    headers, errors = read_headers(part.encoded, part.rows)
    first = next(filter(None, errors), None)
    if first is not None and not skip_broken:
        raise UnreadableImageError(first.where, first.reason, ADVICE) from first
    broken = [
        Broken(int(part.ids[position]), error.where, error.reason)
        for position, error in enumerate(errors)
        if error is not None
    ]
    part, headers = _without(part, headers, broken)
    view = choose_view(part.name, headers, part.where, size=size, crop=crop, channels=channels)
    part = dataclasses.replace(part, view=view)
    if skip_broken:
        undecodable = check_images(part)
        part, headers = _without(part, headers, undecodable)
        broken += undecodable
    how = "; ".join(filter(None, (describe(view, headers), note)))
    skipped = tuple(sorted(broken, key=lambda image: image.id))
    return dataclasses.replace(part, how=how, skipped=skipped)


def _without(
    part: OnDemand, headers: np.ndarray, broken: list[Broken]
) -> tuple[OnDemand, np.ndarray]:
    """A part and its headers without the broken images; with none left it raises `ArcalError`."""
    if not broken:
        return part, headers
    whole = ~torch.isin(part.ids, torch.tensor([image.id for image in broken]))
    if not whole.any():
        raise ArcalError(
            f"{part.name}: none of its {len(part)} images can be read, such as {broken[0].where} "
            f"({broken[0].reason}): give images in a format that Pillow reads"
        )
    return part.subset(part.ids[whole]), headers[whole.numpy()]


def _decoded(part: OnDemand) -> InMemory:
    pixels = torch.empty((len(part), *part.shape), dtype=torch.uint8)
    for positions in torch.arange(len(part)).split(BLOCK):
        pixels[positions] = part.images(positions)
    return InMemory(
        part.name,
        part.ids,
        part.labels,
        part.classes,
        pixels,
        part.weights,
        part.how,
        part.skipped,
    )


def _from_pixels(
    name: str,
    listing: Listing,
    pixels: np.ndarray,
    size: int | None,
    crop: Crop,
    channels: int | None,
) -> InMemory:
    """A part of decoded images, uint8 `(N, C, H, W)` with C = 1 or 3."""
    N, C, H, W = pixels.shape
    header = np.zeros(N, HEADER)
    header["height"], header["width"], header["grey"] = H, W, C == 1
    view = choose_view(name, header, str, size=size, crop=crop, channels=channels)
    if view.shape != (C, H, W) or size is not None:
        source, pixels = pixels, np.empty((N, *view.shape), np.uint8)
        for position in range(N):
            pixels[position] = view.array(source[position])
    return InMemory(
        name,
        listing.ids,
        listing.labels,
        listing.classes,
        torch.from_numpy(pixels),
        listing.weights,
        describe(view, header),
    )
