"""From run folders to subjects, held against the runs' own predictions."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_runs import NOISE, SPATTER

from arcal.auditing import (
    CLEAN,
    Predictions,
    calibrated,
    ensemble,
    figures,
    fit_posthoc,
    measure_set,
    out_of_distribution,
    shift_sets,
    stability,
)
from arcal.auditing._measures import ece_interval
from arcal.auditing._subject import R, shared_levels
from arcal.compute import Compute
from arcal.data import Data, InMemory
from arcal.data.corrupted import CorruptedImages
from arcal.data.fewer import drawn
from arcal.data.part import Resized
from arcal.errors import ArcalError
from arcal.evaluation import evaluate, evaluated_part, predict
from arcal.store import load_tensors


@pytest.fixture(scope="module")
def predictions(trained, evaluated):
    """What a run's folder has of a set by name, written when all runs were evaluated."""
    noisy = evaluated_part(NOISE, trained.data, CorruptedImages())
    parts = {"test": trained.data.test, NOISE.name: noisy, "validation": trained.data.validation}
    return lambda folder, name: predict(folder, parts[name], name)


def test_every_method_is_a_subject_with_its_twins_behind_it(evaluated, trained):
    adaptive = "ar-adals (alpha 0.5, update own, R 2, order margin)"
    methods = ["vanilla", adaptive, "vanilla (2 members)"]
    names = [name for method in methods for name in (method, f"{method} + temperature")]
    assert [subject.name for subject in evaluated.subjects] == names
    assert [subject.method.label for subject in evaluated.subjects] == names
    assert evaluated.progress[-1] == (30, 30), "scores, validation and four sets of five runs"
    vanilla, twin = evaluated.subjects[:2]
    assert vanilla.seeds == twin.seeds == [(0,), (1,)]
    assert [run.name for run in twin.provenance] == [folder.name for folder in trained.vanilla]
    assert twin.robustness is vanilla.robustness
    assert list(twin.measures) == list(vanilla.measures) == [CLEAN, NOISE, SPATTER]
    assert list(vanilla.predictions) == [CLEAN], "one corrupted set is in memory at a time"


def test_every_run_has_the_figures_of_its_own_predictions(evaluated, trained, predictions):
    epsilon = trained.folders["ar-adals"][1].epochs()[-1]["epsilon"]
    for method, share in {"vanilla": 0.0, "ar-adals": sum(epsilon) / 2}.items():
        subject, folder = evaluated.subject(method), trained.folders[method][1]
        clean, noisy = (predictions(folder, name) for name in ("test", NOISE.name))
        assert torch.equal(subject.clean[1].logits, clean.logits)
        known = {"smoothing": share}
        assert subject.measures[CLEAN].runs[1] == figures(clean) | ece_interval(clean) | known
        assert subject.measures[NOISE].runs[1] == figures(noisy)
    soft_labels = evaluated.subject("ar-adals").soft_labels
    assert soft_labels is not None
    assert soft_labels.shape == (3 + 1, 2), "the start, and three epochs of two levels"
    pair = evaluated.subject("vanilla", members=2)
    assert pair.soft_labels is None
    assert pair.clean[0].logits.shape == (2, 60, 3)
    assert not pair.measures[CLEAN].stability, "one run has no variance"


def test_runs_are_compared_and_averaged(evaluated, trained, predictions):
    subject = evaluated.subject("vanilla")
    cut = shared_levels(subject.robustness, R)
    for where in (CLEAN, NOISE):
        runs = [predictions(folder, where.name) for folder in trained.vanilla]
        measures = subject.measures[where]
        assert measures.ensemble == figures(ensemble(runs))
        assert (measures.stability, measures.stability_by_level) == stability(runs, cut, R)


def test_other_data_are_told_apart(evaluated, trained):
    other = Resized(trained.data.validation, trained.data.shape)
    for members in (1, 2):
        subject = evaluated.subject("vanilla", members=members)
        (ood,) = subject.ood
        assert (ood.name, ood.how, ood.images) == ("tiny/validation", "", 40)
        folders = trained.vanilla if members == 1 else [trained.pair]
        (name,) = {path.stem for path in folders[0].path.rglob("ood-*.safetensors")}
        outside = [predict(folder, other, name) for folder in folders]
        expected = out_of_distribution("tiny/validation", subject.clean, outside)
        assert torch.equal(ood.outside, expected.outside)
        assert list(map(vars, ood.runs)) == list(map(vars, expected.runs))
        assert (ood.ensemble is None) == (members == 2)
        (calibrated,) = evaluated.subject("vanilla", members, "temperature").ood
        assert not torch.equal(calibrated.outside, ood.outside)


def test_a_twin_is_the_subject_calibrated(evaluated, trained, predictions):
    for members, folders in ((1, trained.vanilla), (2, [trained.pair])):
        base = evaluated.subject("vanilla", members)
        twin = evaluated.subject("vanilla", members, "temperature")
        assert (twin.name, twin.seeds) == (f"{base.name} + temperature", base.seeds)
        for where in (CLEAN, NOISE):
            runs = []
            for folder in folders:
                known = predictions(folder, "validation")
                calibrator = fit_posthoc("temperature", known, folder.name)
                runs.append(calibrated(calibrator, predictions(folder, where.name)))
            known = [{"smoothing": 0.0}] * len(runs) if where == CLEAN else []
            expected = measure_set(where, runs, base.robustness, known=known)
            assert twin.measures[where] == expected


