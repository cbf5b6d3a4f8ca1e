"""An accuracy near chance, against the exact binomial tail."""

from fractions import Fraction
from itertools import accumulate
from math import comb

import pytest

from arcal.auditing import suspect_inputs


def tails(N, Z):
    """P(X >= k) of guessing for k = 0 .. N, as sums of whole numbers."""
    counts = (comb(N, k) * (Z - 1) ** (N - k) for k in range(N, -1, -1))
    return [Fraction(total, Z**N) for total in accumulate(counts)][::-1]


@pytest.mark.parametrize(("Z", "N"), [(2, 100), (10, 1000), (1000, 1000), (3, 30)])
def test_the_border_is_where_chance_does_as_well_once_in_a_thousand(Z, N):
    suspected = [suspect_inputs(k / N, Z, N) is not None for k in range(N + 1)]
    assert suspected == [p >= Fraction(1, 1000) for p in tails(N, Z)]
    assert suspected[0]
    assert not suspected[-1]


def test_nothing_is_said_of_a_few_inputs():
    assert suspect_inputs(0.5, 2, 29) is None
    assert "50 % of 30 inputs, not clearly more than chance (50 %)" in str(
        suspect_inputs(0.5, 2, 30)
    )
