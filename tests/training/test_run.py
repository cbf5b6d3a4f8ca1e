"""A run's configuration: written to its folder and read back as what it was."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from arcal.data import load
from arcal.errors import ArcalError
from arcal.evaluation.grouping import same_data
from arcal.networks import NETWORKS
from arcal.store import RunFolder
from arcal.training.run import Run
from arcal.training.saved_run import data_of, read_run
from tiny_files import write_tiny

SETTINGS = [
    ("vanilla", {}),
    ("vanilla", {"mixup": 0.2}),
    ("label-smoothing", {"epsilon": 0.1, "mixup": 1.0}),
    ("adals", {"alpha": 0.005}),
    ("adals", {"alpha": {"0": 0.001, "6": 0.05}}),
    ("adals", {"alpha": {0: 0.001, 6: 0.05}}),
    ("ar-adals", {}),
    ("ar-adals", {"R": 4, "order": "margin", "rescore": [0.25, 5], "update": "joint"}),
    ("ar-adals", {"order": "attack", "attack": "carlini-wagner", "rescore": (3,)}),
    ("ar-adals", {"order": "random", "attack": None, "rescore": None, "alpha": 1}),
    ("ccat", {"radius": 0.02, "rho": 5, "iterations": 3}),
    ("focal", {"gamma": 2.0, "entropy": 0.1, "mbls": 6.0}),
    ("ar-adals", {"noise": 0.1, "augmix": 0, "perturbed": 0.5, "perturbed_by": "gradient"}),
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Where a tiny data set is, and the data set."""
    source = str(write_tiny(tmp_path_factory.mktemp("data")))
    return source, load(source, validation=40)


def read_back(run, tiny, root):
    """What the folder of a run says it is, which is never trained."""
    _, data = tiny
    return read_run(run.folder(root, data))


@pytest.mark.parametrize(("method", "settings"), SETTINGS)
def test_a_run_of_every_method_is_read_back_as_it_was(method, settings, tiny, tmp_path):
    run = Run(tiny[0], method=method, settings=settings, validation=40)
    record = read_back(run, tiny, tmp_path)
    assert record.run == run
    assert record.run.settings.keys() >= settings.keys()
    assert not any(isinstance(value, list) for value in run.settings.values())
    assert record.is_twin(read_back(replace(run, seeds=(1,)), tiny, tmp_path))


def test_a_run_remembers_the_size_of_its_images_and_whose_its_validation_part_is(tmp_path):
    for part, count in (("train", 3), ("val", 2), ("test", 2)):
        for name in ("cat", "dog"):
            (tmp_path / part / name).mkdir(parents=True)
            for i in range(count):
                Image.new("RGB", (20, 20), (9 * i, 0, 0)).save(tmp_path / part / name / f"{i}.png")
    names = []
    for validation, counts in ((None, [6, 4, 4]), (4, [2, 4, 4])):
        run = Run(str(tmp_path), size=12, validation=validation)
        data = run.load()
        folder = run.folder(tmp_path / "runs", data)
        assert read_run(folder).run == run
        again = data_of(folder)
        assert again.shape == (3, 12, 12)
        assert [len(again.part(name)) for name in ("train", "validation", "test")] == counts
        assert again.own_validation == (validation is None)
        names.append(folder.name)
    usual = Run(str(tmp_path))
    names.append(usual.folder(tmp_path / "runs", usual.load()).name)
    assert len(set(names)) == 3


def test_twins_start_from_the_same_weights_wherever_these_are(tiny, tmp_path):
    code = "from torch import nn\nmake = lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 3))\n"
    (tmp_path / "own_twins.py").write_text(code)
    first, moved = tmp_path / "first.safetensors", tmp_path / "moved.safetensors"
    run = Run(tiny[0], network=f"{tmp_path / 'own_twins.py'}:make", weights=str(first))
    states = [
        {"1.weight": torch.full((3, 784), value), "1.bias": torch.zeros(3)} for value in (1.0, 2.0)
    ]
    save_file(states[0], first)
    save_file(states[0], moved)
    one = read_back(run, tiny, tmp_path)
    same = read_back(replace(run, seeds=(1,), weights=str(moved)), tiny, tmp_path)
    save_file(states[1], first)
    other = read_back(replace(run, seeds=(2,)), tiny, tmp_path)
    assert one.is_twin(same)
    assert not one.is_twin(other)


@pytest.mark.parametrize("network", NETWORKS)
def test_what_else_a_run_says_is_read_back(network, tiny, tmp_path):
    run = Run(
        tiny[0],
        network=network,
        seeds=(4, 2),
        split_seed=3,
        images=100,
        test_images=20,
        classes=(0, 2),
        threads=2,
    )
    record = read_back(run, tiny, tmp_path)
    assert record.run == replace(run, validation=40), "as many as there were"
    data = tiny[1]
    assert record.data.classes == data.classes
    assert record.data.shape == (1, 28, 28)
    assert record.data.parts["tiny/train"] == data.train.fingerprint()


def config_without(folder, *fields):
    config = json.loads((folder.path / "config.json").read_text())
    *outer, last = fields
    inner = config
    for field in outer:
        inner = inner[field]
    del inner[last]
    return config


@pytest.mark.parametrize(
    "fields",
    [
        ("network",),
        ("recipe", "epochs"),
        ("data", "classes"),
        ("format",),
    ],
    ids=".".join,
)
def test_a_configuration_that_misses_a_field_is_refused_in_one_line(fields, tiny, tmp_path):
    config = config_without(Run(tiny[0], validation=40).folder(tmp_path, tiny[1]), *fields)
    folder = RunFolder.create(tmp_path, "vanilla-s0", config)
    with pytest.raises(ArcalError) as error:
        read_run(folder)
    line = str(error.value)
    assert line.startswith(f"{folder.path}/config.json cannot be read by this version")
    assert repr(fields[-1]) in line
    assert "\n" not in line


def test_runs_of_other_data_are_not_compared(tmp_path):
    there = str(write_tiny(tmp_path / "there"))
    run = Run(there, validation=40)
    first = run.folder(tmp_path, run.load())
    write_tiny(tmp_path / "elsewhere")
    moved = replace(run, data=str(tmp_path / "elsewhere" / "tiny"), seeds=(1,))
    same_data([first, moved.folder(tmp_path, moved.load())])
    more = Run(str(write_tiny(tmp_path / "more", N=170)), validation=40)
    for other, differs in (
        (more, ""),
        (replace(run, split_seed=1), " (--split-seed 1, not 0)"),
        (replace(run, validation=50, classes=(0, 1)), None),
    ):
        with pytest.raises(ArcalError, match="different data or another split") as raised:
            same_data([first, other.folder(tmp_path, other.load())])
        if differs is None:
            differs = " (--validation 50, not 40; --classes 0 1, not as usual)"
        assert f"{first.path}{differs}: compare only runs" in str(raised.value)


def test_data_that_has_changed_or_gone_is_refused(tmp_path):
    source = write_tiny(tmp_path / "data")
    run = Run(str(source), validation=40)
    folder = run.folder(tmp_path, run.load())
    assert data_of(folder).train.fingerprint() == run.load().train.fingerprint()
    write_tiny(tmp_path / "data", N=180)
    with pytest.raises(ArcalError, match=r"is not the data that .* was trained on"):
        data_of(folder)
    for file in Path(source).parent.iterdir():
        file.unlink()
    with pytest.raises(ArcalError, match=r"cannot be read .* give its path with --data$"):
        data_of(folder)
