"""What a name in Python code stands for: `package.module:name` or `file.py:name`."""

import ast
import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from arcal.classifiers._libraries import near
from arcal.errors import ArcalError
from arcal.files import expanded


@dataclass(frozen=True)
class NamedInCode:
    """A value in Python code, its name there, and the file that it is in.

    `code` is the `code_digest` of that file, and empty if there is none.
    """

    value: Any
    name: str
    code: str = ""
    file: Path | None = None


def named_in_code(spec: str) -> NamedInCode:
    """Run or import the code that a name stands in, and look the name up.

    The code is run, with the working folder and the file's own folder importable; any error in it
    becomes one line with the file and line where it happened.
    """
    source, _, name = spec.rpartition(":")
    where = expanded(source)
    module = _run_file(spec, where) if where.suffix == ".py" else _import(spec, source)
    file = getattr(module, "__file__", None)
    value = _look_up(spec, module, name)
    if not file:
        return NamedInCode(value, name)
    return NamedInCode(value, name, code_digest(Path(file)), Path(file))


def code_files(path: Path) -> list[Path]:
    """A Python file and those that it imports, directly or not, from its folder or the working one.

    They are found by parsing, and nothing is run.

    >>> _ = Path("one.py").write_text("import os, two"), Path("two.py").write_text("import one")
    >>> [file.name for file in code_files(Path("one.py"))]
    ['one.py', 'two.py']
    """
    files, folders = [path.resolve()], (path.resolve().parent, Path.cwd())
    for file in files:
        for base, name in _imports(file):
            parts = name.split(".")
            for root in folders if base is None else (base,):
                places = [root.joinpath(*parts[:n]) for n in range(1, len(parts) + 1)]
                some = [
                    one for p in places for one in (p.with_name(f"{p.name}.py"), p / "__init__.py")
                ]
                files += [one for one in dict.fromkeys(some) if one.is_file() and one not in files]
    return files


