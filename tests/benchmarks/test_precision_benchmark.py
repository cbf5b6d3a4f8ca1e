"""The paired comparison of two precisions, against scipy's."""

import re

import pytest
from scipy import stats

from benchmarks.precision import paired


def test_t_is_that_of_a_paired_test():
    exact, rounded = [2.1, 2.4, 1.9, 2.6], [2.3, 2.2, 2.5, 2.9]
    text = paired([b - a for a, b in zip(exact, rounded, strict=True)])
    (t,) = re.findall(r"t = (-?[\d.]+)", text)
    assert float(t) == pytest.approx(stats.ttest_rel(rounded, exact).statistic, abs=0.005)
    assert text.endswith("3 of 4 higher")


def test_one_seed_has_no_deviation():
    assert paired([-0.5]) == "-0.500, 0 of 1 higher"
