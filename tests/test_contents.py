"""What `import arcal` brings, and that every setting of a method has its flag."""

import subprocess
import sys

from arcal.cli.train import Train
from arcal.methods import METHODS, complete_settings


def test_rooms_that_are_not_on_the_contents_page_are_there_when_asked_for():
    code = "import arcal; print(arcal.data.WithIds.__name__, hasattr(arcal, 'nothing'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "WithIds False\n", done.stderr


def test_every_setting_has_a_flag():
    for method in METHODS:
        for setting in complete_settings(method, {}):
            assert hasattr(Train(), "levels" if setting == "R" else setting), setting


def test_flags_are_settings():
    train = Train(method="ar-adals", alpha=0.3, levels=4, rescore=(5,), mixup=0.2)
    found = train._run().settings
    given = {"alpha": 0.3, "R": 4, "rescore": (5,), "mixup": 0.2}
    assert {name: found[name] for name in given} == given
