"""Which runs are one subject, and what their folders say of them."""

from dataclasses import replace

import numpy as np
import pytest

from arcal.auditing import Method
from arcal.data import load
from arcal.errors import ArcalError
from arcal.evaluation.grouping import group_runs
from arcal.training.recipes import RECIPES
from arcal.training.run import Run
from tiny_files import write_tiny


@pytest.fixture
def untrained(tmp_path):
    """Folders of runs that nobody trained: their configurations are enough to group them."""
    data = load(str(write_tiny(tmp_path / "data")), validation=40)

    def folder(root=tmp_path / "runs", **about):
        return Run(str(tmp_path / "data" / "tiny"), validation=40, **about).folder(root, data)

    return folder


def test_runs_that_differ_in_seeds_only_are_one_method_in_the_order_of_their_seeds(untrained):
    settings = {"R": 4, "order": "margin", "alpha": {"0": 0.1, "5": 0.2}}
    first = [untrained(seeds=seeds) for seeds in ((3,), (0, 1), (1,), (2, 3))]
    adaptive = [untrained(method="ar-adals", settings=settings, seeds=(seed,)) for seed in (1, 0)]
    single, pair, levels = group_runs([*first, *adaptive])
    assert (single.method, single.seeds) == (Method("vanilla"), [(1,), (3,)])
    assert single.folders == (first[2], first[0])
    assert (pair.method, pair.seeds) == (Method("vanilla", members=2), [(0, 1), (2, 3)])
    assert levels.seeds == [(0,), (1,)]
    assert levels.method.label == (
        "ar-adals (alpha 0.1 from epoch 0 then 0.2 from epoch 5, update own, R 4, order margin)"
    )


def test_runs_of_one_method_and_other_recipes_say_what_else_they_are(untrained):
    demo = RECIPES["demo"]
    runs = [untrained(recipe=recipe) for recipe in (demo, demo.shortened(3))]
    for group, run, epochs in zip(group_runs(runs), runs, (demo.epochs, 3), strict=True):
        assert group.method.details == ("small", f"{epochs} epochs", run.digest)
        assert group.method.label == f"vanilla [small, {epochs} epochs, {run.digest}]"
        assert run.name.endswith(run.digest)
    (alone,) = group_runs(runs[:1])
    assert alone.method.details == ()
    rates = [untrained(recipe=replace(demo, learning_rate=rate)) for rate in (0.01, 0.02)]
    for group, run, rate in zip(group_runs(rates), rates, (0.01, 0.02), strict=True):
        epochs = f"{demo.epochs} epochs"
        assert group.method.details == ("small", epochs, f"learning rate {rate}", run.digest)


@pytest.mark.parametrize(
    "change",
    [
        {"split_seed": 1},
        {"threads": 2},
        {"network": "medium"},
        {"settings": {"mixup": 0.2}},
        {"recipe": replace(RECIPES["small"], steps=())},
        {"test_images": 20},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_differs_in_anything_else_is_another_method(untrained, change):
    assert len(group_runs([untrained(), untrained(seeds=(1,), **change)])) == 2


def test_a_run_does_not_pass_for_two_seeds(untrained, tmp_path):
    first, copy = untrained(), untrained(tmp_path / "copies")
    with pytest.raises(ArcalError, match="are the same run: name one"):
        group_runs([first, copy])
    for file in (tmp_path / "data").iterdir():
        file.rename(file.with_name(file.name.replace("tiny", "my")))
    renamed = Run(str(tmp_path / "data" / "my"), validation=40)
    other = renamed.folder(tmp_path / "renamed", renamed.load())
    assert other.name != first.name
    with pytest.raises(ArcalError, match="are of the same seeds, on the same data by another name"):
        group_runs([first, other])


def test_provenance_says_what_a_run_was_made_with(untrained):
    (group,) = group_runs([untrained()])
    (run,) = group.provenance
    assert run.name.startswith("vanilla-s0-")
    assert {"Network": "small", "Image": "1 × 28 × 28", "Data": "tiny"}.items() <= run.facts.items()
    assert run.facts["Recipe"].startswith("small: 30 epochs, batches of 128, adam")
    assert "learning rate 0.002 (× 0.1 after 12, " in run.facts["Recipe"]


def test_soft_labels_start_at_one_and_are_the_mean_over_runs(untrained):
    epsilon = np.random.default_rng(0).random((2, 5, 3))  # of two runs, five epochs, three levels
    folders = []
    for seed, values in enumerate(epsilon):
        folder = untrained(method="ar-adals", settings={"R": 3}, seeds=(seed,))
        folder.log_epochs([{"epsilon": row.tolist()} for row in values[: 5 - seed]])
        folders.append(folder)
    (group,) = group_runs(folders)
    soft_labels = group.soft_labels()
    assert soft_labels is not None
    assert soft_labels.shape == (5, 3), "as many epochs as all runs have"
    assert soft_labels[0].tolist() == [1.0] * 3
    mean = epsilon[:, :4].mean(axis=0)
    assert soft_labels[1:].numpy() == pytest.approx(1 - mean + mean / 3)  # of three classes, Eq. 2
    assert group.smoothing() == pytest.approx([epsilon[0, -1].mean(), epsilon[1, -2].mean()])


def test_a_method_with_fixed_labels_has_no_soft_labels_by_epoch(untrained):
    fixed = [untrained(), untrained(method="label-smoothing", settings={"epsilon": 0.2})]
    for folder, smoothing in zip(fixed, (0.0, 0.2), strict=True):
        folder.log_epochs([{"loss": 1.0}])
        (group,) = group_runs([folder])
        assert group.soft_labels() is None
        assert group.smoothing() == [smoothing]


def test_an_epsilon_of_another_kind_that_a_method_of_ones_own_logs_is_no_soft_label(untrained):
    """As one that trains on perturbed images may log how far it goes."""
    for logged in (0.03, {"pixels": 8}, None, []):
        (folder := untrained()).log_epochs([{"loss": 1.0, "epsilon": logged}])
        (group,) = group_runs([folder])
        assert (group.soft_labels(), group.smoothing()) == (None, [0.0])
