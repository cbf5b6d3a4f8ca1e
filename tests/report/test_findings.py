"""The sentences of the report, on subjects whose figures are given."""

import re

import pytest

from arcal.auditing import CLEAN, OVER_SHIFT, shift_sets
from arcal.report import findings
from arcal.report.names import compare
from made_up_subjects import with_figures


@pytest.fixture(scope="module")
def compared(maker):
    """Vanilla, label smoothing and AR-AdaLS; a larger gap is more over-confident everywhere."""

    def make(*, smoothing, adaptive, seeds=(0, 1, 2), shift=()):
        sets = shift_sets(shift) if shift else ()
        return compare(
            [
                maker.subject(seeds=seeds, sets=sets),
                maker.subject("label-smoothing", seeds=seeds, gap=smoothing, sets=sets),
                maker.subject("ar-adals", {"R": 5}, seeds=seeds, gap=adaptive, sets=sets),
            ],
            10,
            maker.Z,
        )

    return make


def test_the_headline_names_whoever_is_lowest(compared):
    first = compared(smoothing=0.0, adaptive=0.15)
    amount = findings.ECE.show_spread(first.subjects[1].measures[CLEAN]["ece"])
    assert findings.headline(first) == (
        "On the clean test set, Label smoothing has the lowest expected calibration error "
        f"(ECE {amount} points over 3 runs)."
    )
    other_way = findings.headline(compared(smoothing=0.15, adaptive=0.0))
    assert "AR-AdaLS has the lowest" in other_way
    assert "Label smoothing" not in other_way


def test_the_headline_tells_shift_from_clean(compared):
    # the second set is more over-confident: there the method that smooths more is lower
    one = compared(smoothing=-0.15, adaptive=0.1, shift=["gaussian_noise-3"])
    clean, shift = findings.headline(one).split("; ")
    assert "AR-AdaLS has the lowest" in clean
    assert shift.startswith("under Gaussian noise of intensity 3, Label smoothing has the lowest")
    two = compared(smoothing=0.2, adaptive=-0.1, shift=["fog-1", "snow-1"])
    assert OVER_SHIFT in two.sets
    text = findings.headline(two)
    assert ", and on average over the 2 corrupted test sets the lowest, too (" in text


def test_a_lead_on_some_seeds_only_is_no_lead(compared, maker):
    def sentence(comparison):
        remarks = findings.remarks(comparison)
        return next(text for text in remarks if text.startswith("On the clean"))

    assert "lower on each of the 3 seeds" in sentence(compared(smoothing=0.0, adaptive=0.2))
    assert "may be chance" in sentence(compared(smoothing=0.0, adaptive=0.2, seeds=(0,)))

    def mixed(seeds):
        smoothing = maker.subject("label-smoothing")
        adaptive = maker.subject("ar-adals", seeds=seeds)
        return compare(
            [
                maker.subject(),
                with_figures(smoothing, ece=(0.01, 0.03, 0.02)),
                with_figures(adaptive, ece=(0.02, 0.02, 0.03)),
            ],
            10,
            maker.Z,
        )

    assert sentence(mixed((0, 1, 2))) == (
        "On the clean test set, Label smoothing has an ECE of 2.00 ± 1.00 points and AR-AdaLS, the "
        "next, of 2.33 ± 0.58 points: lower on 2 of the 3 seeds they share, so these runs do not "
        "tell the two apart."
    )
    assert (
        "lower on 1 of the 2 seeds they share (their means are over different seeds)"
        in sentence(mixed((7, 1, 2)))
    )


def test_ties_are_called_ties(compared):
    tied = compared(smoothing=0.0, adaptive=0.0)
    assert "Label smoothing and AR-AdaLS share the lowest" in findings.headline(tied)
    *_, wins = findings.remarks(tied)
    assert wins == (
        "Among 6 comparisons (6 measures, 1 test set), the best mean: "
        "Vanilla in 0; Label smoothing in 0; AR-AdaLS in 0; a tie in 6."
    )
    *_, wins = findings.remarks(compared(smoothing=0.0, adaptive=0.2))
    assert wins.endswith("a tie in 1."), "of accuracy, which calibration leaves alone"
    assert sum(int(count) for count in re.findall(r" in (\d)", wins)) == 6


def test_the_least_robust_levels_are_called_out(compared):
    milder = compared(smoothing=0.0, adaptive=0.2)
    gaps = [one.levels.weakest_gap for one in milder.subjects]
    vanilla, smoothing, _ = (findings.GAP.show_spread(gap) for gap in gaps)
    assert findings.remarks(milder)[0] == (
        f"In the 3 least robust levels of 10, Vanilla's confidence minus accuracy is {vanilla} "
        f"points; closest to 0 is Label smoothing with {smoothing} points."
    )
    worse = compared(smoothing=0.4, adaptive=0.4)
    assert findings.remarks(worse)[0].endswith("which no other method brings closer to 0.")


def test_one_method_is_compared_with_nothing(maker):
    alone = compare([maker.subject(seeds=(0,))], 10, maker.Z)
    assert findings.headline(alone).endswith("points for one run.")
    assert len(findings.remarks(alone)) == 1
