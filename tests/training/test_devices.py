"""Two devices share a run: what is exact, what is alike, and what is refused."""

from dataclasses import replace

import pytest
import torch

from arcal.errors import ArcalError
from arcal.training import train
from arcal.training._train import check_devices
from arcal.training.recipes import RECIPES
from arcal.training.run import Run, model_of, read_run


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


def test_devices_are_part_of_the_configuration():
    data = run(1).load()
    assert run(1).path("runs", data) != run(2).path("runs", data)
    assert "devices" not in run(1).config(data)


@pytest.mark.parametrize(("devices", "words"), [(3, "cannot be shared by 3"), (0, "0 devices")])
def test_what_cannot_be_shared_is_refused(devices, words):
    with pytest.raises(ArcalError, match=words):
        run(devices)


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


def test_what_is_unfinished_on_other_devices_is_not_begun_anew(tmp_path):
    data = run(2).load()
    folder = run(2).folder(tmp_path, data)
    check_devices(run(1), tmp_path, data)  # nothing is done yet
    folder.log_epochs([{"epoch": 1}])
    with pytest.raises(ArcalError, match=r"is this run on 2 devices, 1 of 2 epochs done: give --d"):
        check_devices(run(1), tmp_path, data)
    check_devices(run(2), tmp_path, data)
    check_devices(replace(run(1), threads=2), tmp_path, data)
    run(1).folder(tmp_path, data).log_epochs([{"epoch": 1}])
    check_devices(run(1), tmp_path, data)  # it has been begun already
