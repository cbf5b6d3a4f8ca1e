"""Inputs without labels that are not like those with labels."""

import torch

from arcal.auditing import suspect_drift


def log_p(N: int, Z: int = 3, seed: int = 0, by: float = 0.0) -> torch.Tensor:
    z = 2 * torch.randn(N, Z, generator=torch.Generator().manual_seed(seed))
    return (z + by * torch.eye(Z)[-1]).log_softmax(1)


def test_inputs_drawn_alike_are_hardly_ever_suspected():
    said = [suspect_drift(log_p(200, seed=s), log_p(300, seed=s + 999), "abc") for s in range(60)]
    assert sum(line is not None for line in said) <= 1


def test_inputs_of_which_more_are_of_a_class_are_suspected_and_the_class_is_named():
    said = suspect_drift(log_p(500), log_p(400, seed=1, by=1.0), ["cat", "dog", "fox"])
    assert said is not None
    assert "the probability of fox is distributed" in said


def test_nothing_is_said_of_a_few_inputs():
    assert suspect_drift(log_p(500), log_p(29, by=9.0), "abc") is None


def test_of_two_classes_the_second_is_named():
    said = suspect_drift(log_p(500, 2), log_p(500, 2, seed=1, by=-3.0), ["well", "ill"])
    assert "the probability of ill is distributed" in str(said)
