"""Finds what is at a path: its format, and the files of each of its parts."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fnmatch import filter as matching
from glob import escape
from pathlib import Path
from typing import Literal

from arcal.data.cifar import find_archive
from arcal.data.folder import has_class_folders, has_images
from arcal.data.npz import parts_in
from arcal.data.parquet_columns import is_saved, saved_parts
from arcal.data.remote import Listed, is_remote, listed
from arcal.errors import ArcalError
from arcal.files import expanded, meant
from arcal.printable import first_few

Format = Literal["parquet", "arrow", "csv", "jsonl", "npz", "tar", "cifar", "folder"]
SUFFIXES: dict[Format, tuple[str, ...]] = {
    "parquet": (".parquet",),
    "tar": (".tar",),
    "npz": (".npz",),
    "csv": (".csv", ".tsv"),
    "jsonl": (".jsonl", ".ndjson", ".json"),
    "arrow": (".arrow",),
}
WORDS = {
    "test": "test",
    "testing": "test",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "train": "train",
    "training": "train",
}
"""The words in names of files and folders, and the parts they stand for."""
WORD = re.compile(rf"(?<![a-z])({'|'.join(WORDS)})(?:set)?(?![a-z])", re.IGNORECASE)
SHARD = re.compile(r"-(\d{5})-of-(\d{5})(-[0-9a-f]+)?$")
"""As in train-00000-of-00002.parquet; older files of the hub also have a hash at the end."""
NUMBER = re.compile(r"(?:^|(?<=[-_.]))\d+$")
EMBEDDED = Path(__file__).parent / "embedded"
READABLE = (
    "give 'fashion'; Parquet, CSV, JSONL, .npz or .tar files, by their folder or their name; a "
    "folder of CLASS/IMAGE; a folder saved by `datasets`; or the python archive of CIFAR; other "
    "data, such as audio, are read in Python: give a loader to `arcal.audit`, `arcal.calibrate` or "
    "`arcal.score`"
)


@dataclass(frozen=True)
class Source:
    """A data set on disk, or behind a URL: `parts` are the paths of each part, by name.

    The names are "test", "validation" and "train", or what `datasets` calls a split; a part that
    nothing names is "". In the format "folder" a part is the one folder that holds the class
    folders, or images alone; in the format "cifar" it is the folder that holds the archive.
    """

    path: Path
    name: str
    format: Format
    parts: dict[str, tuple[Path, ...]]
    remote: Listed | None = None

    def choose(self, part: str | None) -> tuple[str, str, tuple[Path, ...]]:
        """A part as its name, such as "test", its title, such as "pets/test", and its paths.

        By default it is test, otherwise validation, otherwise the only part there is. A missing
        part, several parts without a default among them, or an incomplete set of files raises
        `ArcalError`. Files behind a URL are copied, and the paths are those of the copies.
        """
        if self.remote is None:
            return self._chosen(part)
        with self.remote.naming_errors():
            name, title, paths = self._chosen(part)
            return name, title, self.remote.fetch(paths)

    def _chosen(self, part: str | None) -> tuple[str, str, tuple[Path, ...]]:
        names = ", ".join(filter(None, self.parts))
        if part is not None:
            name = WORDS.get(part.lower(), part)
            if name not in self.parts:
                there = f"it has {names}" if names else "nothing in it names a part: leave it out"
                raise ArcalError(f"{self.path} has no part {part!r}: {there}")
        else:
            names_in_order = ("test", "validation", *(self.parts if len(self.parts) == 1 else ()))
            name = next((name for name in names_in_order if name in self.parts), None)
            if name is None:
                raise ArcalError(
                    f"{self.path} has the parts {names}: choose one with --part, or name a file"
                )
        paths = self.parts[name]
        if self.path not in paths and self.format in SUFFIXES and self.format != "arrow":
            check_one_set(self.path, name, paths)
        return name, f"{self.name}/{name}" if name else self.name, paths


def find_source(
    source: str, advice: str = READABLE, formats: Sequence[Format] = tuple(SUFFIXES)
) -> Source:
    """The data set at a path, behind a URL, or under the name "fashion".

    In a folder, or under a prefix, files of these `formats` are looked for. If there is nothing to
    read, `ArcalError` gives the `advice`.
    """
    if not source:
        raise ArcalError(f"no data is named: {advice}")
    if source == "fashion":
        return Source(Path(source), source, "parquet", part_files(EMBEDDED / source, "parquet"))
    if is_remote(source):
        with listed(source) as remote:
            return replace(_at_path(source, remote.path, advice, formats), remote=remote)
    return _at_path(source, expanded(source), advice, formats)


def _at_path(source: str, path: Path, advice: str, formats: Sequence[Format]) -> Source:
    if path.is_file():
        return _file(path)
    there = (path.is_dir() and _special_folder(path)) or _named_files(path, formats)
    if there is None:
        what = "holds no data set" if path.is_dir() else "is not there"
        if (other := meant(path)) is not None and not path.exists():
            raise ArcalError(f"{source} is not there: {other}")
        raise ArcalError(f"{source} {what}: {advice}")
    if path.is_dir() and tuple(there.parts) == ("",) and there.name.lower() in WORDS:
        part, name = WORDS[there.name.lower()], path.resolve().parent.name
        return replace(there, name=name, parts={part: there.parts[""]})
    return there


def _suffix(path: Path) -> str:
    """The ending that tells a file's format: for a compressed CSV file, the one before .gz."""
    inner = Path(path.stem).suffix.lower()
    if path.suffix.lower() == ".gz" and inner in SUFFIXES["csv"]:
        return inner
    return path.suffix.lower()


