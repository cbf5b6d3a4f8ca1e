"""What `import arcal` brings."""

import ast
import subprocess
import sys
from pathlib import Path

import arcal


def test_names_are_there_from_their_modules_and_modules_when_asked_for():
    code = (
        "import arcal; print(arcal.data.WithIds.__name__, hasattr(arcal, 'nothing'))\n"
        "[getattr(arcal, name) for name in arcal.__all__]; print(len(dir(arcal)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    first, second = done.stdout.splitlines()
    assert first == "WithIds False", done.stderr
    assert int(second) > 30, done.stderr
    missing = set(arcal.__all__) - set(arcal._MODULE_OF) - {"__version__", "ArcalError"}
    assert not missing


def test_what_an_editor_completes_is_public():
    shown = [name for name in dir(arcal) if not name.startswith("__")]
    assert {*shown} == {*arcal.__all__, *arcal._MODULES} - {"__version__"}


def test_type_checkers_know_what_is_there_and_nothing_else():
    tree = ast.parse(Path(arcal.__file__).read_text())
    named = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert "__getattr__" not in named  # it would make each name, a mistyped one too, `Any`
    checked = next(
        node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test)[0] == "T"
    )
    imports = [node for node in checked.body if isinstance(node, ast.ImportFrom)]
    modules = {one.asname for node in imports if node.module == "arcal" for one in node.names}
    assert modules == {*arcal._MODULES}
    names = {one.name for node in imports if node.module != "arcal" for one in node.names}
    assert names == {*arcal.__all__} - {"__version__", "ArcalError"}
    assert arcal.integrations.__name__ == "arcal.integrations"


def test_help_needs_no_torch():
    code = (
        "import sys; sys.argv = ['arcal', '--help']\n"
        "from arcal.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("False False\n"), done.stdout + done.stderr
