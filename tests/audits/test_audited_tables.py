"""Tables: each column within its own range, and the rows on the page, as they are and perturbed."""

import csv

import numpy as np
import pytest
import torch

from arcal.attacks import BoundaryProjection
from arcal.audits import Audit, NamedData, NamedModel, Reading, Settings, open_job, run_jobs
from arcal.report.audited import _payload as payload_module
from tests.audits.numbers_of_a_page import numbers, payload_of

MODEL = """
from torch import nn, tensor

def sums():
    model = nn.Linear(3, 2)
    model.load_state_dict({"weight": tensor([[-1.0, -0.1, 0.0], [1.0, 0.1, 0.0]]),
                           "bias": tensor([1.1, -1.1])})
    return model
"""
COLUMNS = ("share", "hours", "nothing")


@pytest.fixture
def folder(tmp_path):
    """A model that says yes where share + hours / 10 is above 1.1, and rows of such numbers."""
    (tmp_path / "sums.py").write_text(MODEL)
    generator = np.random.default_rng(0)
    rows = np.stack([generator.random(80), 4 * generator.random(80), generator.random(80)], 1)
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, "label"])
        yes = rows[:, 0] + rows[:, 1] / 10 > 1.1
        writer.writerows([*row, int(y)] for row, y in zip(rows.tolist(), yes, strict=True))
    return tmp_path


def audited(folder, **reading):
    settings = Settings(attack=BoundaryProjection(budget=48))
    model = NamedModel(f"{folder / 'sums.py'}:sums")
    data = NamedData(str(folder / "rows.csv"), Reading(**reading))
    job = open_job(model, data, settings, name="sums", panel=None, R=4)
    return Audit.from_jobs([job], run_jobs([job]))


def closed_form(row, lower, upper):
    """The least change of share and hours that brings share + hours / 10 to 1.1 within the box."""
    gap, w = 1.1 - row @ [1, 0.1], np.array([1, 0.1])
    ends = np.where(gap > 0, upper, lower) - row
    change = gap * w / (w @ w)
    for _ in range(2):  # a column at its end stays there, the other does the rest
        beyond = np.abs(change) > np.abs(ends)
        if not beyond.any():
            break
        change = np.where(beyond, ends, 0)
        rest = (gap - change @ w) * np.where(beyond, 0, w)
        change = change + rest / max(float((w * ~beyond) @ w), 1e-12)
    return np.linalg.norm(change)


def test_distances_keep_each_column_within_its_range(folder):
    audit = audited(folder)
    page = payload_of(audit.report(folder / "out"))
    rows, (model,) = numbers(page["table"]["values"]), page["models"]
    assert page["table"]["columns"] == list(COLUMNS)
    written = np.loadtxt(folder / "rows.csv", delimiter=",", skiprows=1)
    assert np.allclose(rows, written[:, :3])
    expected = [closed_form(row, *(end(rows[:, :2], 0) for end in (np.min, np.max)))
                for row in rows[:, :2].astype(float)]  # fmt: skip
    distance = numbers(model["inputs"]["distance"])
    assert np.isfinite(distance).all()
    assert np.allclose(distance, expected, rtol=1e-2, atol=1e-3)
    beyond = np.abs(1.1 - rows[:, :2] @ [1, 0.1]) / np.hypot(1, 0.1)
    assert (distance > beyond * 1.05).any(), "for some rows a range is in the way"
    perturbed = numbers(model["perturbations"]["values"])
    where = numbers(model["perturbations"]["inputs"])
    assert sorted(where) == list(range(80))
    assert (perturbed >= rows.min(0)).all()
    assert (perturbed <= rows.max(0)).all()
    moved = np.linalg.norm(perturbed - rows[where], axis=1)
    assert np.allclose(moved, distance[where], rtol=1e-5, atol=1e-6)
    says = (torch.from_numpy(perturbed.copy()) @ torch.tensor([1, 0.1, 0]) > 1.1).long()
    assert (says.numpy() != numbers(model["inputs"]["predicted"])[where]).all()
    top = numbers(model["perturbations"]["top_class"])[:, 0]
    assert (top == says.numpy()).all()


def test_no_rows_leave_a_page_to_be_shared_nor_one_too_large(folder, monkeypatch):
    audit = audited(folder)
    shared = payload_of(audit.report(folder / "shared", images=False))
    monkeypatch.setattr(payload_module, "MOST_VALUES", 239)
    large = payload_of(audit.report(folder / "large"))
    for page in (shared, large):
        assert page["table"] is None
        assert page["models"][0]["perturbations"] is None
