"""An audit says if inputs that may be of one patient are wrong together."""

import numpy as np
import pytest

from tests.test_cli import succeeds


@pytest.fixture
def patients(tmp_path, monkeypatch):
    """Predictions on 5 inputs of each of 100 patients, most of them sharing the patient's luck."""
    monkeypatch.chdir(tmp_path)
    draws = np.random.default_rng(0)
    patient = np.repeat(np.arange(100), 5)
    p = draws.uniform(0.5, 1, len(patient))
    shared = draws.random(len(patient)) < 0.8
    luck = np.where(shared, draws.random(100)[patient], draws.random(len(patient)))
    z = np.arange(len(patient)) % 2  # what is predicted
    label = np.where(luck < p, z, 1 - z)
    one = np.where(z == 1, p, 1 - p)
    names = [f"p{g}-{i}.png" for i, g in enumerate(patient)]
    return np.stack([names, patient, label, 1 - one, one], axis=1)


def write(path, header, rows, columns):
    path.write_text("\n".join([header, *map(",".join, rows[:, columns])]) + "\n")


def test_a_column_of_patients_that_nothing_uses(patients, tmp_path):
    write(
        tmp_path / "mine.csv",
        "patient_id,label,probability_0,probability_1",
        patients,
        (1, 2, 3, 4),
    )
    said = " ".join(succeeds("audit", "mine.csv", "--out", "audit").stderr.split())
    assert "inputs with the same patient_id are right or wrong together" in said
    assert "--cluster patient_id allows for it" in said

    said = succeeds("audit", "mine.csv", "--cluster", "patient_id", "--out", "two").stderr
    assert "together:" in said
    assert "with the same patient_id" not in said


def test_calibrate_says_it_too(patients, tmp_path):
    header = "id,patient,label,probability_0,probability_1"
    write(tmp_path / "mine.csv", header, patients, (0, 1, 2, 3, 4))
    command = ("calibrate", "mine.csv", "--calibrators", "temperature", "--out")
    said = succeeds(*command, "one").stderr
    assert said.count("inputs with the same patient are right or wrong together") == 1
    assert "wrong together" not in succeeds(*command, "two", "--cluster", "patient").stderr
