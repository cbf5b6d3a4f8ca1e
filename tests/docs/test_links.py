"""What the documents point to is there."""

import importlib
import re
from pathlib import Path

import pytest
from documents import DOCUMENTS, NAMES, ROOT, quoted

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
TO_BE_WRITTEN = {"src/arcal/methods/poly.py"}  # by whoever follows methods.md's example
PLACES = (ROOT, ROOT / "src" / "arcal")
"""Where a quoted path may begin."""


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_relative_links_lead_to_a_file_and_a_heading(document):
    for link in LINK.findall(document.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), f"{document.name} links to {link}"
        if anchor:
            assert anchor in anchors(target), f"{document.name} links to {link}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_quoted_files_exist(document):
    for name in quoted(document.read_text()):
        from_root = re.fullmatch(r"(src|docs|tests|examples|benchmarks|scripts)/[\w./-]+", name)
        if from_root or re.fullmatch(r"[a-z_]+(/\w+)*(\.py|/)", name):
            there = any((place / name).exists() for place in PLACES) or is_output(name)
            assert there or name in TO_BE_WRITTEN, f"{document.name} names {name}"


def is_output(name: str) -> bool:
    """Whether a path is of a user's folder, or of the paper's scripts, and not of ours."""
    return name.split("/")[0] in ("train", "val", "test", "data", "models", "oracles", "baselines")


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_quoted_objects_exist(document):
    for name in quoted(document.read_text()):
        dotted = re.match(r"arcal(\.\w+)+", name)
        if dotted:
            assert is_there(dotted[0]), f"{document.name} names {name}"


def test_every_page_is_reached_from_the_readme():
    reached, new = set(), [ROOT / "README.md"]
    while new:
        page = new.pop()
        reached.add(page)
        links = (link.partition("#")[0] for link in LINK.findall(page.read_text()))
        targets = ((page.parent / link).resolve() for link in links if link.endswith(".md"))
        new += [target for target in targets if target not in reached and target.exists()]
    assert not {path for path in DOCUMENTS if path not in reached}


def test_paper_to_code_names_objects_that_are_there():
    text = (ROOT / "docs" / "paper-to-code.md").read_text()
    names = [name for name in quoted(text) if re.fullmatch(r"[a-z_]+(\.\w+)+", name)]
    names = [name for name in names if not name.endswith((".py", ".md"))]
    assert len(names) > 5
    for name in names:
        assert is_there(f"arcal.{name.removeprefix('arcal.')}"), name


def test_every_table_and_figure_of_the_paper_has_a_row():
    from arcal.paper import ITEMS

    text = (ROOT / "docs" / "paper-to-code.md").read_text()
    for item in ITEMS.values():
        make = getattr(item.make, "func", item.make)  # of a partial
        module = make.__module__.removeprefix("arcal.")
        assert f"`{module.replace('.', '/')}.py`" in text


def anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def is_there(name: str) -> bool:
    """Whether a dotted name is a module, or what is in one."""
    module, *rest = name.split(".")
    value = importlib.import_module(module)
    for part in rest:
        module = f"{module}.{part}"
        if not hasattr(value, part):
            try:
                importlib.import_module(module)
            except ImportError:
                return False
        value = getattr(value, part)
    return True
