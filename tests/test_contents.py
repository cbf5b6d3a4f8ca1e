"""What `import arcal` brings."""

import subprocess
import sys

import arcal


def test_modules_that_are_not_on_the_contents_page_are_there_when_asked_for():
    code = "import arcal; print(arcal.data.WithIds.__name__, hasattr(arcal, 'nothing'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "WithIds False\n", done.stderr


def test_every_name_is_there_and_from_its_module():
    code = "import arcal; [getattr(arcal, name) for name in arcal.__all__]; print(len(dir(arcal)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert int(done.stdout) > 30, done.stderr
    missing = set(arcal.__all__) - set(arcal._MODULE_OF) - {"__version__", "ArcalError"}
    assert not missing


def test_help_needs_no_torch():
    code = (
        "import sys; sys.argv = ['arcal', '--help']\n"
        "from arcal.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("False False\n"), done.stdout + done.stderr
