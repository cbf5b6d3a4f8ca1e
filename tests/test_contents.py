"""What `import arcal` brings."""

import subprocess
import sys


def test_rooms_that_are_not_on_the_contents_page_are_there_when_asked_for():
    code = "import arcal; print(arcal.data.WithIds.__name__, hasattr(arcal, 'nothing'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "WithIds False\n", done.stderr
