"""Several runs see each batch: it is read and corrupted once, and what they say is their own."""

import os
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_runs import NOISE
from torch import nn

from arcal.auditing import shift_sets
from arcal.compute import Compute
from arcal.data import InMemory, Resized
from arcal.data.corrupted import Corrupted, CorruptedImages
from arcal.data.folder import Folder
from arcal.evaluation import evaluated_part, predict, predict_part, predictor
from arcal.evaluation.ahead import measure_share_of, score_share_of
from arcal.evaluation.grouping import group_runs
from arcal.evaluation.predictor import Predictor, predict_together
from arcal.evaluation.row import Row
from arcal.evaluation.workload import Workload
from arcal.training.scoring import score_file


class Counted(InMemory):
    """Images that say how many of them were read."""

    read = 0

    @classmethod
    def copy_of(cls, part):
        return cls(**{field.name: getattr(part, field.name) for field in fields(part)})

    def images(self, positions):
        type(self).read += len(positions)
        return super().images(positions)


def test_each_image_is_read_once_for_all_runs(trained, copied):
    folders, part = copied(trained.all), Counted.copy_of(trained.data.test)
    Counted.read = 0
    predict_together([Predictor(folder) for folder in folders], part, "test")
    assert Counted.read == len(part)
    predict_together([Predictor(folder) for folder in folders], part, "test")
    assert Counted.read == len(part), "nothing is predicted again"
    for folder, other in zip(folders, copied(trained.all, "alone"), strict=True):
        alone = predict(other, trained.data.test, "test")
        assert torch.equal(predict(folder, part, "test").logits, alone.logits)


def test_as_many_runs_at_a_time_as_fit(trained, copied, monkeypatch):
    monkeypatch.setattr(predictor, "TOGETHER", 2 * 4 * 60 * 3)
    folders, part = copied(trained.all), Counted.copy_of(trained.data.test)
    Counted.read = 0
    predict_together([Predictor(folder) for folder in folders], part, "test")
    assert Counted.read == 3 * len(part), "five runs of six members, two or three of them at once"
    assert all(folder.predictions("test").exists() for folder in folders)


def test_a_run_that_was_predicted_before_is_left_alone(trained, copied):
    folders = copied(trained.vanilla)
    part = evaluated_part(NOISE, trained.data, CorruptedImages())
    first = predict(folders[0], part, NOISE.name)
    written = folders[0].predictions(NOISE.name).stat().st_mtime_ns
    predict_together([Predictor(folder) for folder in folders], part, NOISE.name)
    assert folders[0].predictions(NOISE.name).stat().st_mtime_ns == written
    assert torch.equal(predict(folders[0], part, NOISE.name).logits, first.logits)
    assert folders[1].predictions(NOISE.name).exists()


def test_scores_and_validation_predictions_are_shared_out(trained, copied):
    folders, work = copied(trained.vanilla), workload(trained, [])
    for share in (1, 0):
        score_share_of(work, folders, folders, share, 2, 1)
        predicted = [folder.predictions("validation").exists() for folder in folders]
        assert predicted == ([False, True] if share else [True, True])
    for folder, other in zip(folders, copied(trained.vanilla, "alone"), strict=True):
        assert not score_file(folder, "test", "margin").exists()
        assert torch.equal(work.score(folder).robustness, work.score(other).robustness)


@pytest.mark.parametrize("sets", [["fog-1", "fog-3", "contrast-1"], []])
def test_each_set_is_of_one_share_and_all_shares_are_everything(sets, trained, copied):
    folders, work = copied(trained.vanilla), workload(trained, sets)
    (group,) = group_runs(folders)
    row = Row(group, [Predictor(folder) for folder in folders])
    parts = list(work.parts())
    names = [name for *_, name in parts]
    for share in (1, 0):
        measure_share_of(work, [row], names, share, 2, 1)
        done = [[folder.predictions(name).exists() for folder in folders] for name in names]
        measured = [row.is_measured(*one) for one in parts]
        if sets and share:
            assert done == [[False, False], [True, True], [False, False], [True, True]]
            assert measured == [False, True, False, True]
        elif share:
            assert done == [[False, True]], "one set of two runs: each share has a run"
    assert all(map(all, done))
    assert all(measured) == bool(sets), "what each process has some runs of is measured later"
    for folder, other in zip(folders, copied(trained.vanilla, "alone"), strict=True):
        for _, part, name in parts:
            assert torch.equal(
                predict(folder, part, name).logits, predict(other, part, name).logits
            )


class ReadElsewhere(Resized):
    """Images that this process must not read itself."""

    here = os.getpid()

    def images(self, positions):
        assert os.getpid() != self.here
        return super().images(positions)


@pytest.mark.parametrize("shared", [False, True])
def test_loaders_read_what_is_scored(shared, trained, copied):
    (folder, *_), test = copied(trained.vanilla), trained.data.test
    data = replace(trained.data, test=ReadElsewhere(test, test.shape))
    work = replace(workload(trained, []), data=data, compute=Compute(loaders=1))
    if shared:
        score_share_of(work, [folder], [], 0, 1, 1)
    assert work.score(folder).robustness.shape == (len(test),)


def workload(trained, sets) -> Workload:
    rest = (None, (), CorruptedImages(), None, Compute())
    return Workload(trained.data, shift_sets(sets) if sets else [], "margin", *rest)


class ReadHere(Corrupted):
    """Images that no other process is to read."""

    here = os.getpid()

    def images(self, positions):
        assert os.getpid() == self.here
        return super().images(positions)


def test_what_is_stored_already_is_not_read_by_loaders(tmp_path):
    """Each of them would hold the whole file against its digest."""
    for z in ("cat", "dog"):
        (tmp_path / z).mkdir()
        Image.new("RGB", (40, 50)).save(tmp_path / z / "0.png")
    pets = Folder(tmp_path, size=32, name="pets/test")
    part: Any = ReadHere(pets, "fog", 3, CorruptedImages(cache=tmp_path / ".cache"))
    model = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 2))
    predictor._predict_each([[model]], part, torch.device("cpu"), loaders=1)


def test_processes_that_read_ahead_corrupt_to_the_same_bits(tmp_path):
    generator = np.random.default_rng(0)
    for z in ("cat", "dog"):
        (tmp_path / z).mkdir()
        for i in range(3):
            pixels = generator.integers(0, 256, (40, 50, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / z / f"{i}.png")
    part = CorruptedImages().part(Folder(tmp_path, name="pets/test"), "gaussian_noise", 3)
    model = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 2)).eval()
    here = predict_part([model], part)
    (there,) = predictor._predict_each([[model]], part, Compute().device, loaders=2)
    assert torch.equal(here.logits, there.logits)
