"""Whether inputs that may belong together are wrong together."""

import numpy as np
import pytest
import torch

from arcal.auditing import as_answers, as_predictions, suspect_clusters


def of_patients(alike: float, *, patients: int = 100, each: int = 5, seed: int = 0):
    """Calibrated answers, and each one's patient: with chance `alike` they share one's luck."""
    draws = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), each)
    confidence = draws.uniform(0.5, 1, len(patient))
    shared = draws.random(len(patient)) < alike
    luck = np.where(shared, draws.random(patients)[patient], draws.random(len(patient)))
    return as_answers(confidence=confidence, correct=luck < confidence), patient


def test_the_factor_is_that_of_the_intervals():
    said, patient = of_patients(0.7, patients=400)
    sentence = suspect_clusters(said, {"patient": patient})
    assert sentence is not None
    factor = float(sentence.partition("by a factor of ")[2].partition(";")[0])
    # each of 5 covariances in a patient is alike^2 of a variance, less as confidences differ
    assert 1.4 < factor < (1 + 4 * 0.7**2) ** 0.5 + 0.1


def test_a_column_is_quoted_as_a_shell_needs_it():
    said, patient = of_patients(0.7)
    sentence = suspect_clusters(said, {"patient id": patient.astype(str)})
    assert sentence is not None
    assert "--cluster 'patient id'" in sentence


def test_independent_inputs_are_not_suspected():
    suspected = 0
    for seed in range(80):
        said, patient = of_patients(0, seed=seed, patients=60 + seed, each=2 + seed % 5)
        suspected += suspect_clusters(said, {"patient": patient}) is not None
    assert suspected <= 1  # 0.08 are expected


def test_patients_whose_inputs_have_one_grade_are_clusters():
    # errors depend on the grade alone, which both eyes of a patient share
    draws = np.random.default_rng(0)
    grade = np.repeat(draws.choice(3, 300, p=[0.7, 0.2, 0.1]), 4)
    right = draws.random(1200) < np.array([0.98, 0.4, 0.4])[grade]
    logits = 2 * torch.eye(3)[torch.from_numpy(np.where(right, grade, (grade + 1) % 3))]
    said, patient = as_predictions(logits=logits, labels=grade), np.repeat(np.arange(300), 4)
    sentence = suspect_clusters(said, {"patient": patient})
    assert sentence is not None
    by_hand = ((right - right.mean()).reshape(300, 4).sum(1) ** 2).sum()
    factor = float(sentence.partition("by a factor of ")[2].partition(";")[0])
    wider = (by_hand / ((right - right.mean()) ** 2).sum()) ** 0.5
    assert factor == pytest.approx(wider, rel=0.1)


@pytest.mark.parametrize(
    "columns",
    [
        {"patient": [None] * 500},
        {"patient": ["one"] * 500},
        {"patient": list(range(500))},
        {"patient": [[1]] * 500},
        {"hospital": [i // 100 for i in range(500)]},
    ],
)
def test_other_columns_are_skipped(columns):
    assert suspect_clusters(of_patients(0.7)[0], columns) is None


@pytest.mark.parametrize("right", [True, False])
def test_nothing_is_said_where_all_are_right_or_all_wrong(right):
    said = as_answers(confidence=np.full(100, 0.9), correct=np.full(100, right))
    assert suspect_clusters(said, {"patient": np.arange(100) // 2}) is None
    assert suspect_clusters(said, {}) is None
