"""The wheel, installed where nothing else is: it has all its files, imports, and audits a CSV."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NEEDED = (
    "arcal/py.typed",
    "arcal/report/explorer.html",
    "arcal/audits/audit.schema.json",
    "arcal/data/embedded/LICENSE",
    "arcal/data/embedded/fashion-train.parquet",
    "arcal/data/embedded/fashion-test.parquet",
)


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def built(source: Path, folder: Path) -> Path:
    """The wheel of a folder of sources."""
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, source, cwd=folder)
    (path,) = folder.glob("arcal-*.whl")
    return path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return built(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.mark.slow
def test_it_holds_what_is_no_code_and_no_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert set(NEEDED) <= set(names)
    assert not [name for name in names if name.startswith(("tests", "benchmarks", "examples"))]


@pytest.mark.slow
def test_it_runs_in_an_empty_environment(wheel, tmp_path):
    venv.create(tmp_path / "try", with_pip=True)
    python = next(path for path in (tmp_path / "try").glob("*/python*") if path.stem == "python")
    run(python, "-m", "pip", "install", "-q", "--no-compile", wheel, cwd=tmp_path)
    (tmp_path / "said.csv").write_text(
        "label,probabilities_0,probabilities_1\n0,0.9,0.1\n1,0.4,0.6\n0,0.3,0.7\n"
    )
    version = run(python, "-m", "arcal", "--version", cwd=tmp_path)
    assert version.split()[1] in wheel.name
    said = run(python, "-m", "arcal", "audit", "said.csv", cwd=tmp_path)
    assert "3 inputs" in said or "of 3" in said
    assert (tmp_path / "audit" / "index.html").exists()
    run(python, "-c", "import arcal; arcal.BoundaryProjection()", cwd=tmp_path)
