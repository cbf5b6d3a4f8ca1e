"""Means over corrupted sets, against plain loops over made-up figures."""

import numpy as np
import pytest

from arcal.auditing import (
    CLEAN,
    EvaluationSet,
    Measures,
    Subject,
    by_intensity,
    means,
    on_set,
    over_shift,
    over_types,
    shift_sets,
)
from arcal.errors import ArcalError

TYPES = ("gaussian_noise", "fog", "spatter")
SETS = [
    EvaluationSet(corruption=type, intensity=i)
    for type in TYPES
    for i in range(1, 6)
    if (type, i) != ("fog", 4)
]


def made_up(sets, runs=2):
    """A subject with an ECE of every run and of their ensemble, and a churn, on every set."""
    draw = np.random.default_rng(0)

    def together(name):
        return {name: draw.random()} if runs > 1 else {}

    measures = {
        where: Measures(
            tuple({"ece": draw.random()} for _ in range(runs)), together("ece"), together("churn")
        )
        for where in sets
    }
    return Subject("vanilla", {}, measures, [(seed,) for seed in range(runs)])


@pytest.fixture(scope="module")
def subject():
    return made_up([CLEAN, *SETS, EvaluationSet("validation", "fog", 1)])


def ece(subject, run, sets):
    return np.mean([subject.measures[where].runs[run]["ece"] for where in sets])


def test_types_by_intensity_with_nan_where_there_is_no_set(subject):
    values = over_types(subject, "ece")
    assert tuple(values) == TYPES
    assert values["fog"].shape == (2, 5)
    assert values["fog"].isnan().sum(dim=0).tolist() == [0, 0, 0, 2, 0]
    (fog,) = shift_sets(["fog-3"])
    assert values["fog"][1, 2] == subject.measures[fog].runs[1]["ece"]


def test_means_are_over_types_and_over_all_sets_for_each_run(subject):
    for run in range(2):
        for i in range(1, 6):
            expected = ece(subject, run, [where for where in SETS if where.intensity == i])
            assert float(by_intensity(subject, "ece")[run, i - 1]) == pytest.approx(expected)
        assert float(over_shift(subject, "ece")[run]) == pytest.approx(ece(subject, run, SETS))


def test_means_over_some_types(subject):
    sets = [where for where in SETS if where.corruption != "spatter"]
    expected = [ece(subject, run, sets) for run in range(2)]
    assert over_shift(subject, "ece", ["gaussian_noise", "fog"]).tolist() == pytest.approx(expected)


def test_all_runs_together_have_one_value(subject):
    averaged = np.mean([subject.measures[where].ensemble["ece"] for where in SETS])
    assert over_shift(subject, "ece", ensemble=True).tolist() == pytest.approx([averaged])
    twos = [where for where in SETS if where.intensity == 2]
    churn = np.mean([subject.measures[where].stability["churn"] for where in twos])
    assert float(by_intensity(subject, "churn")[0, 1]) == pytest.approx(churn)
    clean = subject.measures[CLEAN].stability["churn"]
    assert on_set(subject, CLEAN, "churn").tolist() == [clean]


def test_a_single_run_has_no_value_for_all_together():
    single = made_up([CLEAN, *SETS], runs=1)
    assert over_shift(single, "ece", ensemble=True).shape == (0,)
    assert by_intensity(single, "churn").shape == (0, 5)
    assert means(single, "ece", ensemble=True) is None
    assert means(single, "churn") is None


def test_what_was_not_evaluated_is_refused(subject):
    with pytest.raises(ArcalError, match="vanilla was not evaluated under snow, frost"):
        over_shift(subject, "ece", ["fog", "snow", "frost"])
    for several in (False, True):
        with pytest.raises(ArcalError, match="vanilla has no measure 'eec' on test"):
            means(subject, "eec", ensemble=several)
    clean = made_up([CLEAN])
    assert over_types(clean, "ece") == {}
    with pytest.raises(ArcalError, match="any shift"):
        by_intensity(clean, "ece")


def test_means_leave_out_what_there_is_not():
    sets = shift_sets(["fog-1", "fog-3", "snow-3", "spatter-3"])
    fog_1, fog_3, snow_3, spatter_3 = sets
    subject = made_up([CLEAN, *sets])

    def expected(*some):
        return pytest.approx([ece(subject, run, some) for run in range(2)])

    values = means(subject, "ece")
    assert values is not None
    assert values.clean.values == expected(CLEAN)
    first, second, third, *others = values.by_intensity
    assert (second, *others) == (None, None, None)
    assert first is not None
    assert first.values == expected(fog_1)
    assert third is not None
    assert third.values == expected(fog_3, snow_3, spatter_3)
    assert values.overall is not None
    assert values.overall.values == expected(*sets)
    assert values.standard is not None
    assert values.standard.values == expected(fog_1, fog_3, snow_3)
    assert values.types == [1, 0, 3, 0, 0]
    assert values.by_type["fog"][2] == pytest.approx(
        np.mean([ece(subject, run, [fog_3]) for run in range(2)])
    )


def test_the_clean_set_alone_has_no_mean_under_shift():
    values = means(made_up([CLEAN]), "ece")
    assert values is not None
    assert (values.by_intensity, values.overall, values.standard) == ([None] * 5, None, None)
    assert values.types == [0] * 5


@pytest.mark.parametrize("names", [["fog-1"], ["spatter-1", "saturate-1"]])
def test_extra_types_are_told_apart_only_beside_others(names):
    values = means(made_up([CLEAN, *shift_sets(names)]), "ece")
    assert values is not None
    assert values.overall is not None
    assert values.standard is None
