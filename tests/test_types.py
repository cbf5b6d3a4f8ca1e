"""The package says the types of all that it offers, since `py.typed` has checkers rely on them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import arcal

SOURCE = Path(arcal.__file__).parent
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(body: list[ast.stmt]) -> Iterator[tuple[Function, bool]]:
    """The public functions and methods in a file or class, each with whether it is a method."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from ((function, True) for function, _ in functions(node.body))
        elif isinstance(node, Function) and (node.name[0] != "_" or node.name.endswith("__")):
            yield node, False


def untyped(source: str) -> list[str]:
    """What has no type, as `function.argument` or `function.return`; `__init__` returns nothing."""
    missing = []
    for function, method in functions(ast.parse(source).body):
        parameters = function.args
        named = [*parameters.posonlyargs, *parameters.args]
        static = any(
            isinstance(d, ast.Name) and d.id == "staticmethod" for d in function.decorator_list
        )
        named = named[1:] if method and not static else named
        named += [*parameters.kwonlyargs, *filter(None, (parameters.vararg, parameters.kwarg))]
        missing += [f"{function.name}.{arg.arg}" for arg in named if arg.annotation is None]
        if function.returns is None and function.name != "__init__":
            missing.append(f"{function.name}.return")
    return missing


def test_public_functions_have_types():
    files = {path: untyped(path.read_text()) for path in SOURCE.rglob("*.py")}
    assert not {str(path): missing for path, missing in files.items() if missing}


def test_missing_types_are_seen():
    source = "class A:\n    def f(self, x, *rest: int, y: int): ...\n\ndef g() -> None: ...\n"
    assert untyped(source) == ["f.x", "f.return"]