def test_shift_on_fewer_images_is_that_of_these_images(evaluated, trained, predictions):
    fewer = drawn(trained.data.test, 25, split_seed=0)
    (subject,) = evaluate(trained.vanilla, trained.data, [NOISE], "margin", shifted=fewer)
    assert subject.measures[CLEAN] == evaluated.subject("vanilla").measures[CLEAN]
    some = torch.isin(trained.data.test.ids, fewer.ids)
    runs = []
    for folder in trained.vanilla:
        whole = predictions(folder, NOISE.name)
        runs.append(Predictions(whole.ids[some], whole.labels[some], whole.logits[:, some]))
    cut = shared_levels(subject.robustness, R, fewer.ids)
    whole, by_level = stability(runs, cut, R)
    measures = subject.measures[NOISE]
    for ours, run in zip(measures.runs, runs, strict=True):
        assert ours == pytest.approx(figures(run), abs=1e-6), "but for the size of the batch"
    assert measures.stability == pytest.approx(whole, abs=1e-6)
    for name, values in measures.stability_by_level.items():
        assert values == pytest.approx(by_level[name], abs=1e-6)


def test_only_the_named_runs_are_scored_and_calibrated(trained):
    folders = [*trained.vanilla, trained.pair]
    pair = folders[2:]
    options: dict[str, Any] = {"scored": pair, "posthoc": {"irm": pair}}
    alone, both, twin = evaluate(folders, trained.data, [], "margin", **options)
    assert [len(subject.robustness) for subject in (alone, both, twin)] == [0, 1, 1]
    assert alone.measures[CLEAN].stability
    assert not alone.measures[CLEAN].stability_by_level
    assert twin.name == "vanilla (2 members) + irm"
    one: list[dict[str, Any]]
    one = [{"scored": folders[:1]}, {"posthoc": {"temperature": folders[:1]}}]
    for some in one:
        with pytest.raises(ArcalError, match="name all of a method's runs or none"):
            evaluate(folders, trained.data, [], "margin", **some)


def test_a_calibrator_that_cannot_be_fitted_is_named_and_the_others_stay(trained, copied):
    (run,) = copied([trained.pair])
    validation = trained.data.validation
    said = predict(run, validation, "said").predicted
    data = replace(trained.data, validation=replace(validation, labels=(said + 1) % 3))
    wrong: list[str] = []
    names = ["temperature", "vector"]
    subjects = evaluate([run], data, [NOISE], "margin", posthoc=names, refused=wrong.append)
    assert [one.name for one in subjects] == ["vanilla (2 members)", "vanilla (2 members) + vector"]
    (line,) = wrong
    assert line.startswith(f"temperature of {run.name}: no temperature is better")
    with pytest.raises(ArcalError, match="no temperature is better"):
        evaluate([run], data, [], "margin", posthoc=names)


def test_a_killed_evaluation_goes_on(trained, copied):
    (run,) = copied([trained.pair])
    sets = shift_sets(["fog-1", "fog-3", "contrast-1"])
    steps = []
    path = run.predictions("test-fog-3")

    def stop(done, total):
        steps.append((done, total))
        if path.exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate([run], trained.data, sets, "margin", progress=stop)
    assert steps[-1][0] < steps[-1][1] == 5
    made = {file: file.stat().st_mtime_ns for file in path.parent.iterdir()}
    assert len(made) == 3
    evaluate([run], trained.data, sets, "margin")
    assert all(file.stat().st_mtime_ns == then for file, then in made.items())
    assert run.predictions("test-contrast-1").exists()


@pytest.mark.slow
def test_processes_make_what_one_makes(trained, copied):
    told: list[list[tuple[int, int]]] = [[], []]
    subjects, made = [], []
    for workers in (1, 2):
        runs = copied(trained.vanilla, str(workers))
        progress = told[workers - 1]
        subjects += evaluate(
            runs,
            trained.data,
            [NOISE],
            "margin",
            ood=[trained.data.validation],
            posthoc=["irm"],
            shifted=drawn(trained.data.test, 20, split_seed=0),
            compute=Compute(workers=workers),
            progress=lambda done, total, progress=progress: progress.append((done, total)),
        )
        files = [path for run in runs for path in run.path.glob("predictions/*.safetensors")]
        made.append({(path.parents[1].name, path.name): load_tensors(path) for path in files})
    assert made[0].keys() == made[1].keys()
    assert len(made[0]) == 2 * 4
    for name, (tensors, header) in made[0].items():
        assert header == made[1][name][1]
        assert torch.equal(tensors["logits"], made[1][name][0]["logits"])
    assert [one.name for one in subjects] == 2 * ["vanilla", "vanilla + irm"]
    assert subjects[0].measures == subjects[2].measures
    assert subjects[1].measures == subjects[3].measures
    assert told[0][-1] == told[1][-1] == (2 * 5, 2 * 5)
    assert told[1] == sorted(told[1]), "what others have done is never taken back"


def test_a_set_that_cannot_be_is_refused_before_the_first_pass(trained, copied, tmp_path):
    (run,) = copied([trained.pair])
    data = trained.data
    parts = (data.train, data.validation, data.test)
    small = Data("small", *(Resized(part, (1, 20, 20)) for part in parts))
    pixels = torch.zeros(1, 2, 9, 9, dtype=torch.uint8)
    two = InMemory("two", torch.arange(1), torch.zeros(1).long(), ("x",), pixels)
    (tmp_path / "contrast").mkdir()
    official = CorruptedImages(official=tmp_path)
    refused: list[tuple[str, Data, dict[str, Any]]] = [
        ("tiny/test: images of 20 x 20 pixels are too small", small, {}),
        ("no corruption 'gaussian_noise'", data, {"corrupted": official}),
        ("two has 2 channels", data, {"ood": [two]}),
    ]
    for says, of, options in refused:
        with pytest.raises(ArcalError, match=says):
            evaluate([run], of, [NOISE], "margin", **options)
        assert not (run.path / "predictions").exists()
        assert not (run.path / "scores").exists()
