"""Small files of runs, held against the subjects they were written from, and an old folder's."""

import shutil

import pytest
import torch
from tiny_runs import NOISE

from arcal.auditing import CLEAN, EvaluationSet
from arcal.data.corrupted import CorruptedImages
from arcal.data.fewer import drawn
from arcal.errors import ArcalError
from arcal.evaluation import evaluated_part
from arcal.evaluation.summaries import has_summary, read_summaries, write_summaries
from arcal.store import load_tensors, save_tensors

METHODS = ("ar-adals", "vanilla")


@pytest.fixture(scope="module")
def written(trained, evaluated, tmp_path_factory):
    """The folder of summaries, and the sets they are of."""
    folder = tmp_path_factory.mktemp("summaries")
    noisy = evaluated_part(NOISE, trained.data, CorruptedImages())
    sets = {CLEAN: trained.data.test, NOISE: noisy}
    chosen = [one for one in evaluated.subjects if one.method.name in METHODS]
    write_summaries(chosen, folder, sets)
    return folder, sets


@pytest.fixture(params=METHODS)
def case(request, evaluated, written):
    """A subject and its twin, and what its method's and runs' names read back."""
    folder, sets = written
    subject = evaluated.subject(request.param)
    runs = [run.name for run in subject.provenance]
    twin = evaluated.subject(request.param, posthoc="temperature")
    return (subject, twin), read_summaries(folder, subject.method, runs, sets)


def test_figures_come_back_to_the_last_bit(case):
    subjects, read = case
    assert [one.name for one in read] == [subject.name for subject in subjects]
    for one, subject in zip(read, subjects, strict=True):
        assert (one.seeds, one.method) == (subject.seeds, subject.method)
        assert [run.name for run in one.provenance] == [run.name for run in subject.provenance]
        assert list(one.measures) == [CLEAN, NOISE]
        for where, measures in one.measures.items():
            assert measures.runs == subject.measures[where].runs


def test_ensembles_and_stability_are_those_of_half_precision(case):
    """Probabilities move by less than 10^-3, so a prediction flips only where the lead is small."""
    (subject, _), (read, twin) = case
    for ours, theirs in zip(read.clean, subject.clean, strict=True):
        apart = ours.log_probabilities.exp() - theirs.log_probabilities.exp()
        assert apart.abs().max() < 1e-3
        assert torch.equal(ours.ids, theirs.ids)
    probabilities = [one.log_probabilities.double().exp() for one in subject.clean]
    may_flip = {
        "accuracy": share_of_small_leads(torch.stack(probabilities).mean(dim=0)),
        "churn": sum(map(share_of_small_leads, probabilities)),
    }
    clean, expected = read.measures[CLEAN], subject.measures[CLEAN]
    for name, value in expected.stability.items():
        allowed = may_flip.get(name, 0) + 1e-5
        assert clean.stability[name] == pytest.approx(value, rel=1e-2, abs=allowed)
    for name in ("accuracy", "confidence", "nll"):
        value, allowed = expected.ensemble[name], may_flip.get(name, 0)
        assert clean.ensemble[name] == pytest.approx(value, rel=1e-3, abs=allowed)
    assert not clean.stability_by_level
    assert not read.measures[NOISE].ensemble
    assert (twin.clean, twin.measures[CLEAN].ensemble) == ((), {})


def share_of_small_leads(probabilities):
    """The share of images whose two likeliest classes are less than 0.002 apart."""
    first, second = probabilities.topk(2, dim=1).values.unbind(1)
    return float((first - second < 2e-3).double().mean())


def test_of_more_sets_those_named_come_back(evaluated, written):
    folder, sets = written
    subject = evaluated.subject("ar-adals")
    (run, _) = subject.provenance
    clean = {CLEAN: sets[CLEAN]}
    assert has_summary(folder, run.name, clean, [])
    read, _ = read_summaries(folder, subject.method, [run.name], clean)
    assert list(read.measures) == [CLEAN]
    assert not read.measures[CLEAN].stability, "one run has none"


def test_a_summary_is_of_these_images_and_twins(evaluated, written):
    folder, sets = written
    run, _ = (run.name for run in evaluated.subject("ar-adals").provenance)
    assert has_summary(folder, run, sets, ["temperature"])
    assert not has_summary(folder, run, sets, ["temperature", "ets"])
    fog = EvaluationSet(corruption="fog", intensity=1)
    assert not has_summary(folder, run, sets | {fog: sets[CLEAN]}, [])
    assert not has_summary(folder, "vanilla-s0-0", sets, [])
    fewer = {where: part.subset(drawn(part, 20, split_seed=0).ids) for where, part in sets.items()}
    with pytest.raises(ArcalError, match="is of different images called test"):
        has_summary(folder, run, fewer, [])


def test_files_of_different_evaluations_are_refused(evaluated, written, tmp_path):
    folder, sets = written
    subject = evaluated.subject("ar-adals")
    runs = [run.name for run in subject.provenance]
    copies = shutil.copytree(folder, tmp_path / "copies")
    file = copies / f"{runs[1]}.safetensors"
    tensors, about = load_tensors(file)
    for change in (
        {"sets": about["sets"] | {NOISE.name: "another"}},
        {"figures": {subject.name: about["figures"][subject.name]}},
        {"format": 0},
    ):
        save_tensors(file, tensors, **about | change)
        with pytest.raises(
            ArcalError, match="of different sets, post-hoc methods or code: delete it"
        ):
            read_summaries(copies, subject.method, runs, sets)
