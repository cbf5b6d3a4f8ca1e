"""What `import arcal` brings."""

import subprocess
import sys

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


def test_help_needs_no_torch():
    code = (
        "import sys; sys.argv = ['arcal', '--help']\n"
        "from arcal.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("False False\n"), done.stdout + done.stderr
