"""Subjects: what follows from predictions, how methods are labelled, levels that runs share."""

import pytest
import torch

from arcal.auditing import (
    CLEAN,
    Method,
    Predictions,
    Subject,
    as_predictions,
    ensemble,
    figures,
    measure_set,
    shift_sets,
)
from arcal.auditing._subject import shared_levels
from arcal.errors import ArcalError
from arcal.robustness import Robustness

(FOG,) = shift_sets(["fog-1"])


def predictions(seed, N=30):
    logits = torch.randn(1, N, 3, generator=torch.Generator().manual_seed(seed))
    return Predictions(torch.arange(N), torch.arange(N) % 3, logits)


def scores(values, ids):
    ids = torch.tensor(ids)
    return Robustness("margin", ids, torch.tensor(values), None, ids, ids, ids)


def test_a_subject_of_predictions_has_the_figures_of_every_set():
    runs = {FOG: [predictions(2), predictions(3)], CLEAN: [predictions(0), predictions(1)]}
    robustness = [scores(torch.rand(30).tolist(), range(30)) for _ in range(2)]
    subject = Subject.from_predictions("mine", runs, robustness=robustness, R=5)
    assert subject.seeds == [(0,), (1,)]
    assert subject.clean == runs[CLEAN]
    assert subject.measures[FOG] == measure_set(FOG, runs[FOG], robustness, 5)
    assert subject.measures[CLEAN].runs[1].items() > figures(runs[CLEAN][1]).items()
    assert len(subject.measures[FOG].stability_by_level["churn"]) == 5
    assert (subject.method, subject.soft_labels) == (None, None)
    assert (len(subject.provenance), len(subject.ood)) == (0, 0)
    shifted = {FOG: runs[FOG]}
    named = Subject.from_predictions("mine", shifted, seeds=[(7,), (3, 4)], method=Method("mine"))
    assert (named.seeds, named.method) == ([(7,), (3, 4)], Method("mine"))


@pytest.mark.parametrize(("wrong", "what"), [("order", "ids"), ("labels", "labels")])
def test_runs_on_other_inputs_are_not_averaged(wrong, what):
    one, other = predictions(0), predictions(1)
    if wrong == "order":
        other = other.rows(torch.arange(29, -1, -1))
    else:
        other = Predictions(other.ids, 2 - other.labels, other.logits)
    for make in (ensemble, lambda runs: Subject.from_predictions("mine", {CLEAN: runs})):
        with pytest.raises(ArcalError, match=f"the {what} of these runs differ"):
            make([one, other])


@pytest.mark.parametrize(
    ("method", "label"),
    [
        (Method("vanilla"), "vanilla"),
        (Method("vanilla", members=3), "vanilla (3 members)"),
        (
            Method("ar-adals", {"alpha": 0.2, "R": 10, "attack": None, "rescore": (2, 5)}),
            "ar-adals (alpha 0.2, R 10, rescore 2 5)",
        ),
        (
            Method("adals", {"alpha": {"0": 0.001, "60": 0.05}}, posthoc="temperature"),
            "adals (alpha 0.001 from epoch 0 then 0.05 from epoch 60) + temperature",
        ),
        (
            Method("vanilla", {}, 2, "ets", ("small", "15 epochs", "0a1b2c3d4e5f")),
            "vanilla (2 members) [small, 15 epochs, 0a1b2c3d4e5f] + ets",
        ),
    ],
)
def test_a_label_says_everything_that_is_known_of_a_method(method, label):
    assert method.label == label


def test_shared_levels_are_cut_by_the_mean_rank():
    # by id 1 to 4, ranks 0 3 1 2 and 1 3 2 0: means .5, 3, 1.5, 1
    ids = [4, 2, 3, 1]
    first, second = scores([0.3, 0.4, 0.2, 0.1], ids), scores([1.0, 4.0, 3.0, 2.0], ids)
    assert shared_levels([first, second], 2).tolist() == [0, 1, 1, 0]
    assert shared_levels([first, second], 4).tolist() == [1, 3, 2, 0]
    assert shared_levels([second], 4).tolist() == [0, 3, 2, 1]


def test_images_that_cannot_be_cut_are_refused():
    robustness = [scores([0.3, 0.4, 0.2, 0.1], [4, 2, 3, 1])]
    with pytest.raises(ArcalError, match="4 test images cannot be cut into 5 levels"):
        shared_levels(robustness, 5)
    for unknown in (0, 9):
        with pytest.raises(ArcalError, match="not all of these images have been scored"):
            shared_levels(robustness, 2, torch.tensor([1, unknown]))


def test_seeds_are_numbers_or_tuples_and_one_a_run():
    runs = [as_predictions(probabilities=[[p, 1 - p]], labels=[0]) for p in (0.25, 0.75)]
    subject = Subject.from_predictions("mine", {CLEAN: runs}, seeds=[3, (4, 5)])
    assert subject.seeds == [(3,), (4, 5)]
    with pytest.raises(ArcalError, match="mine has 2 of test, 1 of seeds: give those of each run"):
        Subject.from_predictions("mine", {CLEAN: runs}, seeds=[3])
    (fog,) = shift_sets(["fog-3"])
    with pytest.raises(ArcalError, match="2 of test, 1 of test-fog-3"):
        Subject.from_predictions("mine", {CLEAN: runs, fog: runs[:1]})
    with pytest.raises(ArcalError, match="mine has no predictions"):
        Subject.from_predictions("mine", {})
