"""A file that was replaced by another of its size is noticed, whatever was kept of the old one."""

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from bad_files import picture
from PIL import Image

from arcal.audits import Examples, Job, Settings, run_jobs
from arcal.data import load_part
from arcal.data.contents import evidence_of, is_evidence_of
from arcal.data.folder import Folder
from arcal.errors import ArcalError
from arcal.evaluation.predictor import Predictor
from arcal.store import RunFolder
from arcal.training import RECIPES, Run, data_of, score_run, train
from arcal.training.many import train_all


def write_images(root, parts=("train", "test"), count=12):
    """Uncompressed images, so that all have one size, of two classes that can be told apart."""
    for p, part in enumerate(parts):
        for z, label in enumerate(("cat", "dog")):
            for i in range(count):
                path = root / part / label / f"{i:02}.webp"
                path.parent.mkdir(parents=True, exist_ok=True)
                save(path, 100 * p + 50 * z + i, z)
    return root


def save(path, seed, z):
    """An image as a BMP, which Pillow reads whatever the name: every file has the same length."""
    pixels = np.asarray(picture((16, 16), seed=seed)) // 2 + np.uint8(100 * z)
    Image.fromarray(pixels).save(path, "BMP")


def replace_all(root):
    """Every image by another of the same size."""
    for number, path in enumerate(sorted(root.rglob("*.webp"))):
        size = path.stat().st_size
        save(path, 1000 + number, number % 2)
        assert path.stat().st_size == size


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp("folder")
    data = write_images(root / "data")
    recipe = replace(RECIPES["small"], epochs=1, batch_size=8)
    return train(Run(str(data), network="small", recipe=recipe, validation=4), root / "runs"), data


def copy_of(trained, tmp_path):
    folder, data = trained
    to = shutil.copytree(data, tmp_path / "data")
    run = shutil.copytree(folder.path, tmp_path / folder.path.name)
    return RunFolder(run), to


@pytest.mark.slow
def test_predictions_and_scores_of_replaced_images_are_refused(trained, tmp_path):
    folder, data = copy_of(trained, tmp_path)
    test = data_of(folder, str(data)).test
    predictions = Predictor(folder)(test, "test")
    scores = score_run(folder, test, "test", "margin")
    again = data_of(folder, str(data)).test
    assert torch.equal(Predictor(folder)(again, "test").logits, predictions.logits)
    assert torch.equal(score_run(folder, again, "test", "margin").robustness, scores.robustness)
    replace_all(data / "test")
    other = data_of(folder, str(data)).test
    assert other.fingerprint() == test.fingerprint()
    with pytest.raises(ArcalError, match="a file was replaced; delete it and evaluate again"):
        Predictor(folder)(other, "test")
    with pytest.raises(ArcalError, match="a file was replaced; delete it and score again"):
        score_run(folder, other, "test", "margin")


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_run_of_replaced_training_images_is_refused(part, tmp_path):
    data = write_images(tmp_path / "data")
    recipe = replace(RECIPES["small"], epochs=1, batch_size=8)
    run = Run(str(data), network="small", recipe=recipe, validation=4)
    folder = train(run, tmp_path / "runs")
    kept = folder.files.read_bytes()
    for path in data.rglob("*.webp"):
        os.utime(path)
    assert train(run, tmp_path / "runs") == folder
    replace_all(data / part)
    if part == "test":
        assert train_all([run], tmp_path / "runs") == [folder]
    else:
        words = r"is of different images from .*train now: a file was replaced"
        with pytest.raises(ArcalError, match=words):
            train_all([run], tmp_path / "runs")
        folder.checkpoint.unlink()  # as if it had been killed in its first epoch
        with pytest.raises(ArcalError, match=words):
            train(run, tmp_path / "runs")
    assert folder.files.read_bytes() == kept


def test_a_file_that_was_only_touched_or_moved_is_the_same(tmp_path):
    data = write_images(tmp_path / "data", ("test",))
    part = Folder(data / "test", size=16)
    kept = evidence_of(part)
    for path in data.rglob("*.webp"):
        os.utime(path)
    assert evidence_of(part)["stamp"] != kept["stamp"]
    assert is_evidence_of(part, kept)
    moved = Folder(shutil.copytree(data, tmp_path / "moved") / "test", size=16)
    assert is_evidence_of(moved, kept)
    replace_all(tmp_path / "moved")
    assert not is_evidence_of(moved, kept)
    assert is_evidence_of(part, kept)


def test_the_mean_of_an_audit_changes_with_the_images_of_one_block(tmp_path):
    data = write_images(tmp_path / "data", ("test",), count=120)

    def examples():
        return Examples.from_part(load_part(str(data / "test"), size=16))

    calls = []

    def model(x):
        calls.append(len(x))
        return x.flatten(1)[:, :2]

    def audited():
        calls.clear()
        job = Job("two pixels", model, examples(), settings=Settings(order="margin"))
        (one,) = run_jobs([job], work=tmp_path / "work")
        return one, sum(calls)

    first, all_of_it = audited()
    again, few = audited()
    assert few < all_of_it / 2
    assert torch.equal(again.predictions.logits, first.predictions.logits)
    order = examples().order()
    where = int(order[-1])
    assert where not in order[:8].tolist()
    path = sorted((data / "test").rglob("*.webp"))[where]
    save(path, 4321, 1)
    other, some = audited()
    assert few < some < all_of_it
    row = int((other.predictions.ids == where).nonzero())
    expected = model(examples().read(torch.tensor([where])))
    assert torch.equal(other.predictions.logits[0, row], expected[0])
