"""What is kept of runs, held against the runs themselves."""

import shutil

import pytest

from arcal.data import load
from arcal.errors import ArcalError
from arcal.evaluation import EvaluationSet, collect, is_kept, keep, kept
from arcal.evaluation.kept import kept_file, smoothing_of
from arcal.store import RunFolder, load_tensors, save_tensors
from arcal.training.recipes import RECIPES
from arcal.training.run import Run
from arcal.training.train import train
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
    keep(groups, to)
    return folders, groups, to


def test_figures_are_kept_to_the_last_bit(evaluated):
    folders, groups, to = evaluated
    found = [group for of_method in folders.values() for group in kept(to, of_method)]
    by_label = {group.label: group for group in found}
    assert len(by_label) == len(groups) == 4
    for group in groups:
        again = by_label[group.label]
        assert again.seeds == group.seeds
        assert [folder.name for folder in again.folders] == [f.name for f in group.folders]
        for at, of_runs in group.figures.items():
            for ours, theirs in zip(again.figures[at], of_runs, strict=True):
                ours.pop("smoothing", None)
                assert ours == theirs


def test_ensembles_and_stability_are_those_of_half_precision(evaluated):
    folders, groups, to = evaluated
    for method, of_method in folders.items():
        (group,) = [g for g in groups if g.label.startswith(method) and "+" not in g.label]
        again = kept(to, of_method)[0]
        for name, value in group.stability["test"].items():
            assert again.stability["test"][name] == pytest.approx(value, rel=1e-2, abs=1e-6)
        for name in ("accuracy", "confidence", "nll"):
            expected = group.ensemble["test"][name]
            assert again.ensemble["test"][name] == pytest.approx(expected, rel=1e-3)


def test_smoothing_is_the_labels_share(evaluated):
    folders, _, to = evaluated
    assert smoothing_of(folders["label-smoothing"][0]) == 0.3
    (first, second) = folders["ar-adals"][0].epochs()[-1]["epsilon"]
    found = kept(to, folders["ar-adals"])[0].figures["test"][0]
    assert found["smoothing"] == (first + second) / 2


def test_run_folders_are_not_needed(evaluated, tmp_path):
    folders, _, to = evaluated
    gone = [RunFolder(tmp_path / folder.name) for folder in folders["ar-adals"]]
    assert kept(to, gone)[0].figures == kept(to, folders["ar-adals"])[0].figures


def test_kept_is_kept_of_these_sets(evaluated):
    folders, _, to = evaluated
    name = folders["ar-adals"][0].name
    assert is_kept(to, name, [NOISE.name])
    assert not is_kept(to, name, [NOISE.name, "test-fog-1"])
    assert not is_kept(to, "vanilla-s0-0", [])


def test_files_of_different_evaluations_are_refused(evaluated, tmp_path):
    folders, _, to = evaluated
    copies = shutil.copytree(to, tmp_path / "copies")
    file = kept_file(copies, folders["ar-adals"][1].name)
    tensors, about = load_tensors(file)
    save_tensors(file, tensors, **about | {"sets": ["test", "test-fog-1"]})
    with pytest.raises(ArcalError, match="has other methods, sets or measures than that of ar-ada"):
        kept(copies, folders["ar-adals"])
