"""A folder like ImageNet's through train, score, evaluate on two processes: memory stays flat."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc"),
]

FEW, MANY = 800, 4000
"""So far apart that images would be more than what a peak differs by from run to run, 130 MB."""
PIXELS = 3 * 224 * 224
READ = 0.8
"""The share of the images that each command reads one by one."""
NET = """from torch import nn

def make():
    pool = nn.AdaptiveAvgPool2d(8)
    return nn.Sequential(pool, nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4))
"""


def imagenet(root, N):
    """N JPEG files of 4 classes: four of five in train/, the rest in val/."""
    generator = np.random.default_rng(0)
    for i in range(N):
        small = generator.integers(0, 200, (6, 8, 3), np.uint8) + 50 * np.uint8(i % 4 == 1)
        path = root / ("val" if i % 5 == 0 else "train") / f"n0{i // 5 % 4}" / f"{i:05}.JPEG"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(small).resize((320, 240)).save(path.with_suffix(".jpeg"))
    return root


def swap(data, to):
    """The same images with the parts the other way round, so that many are in the test part."""
    to.mkdir()
    (to / "test").symlink_to(data / "train")
    (to / "train").symlink_to(data / "val")


def peak(folder, *arguments):
    """Run a command; the most bytes that all its processes held at once, besides what is mapped."""
    command = [sys.executable, "-m", "arcal", *map(str, arguments), "-q"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    most = 0
    while process.poll() is None:
        most = max(most, sum(map(held, [process.pid, *descendants(process.pid)])))
        time.sleep(0.2)
    _, said = process.communicate()
    assert process.returncode == 0, said
    return most


def descendants(process):
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(") ")[2].split()[1])
        except (OSError, IndexError):
            continue
        children.setdefault(parent, []).append(int(path.parent.name))
    below = [process]
    for one in below:
        below += children.get(one, [])
    return below[1:]


def held(process):
    """What a process has written into memory, and its share of what several have."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    sizes = {line.split()[0]: int(line.split()[1]) for line in lines[1:]}
    return 1024 * (sizes["Pss_Anon:"] + sizes["Pss_Shmem:"])


@pytest.fixture(scope="module")
def peaks(tmp_path_factory):
    """By number of images and command, the peak of its memory."""
    found = {}
    for N in (FEW, MANY):
        folder = tmp_path_factory.mktemp(str(N))
        (folder / "net.py").write_text(NET)
        imagenet(folder / "data", N)
        train = ["train", "--data", "data", "--network", "net.py:make", "--validation", 60]
        train += ["--epochs", 1, "--batch-size", 40]
        swap(folder / "data", folder / "swapped")
        found[N, "train"] = peak(folder, *train, "--devices", 2, "--loaders", 1)
        (run,) = folder.glob("runs/*")
        model = ["score", run, "data/train", "--size", 224, "--order", "margin"]
        found[N, "score"] = peak(folder, *model, "--devices", 2)
        evaluate = ["evaluate", run, "--ood", "swapped", "--loaders", 2]
        found[N, "evaluate"] = peak(folder, *evaluate)
        for kept in ("predictions", "scores"):
            shutil.rmtree(run / kept)
        again = peak(folder, *evaluate)  # how far its loaders are ahead of each other varies
        found[N, "evaluate"] = min(found[N, "evaluate"], again)
    return found


@pytest.mark.parametrize("command", ["train", "score", "evaluate"])
def test_memory_does_not_grow_with_the_images(peaks, command):
    few, many = peaks[FEW, command], peaks[MANY, command]
    print(f"{command}: {few / 1e6:.0f} MB for {FEW} images, {many / 1e6:.0f} MB for {MANY}")
    assert many - few < 0.6 * PIXELS * READ * (MANY - FEW)
