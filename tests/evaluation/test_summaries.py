"""Small files of runs, held against the subjects they were written from, and an old folder's."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from tiny_runs import NOISE

from arcal.auditing import CLEAN, MEASURES, EvaluationSet, Method, figures, on_set, shift_sets
from arcal.data import InMemory
from arcal.data.corrupted import CorruptedImages
from arcal.data.fewer import drawn
from arcal.errors import ArcalError
from arcal.evaluation import evaluated_part
from arcal.evaluation.summaries import has_summary, read_summaries, write_summaries
from arcal.evaluation.table import rows
from arcal.store import load_header, load_tensors, save_tensors

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


RESULTS = Path(__file__).parents[2] / "results" / "cpu"
ATTACKED = {"order": "attack", "attack": "boundary-projection-quick"}
OLD = {
    "vanilla-s0-18918f134eb4": Method("vanilla"),
    "ar-adals-s3-b0150c69deb9": Method(
        "ar-adals", {"alpha": "auto", "update": "own", "R": 10} | ATTACKED
    ),
}


@dataclass(frozen=True, eq=False)
class Known(InMemory):
    """A part of which only the labels, and the fingerprint, are known."""

    known: str = ""

    def fingerprint(self):
        return self.known


def known_sets(run, labels):
    """The sets that an old summary is of, by their names in it."""
    names = {where.name: where for where in (CLEAN, *shift_sets([]))}
    fingerprints = load_header(RESULTS / "headline" / f"{run}.safetensors")["sets"]
    assert fingerprints.keys() == names.keys()
    ids, pixels = torch.arange(len(labels)), torch.zeros(len(labels), 1, 1, 1, dtype=torch.uint8)
    classes = tuple("abcdefghij")
    return {
        names[name]: Known("cifar10/test", ids, labels, classes, pixels, known=fingerprint)
        for name, fingerprint in fingerprints.items()
    }


@pytest.mark.parametrize("run", OLD)
def test_summaries_of_before_give_the_figures_of_the_table_of_then(run):
    folder, sets = RESULTS / "headline", known_sets(run, torch.arange(10_000) % 10)
    assert has_summary(folder, run, sets, ["temperature"])
    subject, twin = read_summaries(folder, OLD[run], [run], sets)
    assert (subject.name, twin.name) == (OLD[run].label, f"{OLD[run].label} + temperature")
    table = pq.read_table(RESULTS / "cifar10-headline.parquet", filters=[("run", "==", run)])
    assert len(table) > 2 * 96 * len(MEASURES)

    def key(row):
        return tuple(row.get(name) for name in ("method", "set", "type", "intensity", "measure"))

    read = {key(row): row["value"] for row in rows([subject, twin])}
    assert read == {key(row): row["value"] for row in table.to_pylist()}
    with pytest.raises(ArcalError, match="has no measure 'aurc' on test: choose from accuracy"):
        on_set(subject, CLEAN, "aurc")


@pytest.mark.parametrize("run", OLD)
def test_predictions_in_summaries_of_before_are_of_the_test_images(run, shared):
    table = pq.read_table(shared / "data" / "cifar10-test.parquet", columns=["label"])
    sets = known_sets(run, torch.from_numpy(table["label"].to_numpy().copy()))
    subject, _ = read_summaries(RESULTS / "headline", OLD[run], [run], sets)
    stored = subject.measures[CLEAN].runs[0]
    now = figures(subject.clean[0])
    measured_then = [name for name in MEASURES if name != "aurc"]
    for name in measured_then:
        assert now[name] == pytest.approx(stored[name], abs=1e-3), name