def _stem(path: Path) -> str:
    """A file's name without that ending and what follows."""
    return path.name[: path.name.lower().rindex(_suffix(path))] if path.suffix else path.name


def _file(path: Path) -> Source:
    formats: list[Format] = [f for f in SUFFIXES if _suffix(path) in SUFFIXES[f]]
    if not formats:
        raise ArcalError(f"{path} is a file of no known kind: {READABLE}")
    (format,) = formats
    word, stem = _last_word(path), _stem(path)
    name = stem[: word.start()].rstrip("-_.") if word else stem
    name = name or path.resolve().parent.name
    parts = parts_in(path) if format == "npz" else ("",)
    if word and parts == ("",):
        parts = (WORDS[word[1].lower()],)
    return Source(path, name, format, {part: (path,) for part in parts})


def _named_files(path: Path, formats: Sequence[Format]) -> Source | None:
    """The files in a folder or of a prefix, whose names say which part they are."""
    name = path.resolve().name
    readable: dict[Format, dict[str, tuple[Path, ...]]]
    readable = {format: parts for format in formats if (parts := part_files(path, format))}
    if len(readable) > 1:
        raise ArcalError(
            f"{path} holds files of several formats ({', '.join(readable)}): name the file to read"
        )
    for format, parts in readable.items():
        paths = [path for paths in parts.values() for path in paths]
        if format == "npz" and len(paths) == 1:
            parts = {name: tuple(paths) for name in parts_in(paths[0])}
        return Source(path, name, format, parts)
    return None


def _special_folder(path: Path) -> Source | None:
    """A folder that is known by its layout, not by the names of files in it."""
    name = path.resolve().name
    if is_saved(path):
        parts = {WORDS.get(split, split): paths for split, paths in saved_parts(path).items()}
        return Source(path, name, "arrow", parts)
    if archive := find_archive(path):
        return Source(path, name, "cifar", {"train": (archive,), "test": (archive,)})
    if part_files(path, "parquet"):
        return None
    named = [
        (WORDS[folder.name.lower()], folder)
        for folder in sorted(path.iterdir())
        if folder.name.lower() in WORDS and has_class_folders(folder)
    ]
    if named:
        for part in {part for part, _ in named}:
            folders = [folder.name for other, folder in named if other == part]
            if len(folders) > 1:
                raise ArcalError(
                    f"{path} holds {' and '.join(folders)}, which are one part: keep one of them"
                )
        return Source(path, name, "folder", {part: (folder,) for part, folder in named})
    tables = any(part_files(path, format) for format in SUFFIXES)
    classes = has_class_folders(path, minimum=2 if tables else 1)  # one beside a table: its images
    if classes or (not tables and has_images(path)):  # which have no labels
        return Source(path, name, "folder", {"": (path,)})
    return None


