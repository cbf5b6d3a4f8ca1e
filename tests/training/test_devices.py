"""Two devices share a run: what is exact, what is alike, and what is refused."""

import sys
from dataclasses import replace
from importlib import import_module
from importlib.metadata import version

import pytest
import torch

from arcal.compute import Compute
from arcal.compute.fabric import _only_the_version_of
from arcal.store import load_tensors
from arcal.training import train
from arcal.training._fit import _Loop
from arcal.training.many import train_all
from arcal.training.recipes import RECIPES
from arcal.training.run import Run
from arcal.training.saved_run import model_of, read_run


def run(devices, **options):
    recipe = replace(RECIPES["small"], epochs=2, batch_size=40, steps=())
    return Run(
        method="ar-adals",
        settings={"order": "confidence", "R": 2, "alpha": 0.1},
        recipe=recipe,
        images=400,
        validation=400,
        test_images=100,
        devices=devices,
        **options,
    )


@pytest.mark.slow
def test_two_devices_train_a_run_and_again_to_the_same_bits(tmp_path):
    two = train(run(2), tmp_path)
    assert read_run(two).run == run(2)
    one = train(run(1), tmp_path)
    for ours, alone in zip(two.epochs(), one.epochs(), strict=True):
        assert ours["rate"] == alone["rate"]
        # Each sees half of a batch in batch norm; the same images, in the same order.
        assert ours["loss"] == pytest.approx(alone["loss"], rel=0.2)
    again = train(run(2), tmp_path / "again")
    x = torch.rand(3, 1, 28, 28)
    assert torch.equal(model_of(two)(x), model_of(again)(x))


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory):
    """Three members, whose images are scored anew after the first epoch, in one process."""
    whole = run(1, seeds=(0, 1, 2))
    whole = replace(whole, settings=whole.settings | {"order": "margin", "rescore": [1]})
    return whole, train(whole, tmp_path_factory.mktemp("one"))


def same(folder, other):
    """The same weights, optimizers and soft labels to the bit, and the same figures."""
    (ours, header), (theirs, their_header) = map(
        load_tensors, (folder.checkpoint, other.checkpoint)
    )
    assert header == their_header
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    for one, another in zip(folder.epochs(), other.epochs(), strict=True):
        assert figures(one) == figures(another)


def figures(record):
    return {name: value for name, value in record.items() if "seconds" not in name}


@pytest.mark.slow
def test_members_on_two_devices_end_in_the_bits_of_one(ensemble, tmp_path):
    whole, alone = ensemble
    (two,) = train_all([whole], tmp_path, compute=Compute(processes=2))
    assert two.name == alone.name
    same(two, alone)


@pytest.mark.slow
def test_an_ensemble_continues_on_another_number_of_devices(ensemble, tmp_path, monkeypatch):
    whole, alone = ensemble
    epoch = _Loop.epoch

    def stopped(self, number, *parts):
        if number == 2:
            raise KeyboardInterrupt
        return epoch(self, number, *parts)

    with monkeypatch.context() as patched:
        patched.setattr(
            _Loop,
            "epoch",
            lambda self, *given: (
                epoch(self, *given) if len(self.members) == 1 else stopped(self, *given)
            ),
        )
        with pytest.raises(KeyboardInterrupt):
            train(whole, tmp_path)
    assert whole.folder(tmp_path, whole.load()).epochs_done() == 1
    same(train(whole, tmp_path, compute=Compute(processes=2)), alone)


def test_more_devices_than_members_share_batches_and_not_members():
    from arcal.cli.train import Train

    def made(devices, seeds=(0, 1, 2), ensemble=True):
        command = Train(devices=devices, seeds=seeds, ensemble=ensemble)
        return command._run().devices, command._compute().processes

    assert made(2) == (1, 2)
    assert made(3) == (1, 3)
    assert made(4) == (4, 1)
    assert made(2, ensemble=False) == (2, 1)


def test_a_package_that_is_asked_for_its_version_is_imported_afterwards(monkeypatch):
    monkeypatch.delitem(sys.modules, "torchmetrics", raising=False)
    with _only_the_version_of("torchmetrics"):
        assert vars(import_module("torchmetrics"))["__version__"] == version("torchmetrics")
        assert not hasattr(import_module("torchmetrics"), "MeanMetric")
    assert "torchmetrics" not in sys.modules
    with _only_the_version_of("no-such-package"):
        assert "no-such-package" not in sys.modules
    before = sys.modules["torch"]
    with _only_the_version_of("torch"):
        assert sys.modules["torch"] is before
