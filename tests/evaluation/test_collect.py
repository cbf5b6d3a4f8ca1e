"""Predictions and figures of runs, held against plain loops over the same logits."""

import json
import resource
import shutil
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from arcal.showcase import showcase
from sklearn.metrics import log_loss

from arcal.data import load
from arcal.data.fewer import drawn
from arcal.errors import ArcalError
from arcal.evaluation import (
    EvaluationSet,
    Predictions,
    Source,
    collect,
    ensemble_of,
    figures,
    predict,
    shared_levels,
    shift_sets,
    stability,
)
from arcal.robustness import levels, mean_rank
from arcal.store import RunFolder, load_scores, load_tensors, save_tensors
from arcal.training._train import train
from arcal.training.recipes import RECIPES
from arcal.training.run import Run, data_of, models_of, same_data
from arcal.training.scoring import score_run
from arcal.transforms import corrupt
from tiny_files import write_tiny

NOISE = EvaluationSet(corruption="gaussian_noise", intensity=3)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two seeds of vanilla and a lockstep pair, on a tiny data set."""
    source = str(write_tiny(tmp_path_factory.mktemp("data")))
    data = load(source, validation=40)
    recipe = RECIPES["demo"].shortened(2)
    root = tmp_path_factory.mktemp("runs")
    folders = [
        train(Run(data=source, recipe=recipe, seeds=seeds, validation=40), root, data=data)
        for seeds in [(0,), (1,), (0, 1)]
    ]
    return folders, data


def test_predictions_are_the_models_own_and_are_kept(trained):
    folders, data = trained
    first = folders[0]
    found = predict(first, data.test, "test")
    (model,) = models_of(first)
    with torch.no_grad():
        expected = model(data.test.pixels.float() / 255)
    torch.testing.assert_close(found.logits[0], expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(found.ids, data.test.ids)
    again = predict(first, data.test, "test")
    assert torch.equal(again.logits, found.logits)
    tensors, _ = load_tensors(first.predictions("test"))
    assert set(tensors) == {"ids", "labels", "logits"}
    with pytest.raises(ArcalError, match="other data"):
        predict(first, data.validation, "test")
    checkpoint = first.checkpoint.read_bytes()
    try:
        first.checkpoint.write_bytes(folders[1].checkpoint.read_bytes())
        with pytest.raises(ArcalError, match="another checkpoint"):
            predict(first, data.test, "test")
    finally:
        first.checkpoint.write_bytes(checkpoint)


def test_a_corrupted_part_is_the_corrupted_images(trained):
    _, data = trained
    expected = corrupt(data.test.pixels, data.test.ids, type="gaussian_noise", intensity=3)
    part = NOISE.of(data)
    assert torch.equal(part.images(torch.arange(len(part))), expected)
    assert part.fingerprint() != data.test.fingerprint()
    at = torch.tensor([5, 2])
    assert torch.equal(part.subset(data.test.ids[at]).images(torch.arange(2)), expected[at])


def test_figures_of_an_ensemble_are_of_averaged_probabilities():
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2, 50, 4, generator=generator)
    labels = torch.arange(50) % 4
    found = figures(Predictions(torch.arange(50), labels, logits))
    p = logits.double().softmax(dim=2).mean(dim=0).numpy()
    correct = p.argmax(1) == labels.numpy()
    assert found["accuracy"] == pytest.approx(correct.mean())
    assert found["confidence"] == pytest.approx(p.max(1).mean())
    assert found["gap"] == pytest.approx(p.max(1).mean() - correct.mean())
    assert found["nll"] == pytest.approx(log_loss(labels.numpy(), p, labels=range(4)))
    assert found["brier"] == pytest.approx(((p - np.eye(4)[labels]) ** 2).sum(1).mean())


def test_collect_groups_runs_that_differ_in_seeds_only(trained):
    folders, data = trained
    groups = collect([*folders, folders[0]], data, [NOISE], "gradient")
    assert [group.label for group in groups] == ["vanilla", "vanilla (2 members)"]
    assert groups[0].seeds == [(0,), (1,)]
    assert set(groups[0].figures) == {"test", "test-gaussian_noise-3"}
    assert groups[1].predictions[0].logits.shape == (2, 60, 3)
    (found,) = groups[1].figures["test"]
    assert found.items() > figures(groups[1].predictions[0]).items()
    assert found["ece_low"] < found["ece_high"]
    assert not groups[1].stability, "one run has no variance"


def test_corrupted_validation_images_have_no_levels_of_the_test_set(trained):
    folders, data = trained
    (at,) = (one for one in shift_sets(["spatter-2"], part="validation"))
    (group,) = collect(folders[:2], data, [at], "gradient")
    assert at.name in group.stability
    assert set(group.stability_by_level) == {"test"}
    with pytest.raises(ArcalError, match="not all of these images are scored"):
        shared_levels(group, 2, torch.tensor([0, 10**6]))


def test_shift_on_fewer_images_is_that_of_these_images(trained):
    folders, data = trained
    fewer = drawn(data.test, 25, split_seed=0)
    whole = collect(folders[:2], data, [NOISE], "gradient")[0]
    (group,) = collect(folders[:2], data, [NOISE], "gradient", shifted=fewer)
    assert group.figures["test"] == whole.figures["test"]
    found = [predict(folder, NOISE.of(data), NOISE.name) for folder in folders[:2]]
    at = torch.isin(found[0].ids, fewer.ids)
    these = [Predictions(one.ids[at], one.labels[at], one.logits[:, at]) for one in found]
    for ours, theirs in zip(group.figures[NOISE.name], map(figures, these), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-6), "but for the size of the batch"
    scores = torch.stack([one.robustness[at] for one in group.robustness])
    cut = levels(mean_rank(scores, fewer.ids), fewer.ids, 10)
    _, by_level = stability(these, cut, 10)
    for name, values in group.stability_by_level[NOISE.name].items():
        assert values == pytest.approx(by_level[name], abs=1e-6)


def test_runs_that_need_no_levels_are_not_scored(trained):
    folders, data = trained
    alone, both = collect(folders, data, [], "gradient", scored=folders[2:])
    assert [len(group.robustness) for group in (alone, both)] == [0, 1]
    assert alone.stability["test"]
    assert not alone.stability_by_level
    of_one: list[dict[str, Any]]
    of_one = [{"scored": folders[:1]}, {"posthoc": {"temperature": folders[:1]}}]
    for some in of_one:
        with pytest.raises(ArcalError, match="name all of a method's runs or none"):
            collect(folders, data, [], "gradient", **some)


def test_processes_find_what_one_finds(trained, tmp_path):
    folders, data = trained
    found, kept, seen = [], [], []
    for workers in (1, 2):
        root = tmp_path / str(workers)
        runs = [RunFolder(shutil.copytree(of.path, root / of.name)) for of in folders]
        for run in runs:
            shutil.rmtree(run.path / "predictions", ignore_errors=True)
            shutil.rmtree(run.path / "scores", ignore_errors=True)
        found.append(
            collect(
                runs,
                data,
                [NOISE],
                "margin",
                ood=[data.validation],
                posthoc=["irm"],
                shifted=drawn(data.test, 20, split_seed=0),
                workers=workers,
                progress=lambda done, total: seen.append((done, total)),
            )
        )
        files = root.rglob("predictions/*.safetensors")
        kept.append({path.relative_to(root): load_tensors(path) for path in files})
    assert kept[0].keys() == kept[1].keys()
    assert len(kept[0]) == len(folders) * 4
    for name, (tensors, header) in kept[0].items():
        assert header == kept[1][name][1]
        assert torch.equal(tensors["logits"], kept[1][name][0]["logits"])
    for one, two in zip(*found, strict=True):
        assert (one.label, one.figures, one.ensemble) == (two.label, two.figures, two.ensemble)
        assert one.stability_by_level == two.stability_by_level
    total = len(folders) * (1 + 2 + 1 + 1)
    assert seen[-1] == (total, total)
    assert [done for done, _ in seen[total:]] == sorted(done for done, _ in seen[total:])
    with pytest.raises(ArcalError, match="0 workers"):
        collect(folders, data, [], "margin", workers=0)


def test_too_few_images_for_levels_have_none(trained, tmp_path):
    folders, data = trained
    runs = [RunFolder(shutil.copytree(of.path, tmp_path / of.name)) for of in folders[:2]]
    for run in runs:
        shutil.rmtree(run.path / "predictions", ignore_errors=True)
        shutil.rmtree(run.path / "scores", ignore_errors=True)
    few = replace(data, test=data.test.subset(data.test.ids[:8]))
    (pair,) = collect(runs, few, [], "margin")
    assert pair.stability["test"]
    assert not pair.stability_by_level
    with pytest.raises(ArcalError, match="8 test images cannot be cut into 10 levels"):
        shared_levels(pair, 10)


def test_a_checkpoint_of_something_else_is_no_finished_run(trained, tmp_path):
    (first, *_), data = trained
    copy = RunFolder(shutil.copytree(first.path, tmp_path / first.name))
    save_tensors(copy.checkpoint, {"x": torch.zeros(1)})
    with pytest.raises(ArcalError, match="not fully trained"):
        collect([copy], data, [], "gradient")


def test_a_copy_of_a_run_does_not_pass_for_another_seed(trained, tmp_path):
    (first, *_), data = trained
    copy = RunFolder(shutil.copytree(first.path, tmp_path / first.name))
    with pytest.raises(ArcalError, match="are the same run: name one"):
        collect([first, copy], data, [], "gradient")


def test_collect_compares_runs_and_averages_them(trained):
    folders, data = trained
    (group,) = collect(folders[:2], data, [NOISE], "gradient", ood=[data.validation])
    clean = [predict(folder, data.test, "test") for folder in folders[:2]]
    assert group.ensemble["test"] == figures(ensemble_of(clean))
    cut = shared_levels(group, 10)
    whole, by_level = stability(clean, cut, 10)
    assert group.stability["test"] == whole
    assert group.stability_by_level["test"] == by_level
    p = torch.stack([one.log_probabilities.exp() for one in clean])
    assert whole["variance_all_classes"] == pytest.approx(float(p.var(0).sum(1).mean()))
    assert whole["churn"] == pytest.approx(
        float((p.argmax(2)[0] != p.argmax(2)[1]).double().mean())
    )
    assert set(group.stability) == {"test", "test-gaussian_noise-3"}
    (other,) = group.ood
    assert (other.name, other.how, other.images) == ("tiny/validation", "", 40)
    assert other.inside.sum(dim=1).tolist() == pytest.approx([1, 1])
    assert other.ensemble is not None


def test_a_killed_evaluation_goes_on(trained):
    folders, data = trained
    sets = shift_sets(["fog", "gaussian_noise-3"])
    steps = []
    path = folders[0].predictions("test-fog-3")

    def stop(done, total):
        steps.append((done, total))
        if path.exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collect(folders[:2], data, sets, "gradient", progress=stop)
    assert steps[-1][0] < steps[-1][1] == 2 * 8
    made = {file: file.stat().st_mtime_ns for file in path.parent.iterdir()}
    collect(folders[:2], data, sets, "gradient")
    assert all(file.stat().st_mtime_ns == then for file, then in made.items())
    assert folders[1].predictions("test-fog-5").exists()


def test_corrupted_images_are_kept_where_asked(trained, tmp_path):
    _, data = trained
    source = Source(cache=tmp_path)
    part = NOISE.of(data, source)
    plain = NOISE.of(data)
    at = torch.tensor([3, 1, 59])
    assert torch.equal(part.images(at), plain.images(at))
    (kept,) = tmp_path.iterdir()
    assert np.load(kept, mmap_mode="r").shape == (60, 1, 28, 28)
    before = kept.stat().st_mtime_ns
    assert torch.equal(NOISE.of(data, source).images(at), plain.images(at))
    assert kept.stat().st_mtime_ns == before
    assert part.fingerprint() == plain.fingerprint()


def test_a_folder_of_corrupted_images_that_is_full_leaves_nothing(trained, tmp_path):
    _, data = trained
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(OSError, match="large"):
            NOISE.of(data, Source(cache=tmp_path)).images(torch.arange(3))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_of_corrupted_images_is_refused(trained, tmp_path):
    _, data = trained
    NOISE.of(data, Source(cache=tmp_path)).images(torch.arange(3))
    (kept,) = tmp_path.iterdir()
    whole = kept.read_bytes()
    for damaged in (whole[:-1000], whole[:20], b"", b"no array"):
        kept.write_bytes(damaged)
        with pytest.raises(ArcalError, match="is damaged: delete it"):
            NOISE.of(data, Source(cache=tmp_path)).images(torch.arange(3))


def test_other_data_of_one_name_is_told_apart_by_content(trained):
    (first, *_), data = trained
    some = data.validation.subset(data.validation.ids[:30])
    for other in (data.validation, some, data.validation):
        (group,) = collect([first], data, [], "gradient", ood=[other])
        assert group.ood[0].images == len(other)
        assert group.ood[0].outside.sum().item() == pytest.approx(1)


def test_runs_of_other_data_are_not_compared(trained, tmp_path):
    (first, *_), _ = trained
    other = str(write_tiny(tmp_path, N=170))
    run = Run(data=other, recipe=RECIPES["demo"].shortened(1), validation=40)
    folder = train(run, tmp_path / "runs")
    with pytest.raises(ArcalError, match="other data or another split"):
        same_data([first, folder])
    moved = replace(run, data=str(tmp_path / "moved"), seeds=(1,))
    write_tiny(tmp_path / "moved", N=170)
    same_data([folder, train(moved, tmp_path / "runs")])
    write_tiny(tmp_path, N=180)
    with pytest.raises(ArcalError, match="not the data"):
        data_of(folder)


def test_scores_know_their_model_data_and_attack(trained):
    (first, *_), data = trained
    found = score_run(first, data.validation, "validation", "margin")
    again = score_run(first, data.validation, "validation", "margin")
    assert torch.equal(found.robustness, again.robustness)
    path = first.scores("validation", "margin")
    with pytest.raises(ArcalError, match="stale: its data is"):
        score_run(first, data.test, "validation", "margin")
    assert load_scores(path).order == "margin"
    other = first.scores("validation", "confidence")
    other.write_bytes(path.read_bytes())
    with pytest.raises(ArcalError, match="stale: its order is margin"):
        score_run(first, data.validation, "validation", "confidence")
    other.unlink()


def test_the_random_order_differs_from_run_to_run(trained):
    (first, second, _), data = trained
    ranks = [score_run(f, data.test, "test", "random").robustness for f in (first, second)]
    assert not torch.equal(*ranks)


def test_an_ensemble_is_scored_as_its_averaged_probabilities(trained):
    (*_, both), data = trained
    found = score_run(both, data.test, "test", "confidence")
    p = predict(both, data.test, "test").log_probabilities.exp()
    confidence = p.amax(dim=1)
    torch.testing.assert_close(found.robustness, (confidence / (1 - confidence)).log().float())
    assert torch.equal(found.predicted, p.argmax(dim=1))


def test_showcase_is_spread_over_the_ranking_and_flips_the_model(trained):
    (first, *_), data = trained
    scores = score_run(first, data.test, "test", "gradient")
    shown = showcase(first, data.test, scores, N=8)
    assert torch.equal(shown.estimate, shown.estimate.sort().values)
    assert shown.estimate[0] == scores.robustness.min()
    assert shown.estimate[-1] == scores.robustness.max()
    success = shown.distance.isfinite()
    assert success.any()
    assert (shown.becomes != shown.predicted)[success].all()
    assert len(showcase(first, data.test, scores, N=4).ids) == 4, "nothing else is read back"
    reversed_ = replace(scores, robustness=-scores.robustness)
    shown_of_others = showcase(first, data.test, reversed_, N=4)
    assert torch.equal(shown_of_others.estimate, shown_of_others.estimate.sort().values)
    with pytest.raises(ArcalError, match="not of tiny/validation"):
        showcase(first, data.validation, scores)
    assert shown.adversarial[~success].isnan().all()


@pytest.mark.parametrize("text", ["gaussian_noise-6", "rain-1", "3", "rain", "test-fog-1"])
def test_an_unknown_shift_says_how_to_write_one(text):
    with pytest.raises(ArcalError, match="TYPE-INTENSITY"):
        shift_sets([text])


@pytest.mark.parametrize(
    ("names", "count"),
    [
        ([], 95),
        (["all"], 95),
        (["standard", "extra"], 95),
        (["cifar100"], 85),
        (["fog"], 5),
        (["fog-2", "fog-2", "fog"], 5),
        (["fog-2", "snow-1"], 2),
    ],
)
def test_named_shifts(names, count):
    found = shift_sets(names)
    assert len(found) == len(set(found)) == count
    assert {at.part for at in found} == {"test"}


def test_config_says_all_that_is_needed_to_run_again(trained):
    (first, *_), data = trained
    config = json.loads((first.path / "config.json").read_text())
    assert config["recipe"]["epochs"] == 2
    assert config["data"]["parts"]["tiny/train"] == data.train.fingerprint()
    assert {"network", "method", "settings", "seeds", "split_seed", "threads"} <= set(config)
