"""What the documents point to is there."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
QUOTED = re.compile(r"`([^`\n]+)`")
TO_BE_WRITTEN = {"src/arcal/methods/focal.py"}  # by whoever follows methods.md's example


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_relative_links_lead_to_a_file_and_a_heading(document):
    for link in LINK.findall(document.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), f"{document.name} links to {link}"
        if anchor:
            assert anchor in anchors(target), f"{document.name} links to {link}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_quoted_files_of_the_repository_exist(document):
    for quoted in QUOTED.findall(document.read_text()):
        if re.fullmatch(r"(src|docs|tests|examples|benchmarks|scripts)/[\w./-]+", quoted):
            there = (ROOT / quoted).exists() or quoted in TO_BE_WRITTEN
            assert there, f"{document.name} names {quoted}"


def test_paper_to_code_names_files_that_are_there():
    text = (ROOT / "docs" / "paper-to-code.md").read_text()
    paths = [name for name in QUOTED.findall(text) if re.fullmatch(r"[\w/-]+(\.py|/)", name)]
    assert len(paths) > 40
    for path in paths:
        assert (ROOT / path).exists() or (ROOT / "src/arcal" / path).exists(), path


def test_paper_to_code_names_objects_that_are_there():
    text = (ROOT / "docs" / "paper-to-code.md").read_text()
    names = [name for name in QUOTED.findall(text) if re.fullmatch(r"[a-z_]+(\.\w+)+", name)]
    names = [name for name in names if not name.endswith((".py", ".md"))]
    assert len(names) > 5
    for name in names:
        assert found(f"arcal.{name.removeprefix('arcal.')}"), name


def test_every_table_and_figure_of_the_paper_has_a_row():
    from arcal.paper import ITEMS

    text = (ROOT / "docs" / "paper-to-code.md").read_text()
    for item in ITEMS.values():
        module = item.make.__module__.removeprefix("arcal.")
        assert f"`{module.replace('.', '/')}.py`" in text


def anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def found(name: str) -> bool:
    """Whether a dotted name is a module, or what is in one."""
    module, *rest = name.split(".")
    at = importlib.import_module(module)
    for part in rest:
        module = f"{module}.{part}"
        if not hasattr(at, part):
            try:
                importlib.import_module(module)
            except ImportError:
                return False
        at = getattr(at, part)
    return True
