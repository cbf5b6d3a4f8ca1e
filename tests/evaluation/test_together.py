"""Several runs see each batch: it is read and corrupted once, and what they say is their own."""

import numpy as np
import torch
from PIL import Image
from tiny_runs import NOISE
from torch import nn

from arcal.compute import Compute
from arcal.data import InMemory
from arcal.data.corrupted import CorruptedImages
from arcal.data.folder import Folder
from arcal.evaluation import evaluated_part, predict, predict_part, predictor
from arcal.evaluation.predictor import Predictor, predict_together


class Counted(InMemory):
    """Images that say how many of them were read."""

    read = 0

    def images(self, positions):
        type(self).read += len(positions)
        return super().images(positions)


def test_each_image_is_read_once_for_all_runs(trained, copied):
    folders, part = copied(trained.all), Counted(**vars(trained.data.test))
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
    folders, part = copied(trained.all), Counted(**vars(trained.data.test))
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
