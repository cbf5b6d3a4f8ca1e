"""The plan: what items share is trained once, and what it still takes."""

from dataclasses import replace

import pytest
import torch

from arcal.data import Data, InMemory
from arcal.paper import BY_NAME, ITEMS, items_named
from arcal.paper.item import Item, Need
from arcal.paper.plan import Progress, plan, progress_of, seconds_left
from arcal.paper.scales import Chosen, Sources, settings_of
from arcal.store import RunFolder
from arcal.training.run import Run

CHOSEN = Chosen(epsilon=0.05, alpha=0.2, adals_alpha=0.4)
SMOKE = settings_of("smoke", Sources())


def item(*needs):
    return Item("made-up", "", lambda settings: list(needs), lambda found: pytest.fail("not made"))


def test_needs_of_items_are_joined_by_setting():
    first = item(
        Need("cifar10-wrn", ("ls", "vanilla")), Need("cifar10-resnet29", ("vanilla",), ood=True)
    )
    second = item(
        Need("cifar10-resnet29", ("vanilla", "vanilla + temperature", "R=4"), shift=True),
        Need("imagenet-resnet101", ("vanilla",)),
    )
    resnet, wide = plan([first, second], SMOKE)
    assert (resnet.setting.name, resnet.shift, resnet.ood) == ("cifar10-resnet29", True, True)
    assert resnet.keys == ("vanilla", "vanilla + temperature", "R=4")
    assert resnet.bases() == ["vanilla", "R=4"]
    assert resnet.posthoc() == {"temperature": ["vanilla"]}
    assert (wide.setting.name, wide.shift, wide.ood) == ("cifar10-wrn", False, False)
    assert plan([item(Need("imagenet-resnet101", ("vanilla",)))], SMOKE) == []


def test_methods_that_come_to_the_same_runs_share_them():
    (planned,) = plan(
        [item(Need("cifar10-wrn", ("ar-adals", "R=10", "R=1", "of-ensemble")))], SMOKE
    )
    runs = planned.runs(CHOSEN)
    assert runs["ar-adals"] == runs["R=10"] != runs["R=1"]
    assert [run.seeds for run in runs["ar-adals"]] == [(0,), (1,)]
    assert [run.seeds for run in runs["of-ensemble"]] == [(0, 1)]
    assert {run.method for run in runs["R=1"]} == {"adals"}
    assert runs["ar-adals"][0].settings["alpha"] == 0.2


def test_grids_are_tried_with_the_first_seed(tmp_path):
    (planned,) = plan([item(Need("cifar10-wrn", ("vanilla",)))], SMOKE)
    unneeded = planned.grids().values()
    assert not any(grid.runs for grid in unneeded), "nobody needs them"
    assert {grid.best([]) for grid in unneeded} == {None}, "nothing is said to be chosen"
    (planned,) = plan([item(Need("cifar10-wrn", ("ls", "adals", "margin")))], SMOKE)
    grids = planned.grids()
    epsilon = grids["epsilon"]
    assert [(run.method, run.seeds) for run in epsilon.runs] == [("label-smoothing", (0,))] * 3
    assert [run.settings["epsilon"] for run in epsilon.runs] == [0.02, 0.05, 0.1]
    assert [run.settings["order"] for run in grids["alpha"].runs] == ["attack", "attack"]
    assert {run.method for run in grids["adals_alpha"].runs} == {"adals"}
    folders = []
    for i, ece in enumerate((0.3, 0.1, 0.2)):
        folders.append(RunFolder.create(tmp_path, f"try-{i}", {"i": i}))
        folders[-1].log_epochs([{"ece": 0.0}, {"ece": ece}])
    assert epsilon.best(folders) == 0.05, "the final epoch decides"


def test_a_grid_of_one_value_trains_nothing():
    setting = replace(SMOKE["cifar10-wrn"], epsilons=(0.02,))
    (planned,) = plan([item(Need("cifar10-wrn", ("ls",)))], {"cifar10-wrn": setting})
    grid = planned.grids()["epsilon"]
    assert grid.runs == []
    assert grid.best([]) == 0.02


def test_seconds_left_are_epochs_times_members_of_each_method(tmp_path):
    def progress(run, *seconds, **more):
        folder = RunFolder.create(tmp_path, run.label, {"run": run.label})
        folder.log_epochs([{"seconds": one} | more for one in seconds])
        return Progress(run, folder, len(seconds))

    recipe = Run().recipe.shortened(10)
    vanilla = [
        progress(Run(recipe=recipe, seeds=(seed,)), *[2.0] * n) for seed, n in ((0, 10), (1, 4))
    ]
    assert seconds_left(vanilla) == 6 * 2.0
    smoothed = progress(Run(recipe=recipe, method="label-smoothing"))
    assert seconds_left([*vanilla, smoothed]) == 6 * 2.0 + 10 * 2.0, "the usual epoch"
    pair = Run(recipe=recipe, method="ar-adals", seeds=(0, 1))
    both = progress(pair, 7.0, 7.0, rescoring_seconds=1.0)
    assert seconds_left([*vanilla, both]) == 6 * 2.0 + 8 * 2 * (7.0 + 1.0) / 2
    usual = (2.0 + 4.0) / 2
    assert seconds_left([*vanilla, both, smoothed]) == 6 * 2.0 + 8 * 8.0 + 10 * usual
    assert seconds_left([smoothed]) is None


def test_progress_makes_no_folders(tmp_path):
    data = _data()
    found = progress_of([Run(method="adals"), Run(method="ar-adals")], tmp_path / "runs", data)
    assert [one.run.method for one in found] == ["vanilla", "adals", "ar-adals"]
    assert {one.done for one in found} == {0}
    assert not any(one.finished for one in found)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("scale", ["smoke", "cpu", "paper"])
def test_every_item_asks_for_methods_that_its_settings_have(scale):
    settings = settings_of(scale, Sources())
    for name, found in ITEMS.items():
        if name in BY_NAME and scale != "cpu":
            continue
        (*planned,) = plan([found], settings)
        assert planned, name
        for one in planned:
            assert all(one.runs(CHOSEN).values())


def test_items_come_in_the_papers_order():
    tables = [name for name in ITEMS if name.startswith("table")]
    assert tables == ["table1", "table2", "table3", "table4", "table5"]
    assert [one.name for one in items_named(("table5", "table1"))] == ["table1", "table5"]


def test_all_leaves_out_what_must_be_named():
    every = [one.name for one in items_named(("all",))]
    assert [name for name in ITEMS if name not in every] == list(BY_NAME)
    assert [one.name for one in items_named(("headline", "all"))] == [*every, "headline"]


def _data():
    def part(name):
        pixels = torch.zeros(4, 1, 8, 8, dtype=torch.uint8)
        return InMemory(name, torch.arange(4), torch.arange(4) % 2, ("a", "b"), pixels)

    return Data("made-up", part("train"), part("validation"), part("test"))
