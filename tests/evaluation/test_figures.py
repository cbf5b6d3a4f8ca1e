"""Figures kept in run folders: read again as long as what they follow from is the same."""

import pytest
import torch
from tiny_runs import NOISE

from arcal.auditing import CLEAN
from arcal.errors import ArcalError
from arcal.evaluation import evaluate, row
from arcal.store import load_tensors, save_tensors


@pytest.fixture
def runs(trained, copied):
    return copied(trained.vanilla)


@pytest.fixture
def measured(trained, runs, monkeypatch):
    """Evaluates on the clean and a noisy test set: the subjects, and how often one was measured."""

    def measure(folders=runs, order="margin", posthoc=("temperature",)):
        counted = []

        def counting(where, *given, **named):
            counted.append(where)
            return measure_set(where, *given, **named)

        measure_set = row.measure_set
        with monkeypatch.context() as patch:
            patch.setattr(row, "measure_set", counting)
            subjects = evaluate(folders, trained.data, [NOISE], order, posthoc=posthoc)
        return subjects, counted

    return measure


def test_what_was_measured_is_read_again(measured):
    first, counted = measured()
    assert counted == [CLEAN, CLEAN, NOISE, NOISE], "plain and calibrated"
    again, counted = measured()
    assert counted == []
    assert [one.measures for one in again] == [one.measures for one in first]
    assert torch.equal(again[1].clean[0].logits, first[1].clean[0].logits)


def test_another_post_hoc_method_leaves_the_others_alone(measured):
    measured()
    _, counted = measured(posthoc=["temperature", "ets"])
    assert counted == [CLEAN, NOISE]
    assert measured()[1] == []


def test_other_runs_and_another_order_are_measured_anew(measured, runs):
    measured()
    assert len(measured(runs[:1])[1]) == 4, "one seed has no ensemble"
    assert len(measured()[1]) == 4, "and the two have one again"
    assert len(measured(order="confidence")[1]) == 4, "other levels"


@pytest.mark.parametrize("text", ["{", "[]", '{"runs": []}'])
def test_a_damaged_file_is_named(text, measured, runs):
    measured()
    path = runs[0].figures(NOISE.name)
    path.write_text(text)
    with pytest.raises(
        ArcalError, match=r"test-gaussian_noise-3\.json is damaged .*evaluate again"
    ):
        measured()


def test_predictions_of_another_model_are_refused_though_their_figures_are_kept(measured, runs):
    measured()
    path = runs[1].predictions(NOISE.name)
    tensors, about = load_tensors(path)
    save_tensors(path, tensors, **about | {"model": "another"})
    with pytest.raises(ArcalError, match="of a different checkpoint"):
        measured()


def test_runs_that_cannot_be_written_to_are_measured_all_the_same(measured, runs, trained):
    expected, _ = measured(trained.vanilla)
    for run in runs:
        (run.path / "figures").write_text("no folder")
    assert [one.measures for one in measured()[0]] == [one.measures for one in expected]
    assert len(measured()[1]) == 4
