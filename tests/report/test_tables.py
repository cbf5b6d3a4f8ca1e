import dataclasses
import math
import statistics

import pytest
import torch

from arcal.errors import ArcalError
from arcal.evaluation import MethodRuns, Predictions, figures
from arcal.report.tables import (
    COLUMNS,
    SHIFTED,
    Lead,
    Spread,
    best_of,
    check_comparable,
    lead,
    measures_of,
    titles_of_sets,
)

ACCURACY, ECE, NLL, BRIER, GAP = COLUMNS


def predictions(confidence, correct):
    """Two classes, the true one 0; predicted with `confidence` right or wrong."""
    of_true = [c if right else 1 - c for c, right in zip(confidence, correct, strict=True)]
    p = torch.tensor([[a, 1 - a] for a in of_true], dtype=torch.float64)
    ids = torch.arange(len(p))
    return Predictions(ids, torch.zeros_like(ids), p.log()[None])


def runs_of(by_set, seeds=((0,), (1,)), label="vanilla"):
    found = {name: [figures(one) for one in of_runs] for name, of_runs in by_set.items()}
    return MethodRuns(label, [], list(seeds), by_set["test"], [], found)


def test_spread_is_mean_and_unbiased_deviation():
    assert Spread((1.0, 2.0, 4.0)).mean == pytest.approx(7 / 3)
    assert Spread((1.0, 2.0, 4.0)).deviation == pytest.approx(statistics.stdev([1, 2, 4]))
    assert Spread((0.5,)).deviation is None


def test_measures_by_hand():
    clean = [
        predictions([0.9, 0.9, 0.6, 0.6], [True, True, True, False]),
        predictions([0.9, 0.9, 0.6, 0.6], [True, True, True, True]),
    ]
    found = measures_of(runs_of({"test": clean}))["test"]
    assert found["accuracy"].values == (0.75, 1.0)
    assert found["confidence"].values == pytest.approx((0.75, 0.75))
    assert found["gap"].values == pytest.approx((0.0, -0.25))
    # two bins of two: |1 - .9| and |.5 - .6|, then |1 - .9| and |1 - .6|
    assert found["ece"].values == pytest.approx((0.1, 0.25))
    nll = [-(2 * math.log(0.9) + math.log(0.6) + math.log(x)) / 4 for x in (0.4, 0.6)]
    assert found["nll"].values == pytest.approx(nll)
    brier = [(2 * 2 * 0.01 + 2 * 0.16 + 2 * x) / 4 for x in (0.36, 0.16)]
    assert found["brier"].values == pytest.approx(brier)


def test_mean_over_shift_is_the_mean_of_the_sets_not_of_their_pool():
    over = predictions([0.9, 0.9], [True, False])  # ECE .4
    under = predictions([0.6, 0.6], [True, True])  # ECE .4, of the other sign
    by_set = {"test-fog-1": [over], "test": [over], "test-snow-2": [under], "validation": [under]}
    found = measures_of(runs_of(by_set, seeds=[(0,)]))
    assert list(found) == ["test", SHIFTED, "test-fog-1", "test-snow-2", "validation"]
    assert found[SHIFTED]["ece"].mean == pytest.approx(0.4)
    assert found[SHIFTED]["gap"].mean == pytest.approx((0.4 - 0.4) / 2)
    titles = titles_of_sets(list(found))
    assert titles[SHIFTED] == "Mean over the 2 corrupted test sets"


def test_one_corrupted_set_has_no_mean():
    one = [predictions([0.9], [True])]
    assert list(measures_of(runs_of({"test": one, "test-fog-1": one}, [(0,)]))) == [
        "test",
        "test-fog-1",
    ]


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        (ACCURACY, 0.91234, "91.23"),
        (GAP, 0.05, "+5.00"),
        (GAP, -0.05, "−5.00"),
        (GAP, -0.00001, "0.00"),
        (NLL, 0.5, "0.500"),
    ],
)
def test_values_as_shown(column, value, text):
    assert column.show(value) == text


def test_spreads_as_shown():
    assert ECE.show_spread(Spread((0.02, 0.04))) == "3.00 ± 1.41"
    assert ECE.show_spread(Spread((0.02,))) == "2.00"


def test_lead_is_paired_by_seed():
    low, high = Spread((0.01, 0.05, 0.02)), Spread((0.04, 0.03, 0.06))
    seeds = [[(0,), (1,), (2,)], [(1,), (0,), (2,)]]
    # seeds 0 and 1 of the second come swapped: .01 < .03, .05 > .04, .02 < .06
    assert lead(ECE, [high, low], seeds[::-1]) == Lead((1,), 0, 2, 3)
    other = [[(0,), (1,), (2,)], [(2,), (3,), (4,)]]
    assert lead(ECE, [low, high], other) == Lead((0,), 1, 1, 1)


def test_lead_knows_where_each_measure_is_best():
    seeds = [[(0,)], [(0,)]]
    assert lead(ACCURACY, [Spread((0.9,)), Spread((0.8,))], seeds).best == (0,)
    assert lead(ECE, [Spread((0.9,)), Spread((0.8,))], seeds).best == (1,)
    assert lead(GAP, [Spread((-0.3,)), Spread((0.2,))], seeds).best == (1,)
    assert lead(ECE, [Spread((0.9,)), Spread((0.9,))], seeds) == Lead((0, 1), None, 0, 0)
    assert lead(ECE, [Spread((0.9,))], seeds[:1]) == Lead((0,), None, 0, 0)


def test_best_of_marks_ties_together_and_nothing_if_all_tie():
    rows = [{c.measure: Spread((v,)) for c in COLUMNS} for v in (0.1, 0.1, 0.3)]
    assert best_of(rows) == {
        "accuracy": (2,),
        "ece": (0, 1),
        "nll": (0, 1),
        "brier": (0, 1),
        "gap": (0, 1),
    }
    assert best_of(rows[:2]) == best_of(rows[:1]) == {}


def test_what_cannot_be_compared_is_refused(made):
    runs = made.runs()
    with pytest.raises(ArcalError, match="nothing to report"):
        check_comparable([])
    with pytest.raises(ArcalError, match="different sets"):
        check_comparable([runs, made.runs(sets=("test", "test-fog-1"))])
    with pytest.raises(ArcalError, match="no predictions on the clean"):
        check_comparable([made.runs(sets=("test-fog-1",))])
    with pytest.raises(ArcalError, match="different test images"):
        check_comparable([runs, dataclasses.replace(made, N=200).runs()])
