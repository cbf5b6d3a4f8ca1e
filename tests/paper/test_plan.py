"""The plan: what items share is trained once, and what it still takes."""

from dataclasses import replace

import pytest
from made_up import RESNET, WIDE, images

from arcal.data import Data
from arcal.paper import BY_NAME, ITEMS, items_named
from arcal.paper.item import Item
from arcal.paper.plan import Progress, plan_runs, progress_of, seconds_left
from arcal.paper.scales import Chosen, Sources, settings_of
from arcal.paper.variants import ADALS, AR_ADALS, FOCAL, LS, MARGIN, OF_ENSEMBLE, VANILLA
from arcal.store import RunFolder
from arcal.training.run import Run

CHOSEN = Chosen(epsilon=0.05, alpha=0.2, adals_alpha=0.4)
SMOKE = settings_of("smoke", Sources())


def item(settings, *variants, **needs):
    return Item("made-up", settings, variants, lambda _: pytest.fail("not made"), **needs)


def planned_on_wide(*variants):
    (planned,) = plan_runs([item((WIDE,), *variants)], SMOKE)
    return planned


def test_needs_of_items_are_joined_by_setting():
    first = item((WIDE, RESNET), LS, VANILLA, scored=True)
    scaled = VANILLA.calibrated("temperature")
    second = item((RESNET, "imagenet-resnet101"), VANILLA, scaled, shift=True, vary_levels=True)
    resnet, wide = plan_runs([first, second, item((WIDE,), ADALS, ood=True)], SMOKE)
    levels = [AR_ADALS.with_levels(R) for R in SMOKE[RESNET].levels]
    assert (resnet.setting.name, resnet.shift, resnet.ood) == (RESNET, True, False)
    assert resnet.variants == (LS, VANILLA, scaled, *levels)
    assert resnet.trained == [LS, VANILLA, *levels]
    assert resnet.posthoc == {"temperature": [VANILLA]}
    assert resnet.scored == wide.scored == (LS, VANILLA)
    assert (wide.setting.name, wide.shift, wide.ood) == (WIDE, False, True)
    assert plan_runs([item(("imagenet-resnet101",), VANILLA)], SMOKE) == []


def test_variants_that_come_to_the_same_runs_share_them():
    one, ten = AR_ADALS.with_levels(1), AR_ADALS.with_levels(10)
    runs = planned_on_wide(AR_ADALS, ten, one, OF_ENSEMBLE).runs(CHOSEN)
    assert runs[AR_ADALS] == runs[ten] != runs[one]
    assert [run.seeds for run in runs[AR_ADALS]] == [(0,), (1,)]
    assert [run.seeds for run in runs[OF_ENSEMBLE]] == [(0, 1)]
    assert {run.method for run in runs[one]} == {"adals"}
    assert runs[AR_ADALS][0].settings["alpha"] == 0.2


def test_grids_are_tried_with_the_first_seed(tmp_path):
    unneeded = planned_on_wide(VANILLA).grids().values()
    assert not any(grid.runs for grid in unneeded), "nothing needs them"
    assert {grid.best([]) for grid in unneeded} == {None}, "nothing is said to be chosen"
    unneeded = planned_on_wide(VANILLA.adding("augmix"), FOCAL).grids().values()
    assert not any(grid.values for grid in unneeded), "these have no alpha"
    assert planned_on_wide(LS.adding("augmix")).grids()["epsilon"].values, "as label smoothing has"
    grids = planned_on_wide(LS, ADALS, MARGIN).grids()
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
    setting = replace(SMOKE[WIDE], epsilons=(0.02,))
    (planned,) = plan_runs([item((WIDE,), LS)], {WIDE: setting})
    grid = planned.grids()["epsilon"]
    assert grid.runs == []
    assert grid.best([]) == 0.02


def test_a_variant_is_called_as_in_the_paper():
    assert VANILLA.calibrated("temperature").title == "Temperature Scaling"
    assert VANILLA.calibrated("irm").title == "Vanilla + irm"
    assert LS.calibrated("temperature").title == "Label Smoothing + temperature"
    assert AR_ADALS.with_levels(4).title == "AR-AdaLS, R = 4"
    assert LS.ensemble_title == "Ensemble of Label Smoothing"
    assert OF_ENSEMBLE.ensemble_title == "AR-AdaLS of Ensemble"


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
    data = Data("made-up", images(4), images(4), images(4))
    progress = progress_of([Run(method="adals"), Run(method="ar-adals")], tmp_path / "runs", data)
    assert [one.run.method for one in progress] == ["vanilla", "adals", "ar-adals"]
    assert {one.done for one in progress} == {0}
    assert not any(one.finished for one in progress)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("scale", ["smoke", "cpu", "paper"])
def test_every_item_names_variants_that_its_settings_have(scale):
    settings = settings_of(scale, Sources())
    for name, one in ITEMS.items():
        if name in BY_NAME and scale != "cpu":
            continue
        planned = plan_runs([one], settings)
        assert planned, name
        for on_setting in planned:
            assert all(on_setting.runs(CHOSEN).values())


def test_items_come_in_the_papers_order():
    tables = [name for name in ITEMS if name.startswith("table")]
    assert tables == ["table1", "table2", "table3", "table4", "table5"]
    assert [one.name for one in items_named(("table5", "table1"))] == ["table1", "table5"]


def test_all_leaves_out_what_must_be_named():
    every = [one.name for one in items_named(("all",))]
    assert [name for name in ITEMS if name not in every] == list(BY_NAME)
    assert [one.name for one in items_named(("headline", "all"))] == [*every, "headline"]
