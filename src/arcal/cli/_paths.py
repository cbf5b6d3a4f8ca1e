"""Checks of files and folders that a command will write, before the work instead of after it."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile

from arcal.errors import ArcalError
from arcal.files import check_replaceable


def check_runs(runs: Sequence[Path | str]) -> None:
    """Refuse run folders that do not exist, without importing what reads them."""
    for run in runs:
        if not Path(run).exists():
            raise ArcalError(f"{run} is not a run folder: there is no such folder")


def check_file(path: Path, name: str) -> None:
    """Refuse a folder, or a name with the ending of a format other than Parquet."""
    if path.is_dir():
        raise ArcalError(f"{name} {path} is a folder: name a file in it")
    if path.suffix.lower() in (".csv", ".tsv", ".txt", ".json", ".jsonl", ".npz", ".xlsx"):
        raise ArcalError(
            f"{name} {path}: it is written as Parquet: name it {path.with_suffix('.parquet').name}"
        )


def check_folder(out: Path | None, files: Sequence[str] = (), name: str = "--out") -> None:
    """Refuse a folder that cannot be written, or files there that arcal did not write.

    A temporary file is written to check that the folder is writable.
    """
    if out is None:
        return
    places = (out, *out.parents, Path())
    if link := next((path for path in places if path.is_symlink() and not path.exists()), None):
        raise ArcalError(f"{name} {out}: {link} is a broken symbolic link: name another place")
    there = next(path for path in places if path.exists())
    try:
        str(out).encode()
    except UnicodeEncodeError:
        raise ArcalError(
            f"{name} {out}: this name is not UTF-8: name another place, or set PYTHONUTF8=1"
        ) from None
    if not there.is_dir():
        raise ArcalError(f"{name} {out}: {there} is a file: name a folder")
    try:
        with TemporaryFile(dir=there) as probe:
            probe.write(b"arcal")
    except OSError as error:
        reason = str(error.strerror or error).lower()
        raise ArcalError(
            f"{name} {out}: {there} cannot be written ({reason}): name another place"
        ) from None
    for file in files:
        check_replaceable(out / file)
