"""Several runs see each batch: it is read and corrupted once, and what they say is their own."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from arcal.auditing import shift_sets
from arcal.compute import Compute
from arcal.data import InMemory
from arcal.data.corrupted import CorruptedImages
from arcal.data.folder import Folder
from arcal.evaluation import predict, predict_part, predictor
from arcal.evaluation.ahead import measure_share_of, score_share_of
from arcal.evaluation.grouping import group_runs
from arcal.evaluation.predictor import Predictor, predict_together
from arcal.evaluation.row import Row
from arcal.evaluation.workload import Workload
from arcal.training.scoring import score_file

pytestmark = pytest.mark.processor


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


def workload(trained, sets) -> Workload:
    rest = (None, (), CorruptedImages(), None, Compute())
    return Workload(trained.data, shift_sets(sets) if sets else [], "margin", *rest)


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
