"""Rows that a file of predictions has several times, and different inputs of equal outputs."""

import numpy as np
import pytest

from arcal.auditing import as_predictions, copies
from arcal.audits import NamedPredictions, Uses, open_predictions
from arcal.prediction_files import read_predictions
from tests.test_cli import succeeds

N = 200


def drawn(Z=3, N=N, digits=17):
    """Probabilities `(N, Z)` of a calibrated model, and labels."""
    rng = np.random.default_rng(0)
    p = rng.dirichlet([0.5] * Z, N).round(digits)
    p[:, 0] = 1 - p[:, 1:].sum(axis=1)
    return p.clip(0, 1), (rng.random(N)[:, None] > p.cumsum(axis=1)).sum(axis=1).clip(max=Z - 1)


@pytest.mark.parametrize("share", [0.3, 1.0])
@pytest.mark.parametrize("times", [1, 9])
def test_copies_are_counted(share, times):
    p, labels = drawn()
    n = int(share * N)
    rows = np.concatenate([np.arange(N), *[np.arange(n)] * times])[::-1]
    said = copies(as_predictions(probabilities=p[rows], labels=labels[rows]))
    assert said is not None
    few = sum(p[:n].max(axis=1) >= 0.999)
    assert said.startswith(
        f"{(n - few) * (1 + times):,} of the {len(rows):,} rows have the same out"
    )


@pytest.mark.parametrize("digits", [1, 2, 3, 17])
@pytest.mark.parametrize("size", [50, 5000])
def test_inputs_whose_outputs_are_rounded_are_no_copies(digits, size):
    p, labels = drawn(Z=2, N=size, digits=digits)
    assert copies(as_predictions(probabilities=p, labels=labels)) is None


def test_inputs_that_are_all_right_or_all_wrong_are_no_copies():
    p = np.linspace(0.6, 0.9, 100).repeat(2)
    for label in (0, 1):
        assert copies(as_predictions(probabilities=p, labels=np.full(200, label))) is None


def test_copies_in_a_file_are_said_unless_it_has_ids_or_one_is_drawn(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    p, labels = drawn(Z=2, N=60)
    rows = [f"{y},{q[1]},{i}" for i, (q, y) in enumerate(zip(p, labels, strict=True))] * 3
    (tmp_path / "mine.csv").write_text("label,probability,patient\n" + "\n".join(rows))
    mine = NamedPredictions("mine.csv", "mine")
    (one,) = open_predictions([mine])
    assert "rows have the same outputs and label as another" in one.caveats[0].sentence
    (one,) = open_predictions([mine], Uses(one_per="patient"))
    assert not one.caveats
    done = succeeds("calibrate", "mine.csv", "--calibrators", "temperature")
    assert "of the 180 rows have the same outputs" in done.stderr
    rows = [f"{i},{row}" for i, row in enumerate(rows)]
    (tmp_path / "mine.csv").write_text("id,label,probability,patient\n" + "\n".join(rows))
    assert read_predictions(tmp_path / "mine.csv").copies is None
