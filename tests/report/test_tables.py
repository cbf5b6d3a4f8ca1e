"""The numbers of the tables, and which of them lead."""

import dataclasses

import pytest

from arcal.auditing import CLEAN, OVER_SHIFT, EvaluationSet, Measures, Spread, Subject, shift_sets
from arcal.errors import ArcalError
from arcal.report.names import set_titles
from arcal.report.tables import (
    COLUMNS,
    Lead,
    best_rows,
    check_comparable,
    lead,
    measures_by_set,
    paired,
)

ACCURACY, ECE, NLL, BRIER, _, GAP = COLUMNS
FOG, SNOW = shift_sets(["fog-1", "snow-2"])


def subject(figures, runs=2):
    """Figures by set, a value a run; where none is given it is 0."""
    names = ("accuracy", "confidence", "gap", "ece", "nll", "brier", "aurc")
    measures = {
        where: Measures(
            tuple({name: values.get(name, [0.0] * runs)[i] for name in names} for i in range(runs))
        )
        for where, values in figures.items()
    }
    return Subject("vanilla", {}, measures, [(seed,) for seed in range(runs)])


def test_the_clean_set_comes_first_and_then_the_mean_over_corrupted_test_sets():
    validation = EvaluationSet("validation", "fog", 1)
    figures = {
        FOG: {"ece": [0.4, 0.1], "gap": [0.4, 0.1]},
        CLEAN: {"ece": [0.1, 0.3]},
        SNOW: {"ece": [0.2, 0.2], "gap": [-0.4, 0.1]},
        validation: {"ece": [0.9, 0.9]},
    }
    rows = measures_by_set(subject(figures))
    assert list(rows) == [CLEAN, OVER_SHIFT, FOG, SNOW, validation]
    assert rows[CLEAN]["ece"].values == (0.1, 0.3)
    assert rows[OVER_SHIFT]["ece"].values == pytest.approx((0.3, 0.15))
    assert rows[OVER_SHIFT]["gap"].values == pytest.approx((0.0, 0.1))
    assert set_titles(list(rows))[OVER_SHIFT] == "Mean over the 2 corrupted test sets"


def test_a_lead_is_paired_by_seed():
    low, high = Spread((0.01, 0.05, 0.02)), Spread((0.04, 0.03, 0.06))
    seeds = [[(0,), (1,), (2,)], [(1,), (0,), (2,)]]
    # seeds 0 and 1 of the second come swapped: .01 < .03, .05 > .04, .02 < .06
    assert lead(ECE, [high, low], seeds[::-1]) == Lead((1,), 0, 2, 3)
    other = [[(0,), (1,), (2,)], [(2,), (3,), (4,)]]
    assert lead(ECE, [low, high], other) == Lead((0,), 1, 1, 1)
    assert paired(seeds) == [(0,), (1,), (2,)]
    assert paired(other) == [(2,)]


def test_the_best_rows_are_marked_together_and_none_if_all_tie():
    rows = [{c.measure: Spread((v,)) for c in COLUMNS} for v in (0.1, 0.1, 0.3)]
    assert best_rows(rows) == {
        "accuracy": {2},
        "ece": {0, 1},
        "nll": {0, 1},
        "brier": {0, 1},
        "aurc": {0, 1},
        "gap": {0, 1},
    }
    for tied in (rows[:2], rows[:1]):
        assert not any(best_rows(tied).values())


def test_what_cannot_be_compared_is_refused(maker):
    clean = maker.subject()
    refused = {
        "nothing to report": [],
        "different sets": [clean, maker.subject(sets=[FOG])],
        "no predictions on the clean": [subject({FOG: {}})],
        "vanilla has no runs": [dataclasses.replace(clean, seeds=[])],
        "different test images": [clean, dataclasses.replace(maker, N=200).subject()],
        "different other data": [clean, maker.subject(ood=["other"])],
    }
    for says, subjects in refused.items():
        with pytest.raises(ArcalError, match=says):
            check_comparable(subjects)
    check_comparable([clean, maker.subject("adals", gap=0.0, seeds=(4,))])
