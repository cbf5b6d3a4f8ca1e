"""Equal commands in two empty folders write equal bytes, whatever the order of a set is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from faults import contents

COMMANDS = """
    train --images 200 --validation 100 --epochs 2 --method ar-adals --order gradient --alpha 0.2
    score {run} --order attack --attack boundary-projection-quick --part validation
    evaluate {run} --shift fog-3 --posthoc temperature --cache cache
    audit {run} fashion --limit 200 --order gradient --out audit
    calibrate {run} fashion --limit 200 --calibrators temperature --out calibrated
    report {run} --out report
"""

PROGRAM = f"""
import sys
from pathlib import Path
from command_line import arcal
for command in {COMMANDS.strip().splitlines()!r}:
    run = next(Path("runs").glob("ar-adals-*"), "")
    done = arcal(*command.format(run=run).split())
    assert done.code == 0, (command, done.stderr)
"""


@pytest.mark.slow
def test_equal_commands_in_two_folders_write_equal_bytes(tmp_path):
    wrote = []
    for name, seed in (("one", 1), ("two", 2)):
        (tmp_path / name).mkdir()
        path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=tmp_path / name,
            env=os.environ | {"PYTHONPATH": path, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        files = contents(tmp_path / name)
        for file, data in files.items():
            if file.endswith("train.toml"):  # a command that can be given anywhere
                where = str(tmp_path / name).encode()
                assert data.count(where) == 1
                files[file] = data.replace(where, b"")
        wrote.append(files)
    one, two = wrote
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []
    assert len(one) > 20
