"""Means over corrupted sets, held against plain loops over made-up figures."""

import numpy as np
import pytest

from arcal.errors import ArcalError
from arcal.evaluation import MethodRuns, by_intensity, on_set, over_shift, over_types, without_extra

TYPES = ("gaussian_noise", "fog", "spatter")
SETS = [(type, i) for type in TYPES for i in range(1, 6) if (type, i) != ("fog", 4)]


@pytest.fixture
def runs():
    draw = np.random.default_rng(0)
    names = ["test", *(f"test-{type}-{i}" for type, i in SETS), "validation-fog-1"]
    return MethodRuns(
        "vanilla",
        [],
        [(0,), (1,)],
        [],
        [],
        figures={name: [{"ece": draw.random()} for _ in range(2)] for name in names},
        ensemble={name: {"ece": draw.random()} for name in names},
        stability={name: {"churn": draw.random()} for name in names},
    )


def test_types_by_intensity_with_nan_where_there_is_no_set(runs):
    found = over_types(runs, "ece")
    assert tuple(found) == TYPES
    assert found["fog"].shape == (2, 5)
    assert found["fog"].isnan().sum(dim=0).tolist() == [0, 0, 0, 2, 0]
    assert found["fog"][1, 2] == runs.figures["test-fog-3"][1]["ece"]


def test_means_are_over_types_and_over_all_sets_for_each_run(runs):
    for run in range(2):
        for i in range(1, 6):
            of_types = [runs.figures[f"test-{t}-{j}"][run]["ece"] for t, j in SETS if j == i]
            assert float(by_intensity(runs, "ece")[run, i - 1]) == pytest.approx(np.mean(of_types))
        every = [runs.figures[f"test-{t}-{i}"][run]["ece"] for t, i in SETS]
        assert float(over_shift(runs, "ece")[run]) == pytest.approx(np.mean(every))


def test_means_over_some_types(runs):
    standard = without_extra(list(TYPES))
    assert standard == ["gaussian_noise", "fog"]
    sets = [f"test-{t}-{i}" for t, i in SETS if t != "spatter"]
    expected = np.mean([[one["ece"] for one in runs.figures[name]] for name in sets], axis=0)
    assert over_shift(runs, "ece", standard).numpy() == pytest.approx(expected)
    assert by_intensity(runs, "ece", ["fog"])[:, 3].isnan().all()


def test_all_runs_together_have_one_value(runs):
    of_ensemble = np.mean([runs.ensemble[f"test-{t}-{i}"]["ece"] for t, i in SETS])
    assert over_shift(runs, "ece", ensemble=True).tolist() == pytest.approx([of_ensemble])
    of_churn = [runs.stability[f"test-{t}-2"]["churn"] for t in TYPES]
    assert float(by_intensity(runs, "churn")[0, 1]) == pytest.approx(np.mean(of_churn))
    assert on_set(runs, "test", "churn").tolist() == [runs.stability["test"]["churn"]]


def test_a_single_run_has_no_value_for_all_together(runs):
    runs.ensemble.clear()
    runs.stability.clear()
    assert over_shift(runs, "ece", ensemble=True).shape == (0,)
    assert by_intensity(runs, "churn").shape == (0, 5)


def test_what_was_not_evaluated_is_refused(runs):
    with pytest.raises(ArcalError, match="vanilla was not evaluated under snow, frost"):
        over_shift(runs, "ece", ["fog", "snow", "frost"])
    clean = MethodRuns("vanilla", [], [(0,)], [], [], {"test": [{"ece": 0.1}]})
    assert over_types(clean, "ece") == {}
    with pytest.raises(ArcalError, match="any shift"):
        by_intensity(clean, "ece")
