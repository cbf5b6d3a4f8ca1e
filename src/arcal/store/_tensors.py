"""Named tensors in one safetensors file, with a digest of their content."""

import json
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from arcal.arrays import bytes_of
from arcal.errors import ArcalError
from arcal.files import parse_json, write_whole

ENTRY = "arcal"
"""The one entry of the header's metadata: safetensors writes several in random order."""


def save_tensors(path: Path, tensors: Mapping[str, Tensor], **metadata: Any) -> None:
    """Write named tensors to a safetensors file, with `metadata` and a digest in its header.

    Equal tensors and metadata give equal bytes. Tensors that share memory, such as tied weights,
    are each written whole.

    >>> import torch
    >>> save_tensors(Path("labels.safetensors"), {"labels": torch.tensor([1, 0])}, model="tiny")
    >>> load_tensors(Path("labels.safetensors"))
    ({'labels': tensor([1, 0])}, {'model': 'tiny'})
    """
    contiguous, written = dict[str, Tensor](), set[int]()
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        storage = tensor.untyped_storage().data_ptr()
        contiguous[name] = tensor.clone() if storage in written else tensor
        written.add(storage)
    about = {"metadata": metadata, "digest": digest_of(contiguous)}
    header = {ENTRY: json.dumps(about, sort_keys=True)}
    try:
        write_whole(path, lambda temporary: save_file(contiguous, temporary, header))
    except SafetensorError as error:  # raised when the disk is full, too
        raise OSError(f"{path} cannot be written ({error})") from None


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read named tensors and their metadata; the inverse of `save_tensors`.

    A missing or damaged file, and one whose tensors are not those that were written, raises
    `ArcalError`.
    """
    try:
        return read_tensors(path)
    except FileNotFoundError:
        raise ArcalError(f"{path} is missing: run the command that writes it first") from None
    except (SafetensorError, ValueError) as error:
        raise ArcalError(f"{path} is damaged ({error}): delete it and make it again") from None


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The same with errors unconverted; content other than what was written raises `ValueError`."""
    path.open("rb").close()  # safe_open reports a file without read permission as missing
    with safe_open(path, framework="pt") as file:
        # Copies, because the file is mapped, and Windows cannot replace a mapped file such as a
        # checkpoint.
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        metadata, digest = _parsed(file.metadata())
    if digest is not None and digest != digest_of(tensors):
        raise ValueError("it does not hold what was written")
    return tensors, metadata


def load_header(path: Path) -> dict[str, Any]:
    """Read only the metadata of a file that `save_tensors` wrote."""
    return _header(path)[0]


def load_digest(path: Path) -> str:
    """The digest of the tensors in a file, from its header; none there raises `ArcalError`."""
    if (digest := _header(path)[1]) is None:
        raise ArcalError(f"{path} has no digest: delete it and make it again")
    return digest


def _header(path: Path) -> tuple[dict[str, Any], str | None]:
    try:
        path.open("rb").close()
        with safe_open(path, framework="pt") as file:
            return _parsed(file.metadata())
    except (SafetensorError, ValueError) as error:
        raise ArcalError(f"{path} is damaged ({error}): delete it and make it again") from None


def _parsed(header: Mapping[str, str] | None) -> tuple[dict[str, Any], str | None]:
    """The metadata and the digest; older files have an entry for each value, and no digest."""
    values = {key: parse_json(value) for key, value in (header or {}).items()}
    about = values.get(ENTRY)
    if about is None:
        return values, None
    if not isinstance(about, dict) or about.keys() != {"metadata", "digest"}:
        raise ValueError("its header is not arcal's")
    return about["metadata"], about["digest"]


def digest_of(tensors: Mapping[str, Tensor]) -> str:
    """32 hexadecimal digits of the names, types, shapes and bytes of tensors, in order of name."""
    digest = blake2b(digest_size=16)
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(bytes_of(tensor))
    return digest.hexdigest()
