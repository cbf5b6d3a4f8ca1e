"""Comparisons paired by seed, and their correction, against scipy and the definitions."""

from statistics import mean, stdev

import pytest
from scipy import stats

from arcal.auditing import Spread
from arcal.calibration import holm
from arcal.paper.comparisons import (
    corrected,
    each_lower,
    in_order,
    p_text,
    paired_p,
    settled,
    significantly_lower,
    unchanged,
)
from arcal.paper.result import Claim

LOW = Spread((0.010, 0.012, 0.011, 0.013))
MIDDLE = Spread((0.011, 0.0115, 0.013, 0.012))
HIGH = Spread((0.030, 0.033, 0.031, 0.032))


def test_paired_p_is_that_of_the_mean_difference_over_its_error():
    differences = [a - b for a, b in zip(LOW.values, MIDDLE.values, strict=True)]
    t = mean(differences) / (stdev(differences) / 4**0.5)
    by_definition = 2 * stats.t.sf(abs(t), df=3)
    assert paired_p(LOW, MIDDLE) == pytest.approx(by_definition)
    assert paired_p(MIDDLE, LOW) == pytest.approx(by_definition), "it is two-sided"
    assert paired_p(LOW, LOW) == 1.0
    shifted = Spread(tuple(value + 1 for value in LOW.values))
    assert paired_p(LOW, shifted) == 2.0 ** (1 - len(LOW.values)), "of the sign test"


def test_comparisons_without_a_test_are_not_counted():
    one, two = Spread((0.02,)), Spread((0.01, 0.02))
    p = corrected([("a", LOW, HIGH), ("b", LOW, one), ("c", LOW, MIDDLE), ("d", two, two)])
    assert p[1] is p[3] is None
    assert [p[0], p[2]] == holm([paired_p(LOW, HIGH), paired_p(LOW, MIDDLE)])


def test_lower_is_of_means_and_says_by_how_many_seeds():
    def lower(*comparison):
        return each_lower([comparison])[0]

    claim = lower("A < B", LOW, MIDDLE)
    p = paired_p(LOW, MIDDLE)
    assert (claim.text, claim.holds) == ("A < B", True)
    assert claim.because == f"1.15 against 1.19, lower on 2 of 4 seeds, p = {p:.3f}"
    assert lower("B < A", MIDDLE, LOW).holds is False
    assert lower("A < A", LOW, LOW).holds is False
    ensembles = lower("A < B", Spread((0.02,)), HIGH)
    assert (ensembles.holds, ensembles.because) == (True, "2.00 against 3.15")
    pair = lower("A < B", Spread((0.02, 0.01)), Spread((0.03, 0.0)))
    assert pair.because == "1.50 against 1.50, lower on 1 of 2 seeds"


def test_what_is_settled_is_one_family_and_stays_in_its_order():
    told = Claim("told", None, "elsewhere")
    found = settled([("a", LOW, HIGH), told, ("b", LOW, MIDDLE)])
    assert [claim.text for claim in found] == ["a", "told", "b"]
    assert [found[0], found[2]] == each_lower([("a", LOW, HIGH), ("b", LOW, MIDDLE)])


def test_each_claim_shows_its_corrected_p():
    claims = each_lower([("a", LOW, HIGH), ("b", LOW, MIDDLE)])
    p = holm([paired_p(LOW, HIGH), paired_p(LOW, MIDDLE)])
    assert [claim.because.rpartition(", ")[2] for claim in claims] == [p_text(v) for v in p]


def test_a_small_p_is_not_zero():
    assert [p_text(p) for p in (0.0004, 0.001, 0.0495)] == ["p < 0.001", "p = 0.001", "p = 0.050"]


def test_significance_needs_every_comparison_and_enough_seeds():
    far, near = ("a", LOW, HIGH), ("b", LOW, MIDDLE)
    assert significantly_lower("all", [far]).holds is True
    assert significantly_lower("all", [far, near]).holds is False
    assert significantly_lower("all", [("c", HIGH, LOW)]).holds is False, "the other way round"
    two = Spread(LOW.values[:2])
    assert significantly_lower("all", [far, ("d", two, two)]).holds is None


def test_unchanged_is_the_test_of_a_difference():
    assert unchanged("same", LOW, MIDDLE).holds is True
    assert unchanged("same", LOW, HIGH).holds is False
    two = Spread(LOW.values[:2])
    assert unchanged("same", two, two).holds is None


def test_the_papers_order_is_read_from_its_numbers():
    printed = {"B": "10.1±0.4", "A": "9.6±0.5", "C": "16.7±0.5"}
    claim = in_order("From best to worst", printed, {"A": LOW, "B": MIDDLE, "C": HIGH})
    assert (claim.text, claim.holds) == ("From best to worst: A, B, C", True)
    assert claim.because == "A 1.15, B 1.19, C 3.15"
    claim = in_order("From best to worst", printed, {"A": MIDDLE, "B": LOW, "C": HIGH})
    assert (claim.holds, claim.because) == (False, "B 1.15, A 1.19, C 3.15")
