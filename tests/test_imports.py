"""The rooms of the house: a file imports only from its own room and from those above it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "arcal"
ROOMS = (
    "_version",
    "errors",
    "printable",
    "files",
    "logits",
    "parents",
    "arrays",
    "labels",
    "generators",
    "distributed",
    "adaptive_alpha",
    "levels_by_id",
    "smoothing",
    "attacks",
    "orders",
    "batch_parts",
    "labelled_batches",
    "loader_order",
    "ranks",
    "robustness",
    "calibration",
    "networks",
    "transforms",
    "methods",
    "data",
    "compute",
    "auditing",
    "console",
    "report",
    "integrations",
    "store",
    "classifiers",
    "training",
    "evaluation",
    "prediction_files",
    "audits",
    "paper",
    "demo",
    "cli",
    "__main__",
)
"""From top to bottom. `arcal` itself is the contents page: nothing inside imports from it."""
TENSORS = ROOMS[ROOMS.index("adaptive_alpha") : ROOMS.index("data")]
"""Tensors in, tensors out: they know neither disk nor device."""
FORBIDDEN = {
    **{name: {"files", "store", "data", "compute", "console"} for name in TENSORS},
    "auditing": {"files", "store", "training", "evaluation", "compute", "console"},
    "report": {"store", "training", "evaluation"},
    "integrations": {"report", "training", "store", "evaluation"},
}
"""What the order alone would not say, or says again because it matters most."""


def room(path: Path) -> str:
    """The room a file is in."""
    first = path.relative_to(SOURCE).parts[0]
    return first.removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """The line and the dotted name of everything of arcal's that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, a.name) for a in node.names if a.name.startswith("arcal"))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write the import in full"
            if node.module == "arcal":
                yield from ((node.lineno, f"arcal.{alias.name}") for alias in node.names)
            elif node.module and node.module.startswith("arcal."):
                yield node.lineno, node.module


def test_every_file_is_in_a_room():
    rooms = {room(path) for path in SOURCE.rglob("*.py")} - {"__init__"}
    assert rooms == set(ROOMS)


@pytest.mark.parametrize("name", ROOMS)
def test_imports_point_upward(name):
    files = [path for path in SOURCE.rglob("*.py") if room(path) == name]
    wrong = []
    for path in files:
        for line, imported in imports(path):
            other = imported.split(".")[1]
            if other not in ROOMS:
                wrong.append(f"{path.name}:{line} imports {imported} from the contents page")
            elif ROOMS.index(other) > ROOMS.index(name) or other in FORBIDDEN.get(name, ()):
                wrong.append(f"{path.name}:{line}: {name} must not import {imported}")
    assert not wrong, "\n".join(wrong)


def test_private_files_are_imported_in_their_own_room_only():
    wrong = [
        f"{path.relative_to(SOURCE)}:{line} imports {imported}"
        for path in SOURCE.rglob("*.py")
        for line, imported in imports(path)
        if imported.split(".")[1] != room(path) and "._" in imported.partition(".")[2]
    ]
    assert not wrong, "\n".join(wrong)


def test_the_rule_sees_an_arrow_down(tmp_path):
    file = tmp_path / "bad.py"
    file.write_text("def f():\n    from arcal.store import RunFolder\n    import arcal.paper\n")
    assert list(imports(file)) == [(2, "arcal.store"), (3, "arcal.paper")]
