"""`arcal plan`: of a model and its data, or of sizes alone."""

import json
from pathlib import Path

import pytest
from PIL import Image

from command_line import arcal

NET = """
from torch import nn
net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4096, 5))
"""
GREY = "from torch import nn; net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "grey.py").write_text(GREY)


def planned(*arguments):
    done = arcal("plan", *arguments, "--json")
    assert done.code == 0, done.stderr
    plan = json.loads(done.stdout)
    return plan["title"], {line["name"]: line["value"] for line in plan["lines"]}


def test_a_hundred_million_inputs_that_nobody_has(here):
    size = ["--inputs", 100_000_000, "--shape", 3, 32, 32]
    card = ["--hardware", "h100", "--utilisation", "0.1", "--devices", 1, 64]
    title, lines = planned("score", "net.py:net", *size, *card, "--passes", "26.5")
    assert title == "score 100,000,000 inputs with net.py:net by attack"
    assert lines["forward pass"] == 2 * 32 * 32 * 4 * 27 + 2 * 4096 * 5
    assert lines["rate of a device"] == pytest.approx(6.7e12)
    assert lines["time on 64"] == pytest.approx(lines["time on 1"] / 64)
    assert lines["scores"] > 1e9


def test_data_says_how_many_there_are(here):
    _, lines = planned("score", "grey.py:net", "fashion", "--limit", 50, "--seconds", "0.05")
    assert lines["inputs"] == 50
    assert 3 <= lines["passes"] <= 48
    assert lines["rate of a device"] > 0


def test_a_run_is_planned_on_its_own_data_as_it_is_scored(here):
    train = ("--epochs", 1, "--images", 200, "--validation", 50)
    assert arcal("train", *train).code == 0
    (run,) = Path("runs").iterdir()
    flags = ("--seconds", "0.05", "--order", "gradient")
    title, alone = planned("score", run, *flags)
    assert title == f"score 5,000 inputs with {run} by gradient"
    _, validation = planned("score", run, *flags, "--part", "validation")
    assert (alone["inputs"], validation["inputs"]) == (5000, 50)
    _, more = planned("score", run, *flags, "--inputs", 1000)
    assert more["inputs"] == 1000
    done = arcal("plan", "score", run, *flags, "--limit", 10)
    assert "--limit is for DATA" in done.line
    (run / "config.json").write_text("{")
    assert "config.json is damaged" in arcal("plan", "score", run, *flags).line


def test_an_audit_in_plain_text(here):
    done = arcal("plan", "audit", "net.py:net", "--inputs", 1000, "--shape", 3, 32, 32,
                 "--flops-per-second", "1e10")  # fmt: skip
    assert done.code == 0, done.stderr
    assert "forward passes" in done.stdout
    assert "8" in done.stdout
    assert "(4 of them under the panel)" in " ".join(done.stdout.split())


def test_a_training_on_images_of_the_size_that_it_will_have(here):
    for part in ("train", "test"):
        for name in ("dark", "light"):
            folder = Path("photos", part, name)
            folder.mkdir(parents=True)
            for i in range(4):
                Image.new("RGB", (9, 9), (i, i, i)).save(folder / f"{i}.png")
    Path("net.py").write_text(NET.replace("net = ", "def make():\n    return ").replace("5)", "2)"))
    flags = ("--network", "net.py:make", "--data", "photos", "--size", 32, "--validation", 2)
    _, lines = planned("train", *flags, "--epochs", 1, "--seconds", "0.1")
    assert lines["images"] == 6
    assert lines["forward pass"] == 2 * 32 * 32 * 4 * 27 + 2 * 4096 * 2


def test_training_of_sizes_alone(here):
    sizes = ["--images", 5000, "--validation", 500, "--shape", 3, 32, 32, "--classes", 10]
    rate = ["--flops-per-second", "1e12", "--devices", 1, 8]
    title, lines = planned("train", "--network", "small", *sizes, *rate)
    assert title == "train small by vanilla with recipe small"
    assert lines["epochs"] == 30
    assert lines["time on 8"] == pytest.approx(lines["time on 1"] / 8)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["score", "net.py:net"], "how many inputs"),
        (["score", "net.py:net", "--inputs", 10], "what shape has an input"),
        (["score", "net.py:net", "--inputs", 0, "--shape", 3, 32, 32], "--inputs 0"),
        (["score", "net.py:net", "--inputs", 9, "--shape", 3, 32, 32, "--hardware", "a100"],
         "--utilisation"),
        (["score", "net.py:net", "--inputs", 9, "--shape", 3, 32, 32, "--devices", 0], "0 devices"),
        (["score", "net.py:net", "--inputs", 9, "--shape", 3, 32, 32, "--limit", 5], "--limit"),
        (["score", "net.py:net", "--inputs", 9, "--shape", 3, 32, 32, "--order", "none"],
         "order 'none' is unknown"),
        (["audit", "net.py:net", "--inputs", 9, "--shape", 3, 32, 32, "--order", "random"],
         "--order random: choose from attack, gradient, margin, none"),
        (["train", "--images", 10], "--validation, --classes, --shape"),
        (["train", "--network", "smal", "--images", 10], "smal"),
        (["train", "--images", 9, "--size", 8], "--size 8 goes with --data: give --shape C H W"),
        (["guess"], "see `arcal plan --help`"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(here, arguments, says):
    done = arcal("plan", *arguments)
    assert says in done.line, done.line
