"""How much perturbations are amplified to be seen."""

import pytest
import torch

from arcal.report.images import amplification


@pytest.mark.parametrize(
    ("size", "factor"), [(0.2, 2), (0.1, 5), (0.04, 10), (0.0011, 200), (0.9, 1), (0.0, 1)]
)
def test_amplification_is_round_and_fills_half_the_range(size, factor):
    assert amplification(torch.full((2, 1, 4, 4), size)) == factor


def test_failed_attacks_do_not_count_in_the_amplification():
    perturbations = torch.full((2, 1, 4, 4), 0.1)
    perturbations[1] = torch.nan
    assert amplification(perturbations) == 5
    assert amplification(perturbations[1:]) == 1


def test_a_sparse_perturbation_is_amplified_by_what_it_changes():
    sparse = torch.zeros(1, 3, 32, 32)
    sparse[0, 0, 0, 0] = -0.1
    assert amplification(sparse) == 5