def part_files(source: Path, format: Format) -> dict[str, tuple[Path, ...]]:
    """The files of a format in a folder, or of a prefix such as data/cifar10, for each part.

    A folder's own files, those of its subfolders test/, val/ and so on, and those of one other
    subfolder are found. Files in more than one other folder raise `ArcalError`.
    """
    if not source.is_dir():
        if not source.parent.is_dir():
            return {}
        rest = re.compile(rf"[-_.](?:{'|'.join(WORDS)}|\d)", re.IGNORECASE)
        files = _files(source.parent, format, f"{escape(source.name)}[-_.]*")
        return _by_part(path for path in files if rest.match(path.stem, len(source.name)))
    folders = sorted(f for f in source.iterdir() if f.is_dir() and f.name[0] != ".")
    own = _by_part(_files(source, format))
    for folder in folders:
        if folder.name.lower() in WORDS and (files := tuple(_files(folder, format))):
            part = WORDS[folder.name.lower()]
            own[part] = (*own.get(part, ()), *files)
    others = {
        folder: parts
        for folder in folders
        if folder.name.lower() not in WORDS
        if (parts := _by_part(_files(folder, format)))
    }
    sets = {source: own, **others} if own else others
    if own.keys() - {""}:  # named parts: files that name none do not belong to them
        sets = {folder: parts for folder, parts in sets.items() if parts.keys() - {""}}
    if len(sets) > 1:
        if own and format != "parquet":
            return own  # what lies deeper belongs to something else, such as annotations
        raise ArcalError(
            f"{source} holds {format} files in more than one folder "
            f"({', '.join(map(str, sets))}): name one of them"
        )
    return next(iter(sets.values()), {})


def _files(folder: Path, format: Format, pattern: str = "*") -> Iterator[Path]:
    endings = SUFFIXES[format] + ((".gz",) if format == "csv" else ())
    # a folder may hold a million images: no path is made for another ending
    names = [name for name in matching(_listed(folder), pattern) if name.lower().endswith(endings)]
    for path in sorted(folder / name for name in names):
        if _suffix(path) not in SUFFIXES[format] or path.name[0] in "._":
            continue
        if path.suffix.lower() == ".json" and not WORD.search(path.stem):
            continue  # it describes the data more often than it holds them
        if path.is_file():
            yield path


def _listed(folder: Path) -> list[str]:
    missing = FileNotFoundError, NotADirectoryError, PermissionError
    with suppress(*missing), os.scandir(folder) as entries:
        return [entry.name for entry in entries]
    return []


def _by_part(files: Iterator[Path]) -> dict[str, tuple[Path, ...]]:
    parts: dict[str, tuple[Path, ...]] = {}
    for path in files:
        word = _last_word(path)
        part = WORDS[word[1].lower()] if word else ""
        parts[part] = (*parts.get(part, ()), path)
    return parts


def _last_word(path: Path) -> re.Match[str] | None:
    return next(reversed(list(WORD.finditer(_stem(path)))), None)


def check_one_set(source: Path, part: str, files: tuple[Path, ...]) -> None:
    """Raise `ArcalError` unless this is a single file or all the numbered files of one set."""
    stems = [*map(_stem, files)]
    shards = [SHARD.search(stem) for stem in stems]
    sets = {NUMBER.sub("", SHARD.sub("", stem)) for stem in stems}
    numbers = [int(shard[1]) for shard in shards if shard]
    totals = {int(shard[2]) for shard in shards if shard}
    listed = first_few([file.name for file in files], most=3)
    if not numbers:
        numbers = [int(number[0]) for stem in stems if (number := NUMBER.search(stem))]
    if len(sets) > 1 or len(totals) > 1 or (len(files) > 1 and len(numbers) < len(files)):
        raise ArcalError(
            f"{source} holds several files that are {part or 'one part'} ({listed}) and not "
            "numbered as one set: name one of them"
        )
    first, total = (0, totals.pop()) if totals else (min(numbers, default=0), len(files))
    if numbers and sorted(numbers) != list(range(first, first + total)):
        raise ArcalError(
            f"{source}: the numbered files of {part or 'the part'} are incomplete ({listed}): add "
            "the missing ones"
        )
