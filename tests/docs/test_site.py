"""The site: every page is in its contents, every public name in its reference, and it builds."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from documents import ROOT

SITE = (ROOT / "mkdocs.yml").read_text()
HOOKS = (ROOT / "scripts" / "site_hooks.py").read_text()


def test_every_page_is_in_the_contents():
    pages = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert pages <= set(re.findall(r"- .+: ([\w-]+\.md)", SITE))


def test_every_package_with_public_names_is_in_the_reference():
    source = ROOT / "src"
    packages = {
        str(path.parent.relative_to(source)).replace("/", ".")
        for path in source.rglob("__init__.py")
        if re.search(r"^__all__ = \[", path.read_text(), re.MULTILINE)
    }
    inside = {"arcal.paper", "arcal.cli", "arcal.report.audited", "arcal.data.embedded"}
    inside.add("arcal.auditing.doubts")  # whose names arcal.auditing has, too
    assert packages - inside <= set(re.findall(r'"(arcal[\w.]*)",', HOOKS))


@pytest.mark.slow
def test_it_builds_strictly_and_has_every_public_name(tmp_path):
    pytest.importorskip(
        "mkdocs", reason="mkdocs is not installed: make test-all installs it", exc_type=ImportError
    )
    arguments = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(tmp_path / "site")]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    import arcal

    page = (tmp_path / "site" / "api" / "arcal" / "index.html").read_text()
    for name in set(arcal.__all__) - {"__version__"}:
        assert f'id="arcal.{name}"' in page, name
    assert Path(tmp_path / "site" / "the-method" / "index.html").exists()
