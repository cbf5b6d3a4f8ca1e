"""Whether a run's images still are those that it began with; see `arcal.data.contents`."""

from pathlib import Path
from typing import Any

from arcal.data import Data, Part
from arcal.data.contents import evidence_of, files_of, is_evidence_of
from arcal.errors import ArcalError
from arcal.files import parse_json, write_json
from arcal.store import RunFolder


def keep_images(folder: RunFolder, data: Data) -> None:
    """Note in files.json what the files of a run's images hold, before it begins.

    Where a fingerprint knows every byte, as of Parquet, nothing is noted. Files that were not read
    yet are read for it, unless another run of the same folder has noted the same ones.
    """
    evidence = {name: _evidence(folder, name, part) for name, part in _parts(data).items()}
    if any(evidence.values()) and not folder.files.exists():
        write_json(folder.files, evidence)


def check_images(folder: RunFolder, data: Data) -> None:
    """Raise `ArcalError` if images of a run that has begun were replaced since."""
    noted = _noted(folder.files)
    for name, part in _parts(data).items():
        if not is_evidence_of(part, noted.get(name)):
            raise ArcalError(
                f"{folder.path} is of other {name} images than {part.name} has now: a file was "
                "replaced; put it back, delete the run, or train in another folder of runs"
            )


def _parts(data: Data) -> dict[str, Part]:
    return {"train": data.train, "validation": data.validation}


def _evidence(folder: RunFolder, name: str, part: Part) -> dict[str, str]:
    if (files := files_of(part)) is None:
        return {}
    stamp = files.stamp()
    for other in folder.path.parent.glob(f"*/{folder.files.name}"):
        noted = _noted(other).get(name)
        if isinstance(noted, dict) and noted.get("stamp") == stamp:
            return noted
    return evidence_of(part)


def _noted(path: Path) -> dict[str, Any]:
    try:
        noted = parse_json(path.read_text()) if path.exists() else {}
    except ValueError:
        noted = None
    if not isinstance(noted, dict):
        raise ArcalError(f"{path} is damaged: delete it, and the run if its images may be others")
    return noted
