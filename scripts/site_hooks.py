"""What the documentation site has beside `docs/`: the README, results, examples, and the reference.

mkdocs calls these functions by their names while it builds (`hooks` in mkdocs.yml).
"""

import ast
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(\]\()([^)#\s]+)(#[^)\s]*)?(\))")

ROOMS = (
    "arcal",
    "arcal.audits",
    "arcal.prediction_files",
    "arcal.classifiers",
    "arcal.calibration",
    "arcal.calibration.posthoc",
    "arcal.attacks",
    "arcal.auditing",
    "arcal.methods",
    "arcal.networks",
    "arcal.transforms",
    "arcal.transforms.corruptions",
    "arcal.data",
    "arcal.compute",
    "arcal.store",
    "arcal.training",
    "arcal.evaluation",
    "arcal.report",
    "arcal.integrations.lightning",
    "arcal.integrations.transformers",
    "arcal.integrations.torchmetrics",
    "arcal.integrations.sklearn",
    "arcal.integrations.measures",
    "arcal.errors",
)
"""The packages with a page in the reference, from the user's door inward."""


def on_config(config: Any) -> Any:
    """Fill in the pages of the reference and of the notebook."""
    notes = sorted((ROOT / "docs/notebook").glob("*.md"), key=lambda p: (p.stem != "README", p))
    reference = [{room: page_of(room)} for room in ROOMS]
    for section in config.nav:
        if isinstance(section, dict) and "Reference" in section:
            section["Reference"] = reference
        elif isinstance(section, dict) and "Notebook" in section:
            section["Notebook"] = [f"notebook/{note.name}" for note in notes]
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add what lies beside `docs/`, and a page for each package."""
    for uri, path in beside():
        files.append(File.generated(config, uri, abs_src_path=str(path)))
    for room in ROOMS:
        content = f"# {room}\n\n" + "\n\n".join(f"::: {room}.{name}" for name in public(room))
        files.append(File.generated(config, page_of(room), content=content))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Point links that leave `docs/` to where the site has their targets."""
    source = page.file.src_uri
    if source.endswith(".py.md"):
        return f"# {source.removesuffix('.md')}\n\n```python\n{markdown.rstrip()}\n```\n"
    folder = posixpath.dirname(original(source))

    def moved(link: re.Match[str]) -> str:
        target = link[2]
        if "://" in target or target.startswith("mailto:"):
            return link[0]
        path = posixpath.normpath(posixpath.join(folder, target))
        if (new := site_uri(path)) is None:
            return link[0]
        here = posixpath.dirname(source)
        return f"{link[1]}{posixpath.relpath(new, here or '.')}{link[3] or ''}{link[4]}"

    return LINK.sub(moved, markdown)


def beside() -> list[tuple[str, Path]]:
    """The pages and files from outside `docs/`, by where they are on the site."""
    paths = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
    paths += [ROOT / "SECURITY.md", ROOT / "src/arcal/audits/audit.schema.json", ROOT / "LICENSE"]
    paths += [ROOT / "tests/faults/bad_inputs.txt"]
    paths += [*sorted((ROOT / "results").rglob("*.md")), *sorted((ROOT / "results").rglob("*.svg"))]
    paths += sorted((ROOT / "examples").rglob("*.py"))
    found = [path for path in paths if path.exists()]
    return [(uri, path) for path in found if (uri := site_uri(str(path.relative_to(ROOT))))]


def site_uri(path: str) -> str | None:
    """Where the site has a file of the repository, if it has it.

    >>> site_uri("docs/audit.md"), site_uri("README.md"), site_uri("examples/a.py")
    ('audit.md', 'index.md', 'examples/a.py.md')
    """
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if path == "README.md":
        return "index.md"
    if path.startswith("examples/"):
        return f"{path}.md" if path.endswith(".py") else None
    known = path.startswith(("results/", "src/", "tests/faults/bad_inputs")) or "/" not in path
    return path if known else None


def original(uri: str) -> str:
    """The path in the repository of a page of the site."""
    if uri == "index.md":
        return "README.md"
    own = ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
    return uri if uri in own or uri.startswith(("results/", "api/")) else f"docs/{uri}"


def page_of(room: str) -> str:
    """The reference page of a package."""
    return f"api/{room}.md"


def public(room: str) -> list[str]:
    """The public names of a package, read from its `__all__` without importing it."""
    folder = ROOT / "src" / room.replace(".", "/")
    path = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    body = ast.parse(path.read_bytes()).body
    for node in body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return [name for name in ast.literal_eval(node.value) if not name.startswith("__")]
    defined = [node.name for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    return [name for name in defined if not name.startswith("_")]
