"""The committed page is what its sources give."""

import shutil
import subprocess
from pathlib import Path

import pytest

import arcal.report.explorer as explorer

PAGE = Path(__file__).parents[2] / "page"


@pytest.mark.slow
def test_the_page_rebuilt_is_the_page_that_is_there(tmp_path):
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm: apt-get install nodejs npm")
    folder = tmp_path / "page"
    shutil.copytree(PAGE, folder, ignore=shutil.ignore_patterns("node_modules", "dist"))
    for command in (["ci"], ["run", "check"], ["run", "build"]):
        done = subprocess.run([npm, *command], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    built = Path(explorer.__file__).with_name("explorer.html")
    assert (folder / "dist" / "index.html").read_bytes() == built.read_bytes()
