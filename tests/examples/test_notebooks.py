"""The notebooks run from top to bottom, in an empty folder, and are committed without output."""

import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "examples" / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_they_hold_no_output(path):
    cells = json.loads(path.read_text())["cells"]
    assert not [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_they_run(path, tmp_path):
    reason = "nbclient or ipykernel is not installed: make test-all installs them"
    nbclient = pytest.importorskip("nbclient", reason=reason, exc_type=ImportError)
    pytest.importorskip("ipykernel", reason=reason, exc_type=ImportError)
    nbformat = pytest.importorskip("nbformat", reason=reason, exc_type=ImportError)
    notebook = nbformat.read(path, as_version=4)
    options = {"timeout": 300, "resources": {"metadata": {"path": str(tmp_path)}}}
    done = nbclient.NotebookClient(notebook, **options).execute()
    said = json.dumps([cell.get("outputs", []) for cell in done.cells])
    assert "nan" not in said
    if path.stem == "audit_your_classifier":
        assert (tmp_path / "audit" / "index.html").exists()
        assert "text/html" in said, "an audit shows itself"