def code_digest(path: Path) -> str:
    """16 hexadecimal digits of the text of a Python file and of its `code_files`."""
    digest = sha256()
    for file in code_files(path):
        with suppress(OSError):  # a module may be in an archive
            digest.update(sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _imports(file: Path) -> Iterator[tuple[Path | None, str]]:
    """The dotted names that a file imports, and from which folder, if it says so by dots."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((None, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = file.parents[node.level - 1] if node.level else None
            for alias in node.names:
                yield base, f"{node.module}.{alias.name}" if node.module else alias.name


def source_of(spec: str) -> str:
    """The text of the file that a name stands in and of its `code_files`, one after the other.

    The file is not run, but the parent packages of a module are. A file or module that is missing
    raises `ArcalError`.
    """
    source = spec.rpartition(":")[0]
    path = expanded(source)
    if path.suffix != ".py":
        _make_importable(Path.cwd())
        try:
            with one_line(spec, "while its package was imported"):
                located = importlib.util.find_spec(source)
        except ArcalError as error:
            if not isinstance(error.__cause__, ImportError | ValueError):
                raise
            located = None
        if located is None or located.origin is None:
            raise ArcalError(f"there is no module {source}: install it, or name file.py:name")
        path = Path(located.origin)
    try:  # the file may be compiled, or in another encoding
        texts = [one.read_text(encoding="utf-8", errors="replace") for one in code_files(path)]
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        raise ArcalError(f"{path}: {reason}: name another file, or put it back") from None
    return "".join(texts)


class _AsWritten(SourceFileLoader):
    """Loads a file as it is now.

    Python keeps using its compiled copy of a file if the file is changed within the same second and
    keeps its size: results would then be from other code than `code_digest` says.
    """

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def _run_file(spec: str, path: Path) -> ModuleType:
    """Run a file as a module, with its own folder importable as for a script."""
    if not path.is_file():
        files = [str(other) for other in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise ArcalError(f"{path} is missing: {near(str(path), files, 'give a file and a name')}")
    _make_importable(Path.cwd())
    _make_first(path.resolve().parent)
    name = path.stem if path.stem not in sys.modules else f"{path.stem}_of_a_classifier"
    file = str(path.absolute())
    located = importlib.util.spec_from_file_location(name, file, loader=_AsWritten(name, file))
    assert located is not None
    assert located.loader is not None
    module = importlib.util.module_from_spec(located)
    sys.modules[name] = module  # where dataclasses and pickles look for it
    try:
        with one_line(spec, "while the file ran"):
            located.loader.exec_module(module)
    except ArcalError as error:
        sys.modules.pop(name, None)
        if "attempted relative import" not in str(error.__cause__):
            raise
        raise ArcalError(
            f"{spec} imports from its own package: name it as a module of that, such as "
            f"PACKAGE.{path.stem}:{spec.rpartition(':')[2]}, from the folder that the package is in"
        ) from None
    return module


def _import(spec: str, name: str) -> ModuleType:
    _make_importable(Path.cwd())
    try:
        with one_line(spec, "while it was imported"):
            return importlib.import_module(name)
    except ArcalError as error:
        cause = error.__cause__
        missing = getattr(cause, "name", None) if isinstance(cause, ImportError) else None
        if missing is None or not f"{name}.".startswith(f"{missing}."):
            raise
        names = [file.stem for file in Path.cwd().glob("*.py")] + ["timm", "torchvision", "hf"]
        advice = "install it, or run from the folder that it is in; a file is named as file.py:name"
        raise ArcalError(f"there is no module {missing}: {near(missing, names, advice)}") from None


def _make_importable(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


_FOLDERS: set[Path] = set()
"""The folders of the files that were named in this process."""


def _make_first(folder: Path) -> None:
    """Import from this folder first, and forget what files elsewhere imported by its names.

    Two files to compare often are in copies of one project, each beside its own `model.py`.
    """
    sys.path[:] = [str(folder), *(other for other in sys.path if other != str(folder))]
    here = {file.stem for file in folder.glob("*.py")}
    here |= {file.parent.name for file in folder.glob("*/__init__.py")}
    for name in [name for name in sys.modules if name.partition(".")[0] in here]:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and (_FOLDERS - {folder}) & {*Path(file).parents}:
            del sys.modules[name]
    _FOLDERS.add(folder)


def _look_up(spec: str, module: ModuleType, name: str) -> Any:
    value: Any = module
    for part in name.split("."):
        if not hasattr(value, part):
            names = [n for n in getattr(value, "__dict__", ()) if not n.startswith("_")]
            file = getattr(module, "__file__", None)  # a module of the interpreter has none
            defined = ", ".join(names_in(Path(file))) if file else ""
            otherwise = f"it defines {defined}" if defined else "name what is defined in it"
            raise ArcalError(
                f"{spec.rpartition(':')[0]} has no {name or 'name after the colon'}: "
                f"{near(name, names, otherwise)}"
            )
        value = getattr(value, part)
    return value


def names_in(path: Path) -> list[str]:
    """What a file defines at its top level, read without running it."""
    try:
        body = ast.parse(path.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return []
    names: list[str] = []
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return [name for name in names if not name.startswith("_")]


def check_name(spec: str, example: str) -> None:
    """Refuse a Python file without a name in it; `example` may stand in the message."""
    if expanded(spec).suffix == ".py":
        names = names_in(expanded(spec))
        said = f"it defines {', '.join(names)}" if names else f"such as {example}"
        raise ArcalError(f"which name in {spec}? Write {spec}:NAME; {said}")


def check_needs_none(spec: str, value: Any, needed: list[str] | None) -> None:
    """Refuse a class that cannot be called without arguments, given those that are `needed`."""
    if needed and isinstance(value, type):
        some = ", ".join(needed)
        raise ArcalError(
            f"{spec} needs {some}: write a function without arguments that returns "
            f"{spec.rpartition(':')[2]}({some}), and name that"
        )


def needed_arguments(value: Callable[..., Any]) -> list[str] | None:
    """The arguments without a default; None if they cannot be known."""
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return None
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        p.name
        for p in signature.parameters.values()
        if p.default is p.empty and p.kind not in variable
    ]


@contextmanager
def one_line(spec: str, doing: str) -> Iterator[None]:
    """Turn whatever a user's code raises into one line, with the place in their own file."""
    try:
        yield
    except (Exception, SystemExit) as error:
        message = (str(error).strip() or "no message").splitlines()[0]
        raise ArcalError(
            f"{spec} fails {doing}, in {_place(error)}: {type(error).__name__}: {message}; fix it "
            "there"
        ) from error


def _place(error: BaseException) -> str:
    """The file and line of an error: the last that is neither installed nor arcal's own."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    installed = ("site-packages", "<frozen", str(Path(ast.__file__).parent))
    own = f"{Path(__file__).parents[1]}{os.sep}"
    theirs = [
        frame
        for frame in frames
        if not frame.filename.startswith(own)
        and not any(part in frame.filename for part in installed)
    ]
    last = (theirs or frames)[-1]
    return f"{last.filename}:{last.lineno}"
