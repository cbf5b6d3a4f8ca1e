"""What is kept of runs, held against the runs themselves."""

import shutil

import pytest

from arcal.data import load
from arcal.data.fewer import drawn
from arcal.errors import ArcalError
from arcal.evaluation import EvaluationSet, collect, is_kept, keep, kept
from arcal.evaluation.kept import _file
from arcal.store import RunFolder, load_tensors, save_tensors
from arcal.training._train import train
from arcal.training.recipes import RECIPES
from arcal.training.run import Run
from tiny_files import write_tiny

NOISE = EvaluationSet(corruption="gaussian_noise", intensity=3)
SETTINGS = {"label-smoothing": {"epsilon": 0.3}, "ar-adals": {"order": "margin", "R": 2}}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    source = str(write_tiny(tmp_path_factory.mktemp("data"), wrong=5))
    root, data = tmp_path_factory.mktemp("runs"), load(source, validation=40)
    recipe = RECIPES["demo"].shortened(8)
    runs = {
        method: [
            Run(source, method=method, settings=of, recipe=recipe, seeds=(s,), validation=40)
            for s in (0, 1)
        ]
        for method, of in SETTINGS.items()
    }
    folders = {
        method: [train(run, root, data=data) for run in of_method]
        for method, of_method in runs.items()
    }
    every = [folder for of_method in folders.values() for folder in of_method]
    groups = collect(every, data, [NOISE], "margin", posthoc=["temperature"])
    to = tmp_path_factory.mktemp("kept")
    sets = {"test": data.test, NOISE.name: NOISE.of(data)}
    keep(groups, to, sets)
    return folders, groups, to, sets


def test_figures_are_kept_to_the_last_bit(evaluated):
    folders, groups, to, sets = evaluated
    found = [group for of_method in folders.values() for group in kept(to, of_method, sets)]
    by_label = {group.label: group for group in found}
    assert len(by_label) == len(groups) == 4
    for group in groups:
        again = by_label[group.label]
        assert again.seeds == group.seeds
        assert [folder.name for folder in again.folders] == [f.name for f in group.folders]
        assert again.figures == group.figures


def test_ensembles_and_stability_are_those_of_half_precision(evaluated):
    folders, groups, to, sets = evaluated
    for method, of_method in folders.items():
        (group,) = [g for g in groups if g.label.startswith(method) and "+" not in g.label]
        again = kept(to, of_method, sets)[0]
        for ours, theirs in zip(again.predictions, group.predictions, strict=True):
            apart = ours.log_probabilities.exp() - theirs.log_probabilities.exp()
            assert apart.abs().max() < 1e-3
        for name, value in group.stability["test"].items():
            assert again.stability["test"][name] == pytest.approx(value, rel=1e-2, abs=1e-6)
        for name in ("accuracy", "confidence", "nll"):
            expected = group.ensemble["test"][name]
            assert again.ensemble["test"][name] == pytest.approx(expected, rel=1e-3)


def test_run_folders_are_not_needed(evaluated, tmp_path):
    folders, _, to, sets = evaluated
    gone = [RunFolder(tmp_path / folder.name) for folder in folders["ar-adals"]]
    assert kept(to, gone, sets)[0].figures == kept(to, folders["ar-adals"], sets)[0].figures


def test_of_more_sets_those_asked_for_come_back(evaluated):
    folders, _, to, sets = evaluated
    clean = {"test": sets["test"]}
    assert is_kept(to, folders["ar-adals"][0].name, clean, [])
    assert set(kept(to, folders["ar-adals"], clean)[0].figures) == {"test"}


def test_kept_is_kept_of_these_images_and_twins(evaluated):
    folders, _, to, sets = evaluated
    name = folders["ar-adals"][0].name
    assert is_kept(to, name, sets, ["temperature"])
    assert not is_kept(to, name, sets, ["temperature", "ets"])
    assert not is_kept(to, name, sets | {"test-fog-1": sets["test"]}, [])
    fewer = {name: part.subset(drawn(part, 20, split_seed=0).ids) for name, part in sets.items()}
    with pytest.raises(ArcalError, match="is of other images called test"):
        is_kept(to, name, fewer, [])
    assert not is_kept(to, "vanilla-s0-0", sets, [])


def test_files_of_different_evaluations_are_refused(evaluated, tmp_path):
    folders, _, to, sets = evaluated
    copies = shutil.copytree(to, tmp_path / "copies")
    file = _file(copies, folders["ar-adals"][1].name)
    tensors, about = load_tensors(file)
    save_tensors(file, tensors, **about | {"sets": about["sets"] | {NOISE.name: "another"}})
    with pytest.raises(ArcalError, match="of other sets, post-hoc methods or code: delete it"):
        kept(copies, folders["ar-adals"], sets)
