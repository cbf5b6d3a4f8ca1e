"""Another order of classes is suspected where it is one, and never of a poor model."""

import pytest
import torch

from arcal.auditing import suspect_order


def draws(N, Z, right, seed):
    """Labels, and predictions that are right in this share of cases and drawn otherwise."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(Z, (N,), generator=generator)
    drawn = torch.randint(Z, (N,), generator=generator)
    return torch.where(torch.rand(N, generator=generator) < right, labels, drawn), labels


def suspected(predicted, labels, Z):
    return suspect_order(predicted, labels, [f"class {z}" for z in range(Z)])


@pytest.mark.parametrize(("N", "Z"), [(40, 2), (100, 3), (1000, 10), (10_000, 1000)])
def test_a_permuted_model_is_suspected_and_its_order_told(N, Z):
    predicted, labels = draws(N, Z, 0.9, seed=0)
    permuted = torch.arange(Z).roll(1)  # what the model calls z is z + 1
    one = suspected(permuted[predicted], labels, Z)
    assert one is not None
    if Z < 1000:  # some of a thousand are never predicted
        assert one.order == tuple(permuted.argsort().tolist())
    assert "what it calls class 0 is class 1" in one.sentence
    assert suspected(predicted, labels, Z) is None


@pytest.mark.parametrize(("N", "Z"), [(300, 5), (3000, 100)])
def test_two_classes_predicted_as_each_other_are_named(N, Z):
    predicted, labels = draws(N, Z, 0.9, seed=0)
    swapped = torch.arange(Z)
    swapped[[1, 3]] = torch.tensor([3, 1])
    one = suspected(swapped[predicted], labels, Z)
    assert one is not None
    assert one.order == tuple(swapped.tolist())
    assert "calls class 1 is class 3 and class 3 is class 1; in the data's order it" in one.sentence


@pytest.mark.parametrize("Z", [2, 3, 10, 100])
@pytest.mark.parametrize("N", [20, 30, 50, 400])
def test_poor_models_are_not_suspected(N, Z):
    for seed in range(10):
        guessed, labels = draws(N, Z, 0, seed)
        poor, same = draws(N, Z, 0.15, seed)
        unequal = (torch.rand(N, generator=torch.Generator().manual_seed(seed)) ** 3 * Z).long()
        for predicted, truth in (
            (guessed, labels),
            (poor, same),
            (guessed, unequal),
            (torch.zeros_like(labels), labels),  # one class of everything,
            (torch.full_like(labels, Z - 1), unequal),  # the rarest
            (labels.clamp(max=1), labels),  # two classes
        ):
            assert suspected(predicted, truth, Z) is None


def test_an_accuracy_below_chance_is_only_suspected_where_the_other_way_round_is_good():
    labels = torch.arange(1000) % 2
    for right, said in ((480, False), (400, False), (200, True), (0, True)):
        predicted = 1 - labels
        predicted[:right] = labels[:right]
        assert (suspected(predicted, labels, 2) is not None) == said
