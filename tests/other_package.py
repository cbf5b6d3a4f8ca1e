"""A package as pip leaves it: a module, and beside it what its metadata says."""

from collections.abc import Mapping
from pathlib import Path


def write_package(folder: Path, name: str, module: str, points: Mapping[str, str]) -> None:
    """Put a module and its entry points `arcal.methods` into a folder of the path."""
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir(parents=True)
    (folder / f"{name}.py").write_text(module)
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0\n"
    )
    lines = ["[arcal.methods]", *(f"{point} = {value}" for point, value in points.items())]
    (about / "entry_points.txt").write_text("\n".join(lines) + "\n")
