"""Audits of inputs that belong together: by a column, by values in Python, and of two months."""

import json
from pathlib import Path

import pytest
import torch

import arcal
from arcal.auditing import as_predictions
from arcal.errors import ArcalError
from tests.test_cli import succeeds

N, COPIES = 60, 4


@pytest.fixture
def repeated():
    """Predictions with four copies of each, and the patient that each is of."""
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(N, 3, generator=generator, dtype=torch.float64)
    labels = (logits.argmax(1) + (torch.rand(N, generator=generator) > 0.7)) % 3
    return logits.repeat_interleave(COPIES, 0), labels.repeat_interleave(COPIES), patients()


def patients() -> list[str]:
    return [f"P{i // COPIES}" for i in range(N * COPIES)]


def test_a_column_and_values_in_python_say_the_same(tmp_path, monkeypatch, repeated):
    monkeypatch.chdir(tmp_path)
    logits, labels, of = repeated
    p = logits.softmax(1)
    rows = [
        f"{who},{y}," + ",".join(map(str, row))
        for who, y, row in zip(of, labels, p.tolist(), strict=True)
    ]
    Path("mine.csv").write_text("\n".join(["patient,label,p_0,p_1,p_2", *rows]))
    done = json.loads(succeeds("audit", "mine.csv", "--cluster", "patient", "--json").stdout)
    assert done["data"]["clusters"] == {"by": "patient", "n": N}
    assert not done["data"]["weighted"]
    (one,) = done["models"]
    assert one["overall"]["accuracy"]["n"] == N
    assert one["acting"]["curve"][-1]["accuracy"] == pytest.approx(one["overall"]["accuracy"])
    assert any("240 inputs are in 60 clusters by patient" in line for line in done["notes"])
    mine = arcal.audit(as_predictions(probabilities=p, labels=labels), clusters=of)
    for name, value in mine.figures()["model"].items():
        assert one["figures"][name] == pytest.approx(value, rel=1e-6), name


def test_pairs_and_loaders_have_the_same_clusters(repeated):
    logits, labels, of = repeated
    x, model = logits.float(), torch.nn.Identity()
    given = {"order": None, "clusters": of}
    pair = arcal.audit(model, (x, labels), bounds=None, **given)
    batches = list(zip(x.split(50), labels.split(50), strict=True))
    loader = arcal.audit(model, batches, bounds=None, **given)
    assert pair.figures() == loader.figures()
    assert pair.models[0].overall.accuracy.n == N
    independent = arcal.audit(model, (x, labels), bounds=None, order=None)
    width = pair.models[0].overall.accuracy.width / independent.models[0].overall.accuracy.width
    assert width == pytest.approx(2, abs=0.1)  # the root of the number of copies


def test_only_clusters_are_compared_with_clusters(tmp_path, monkeypatch, repeated):
    monkeypatch.chdir(tmp_path)
    logits, labels, of = repeated
    said = as_predictions(logits=logits, labels=labels)
    arcal.audit(said, clusters=of).save("june")
    (since,) = arcal.audit(said, clusters=of, against="june").changes
    arcal.audit(said).save("july")
    (independent,) = arcal.audit(said, against="july").changes
    assert since is not None
    assert independent is not None
    widths = [one.figures["accuracy"].by.width for one in (since, independent)]
    assert widths[0] > 1.8 * widths[1]
    with pytest.raises(ArcalError, match="have clusters there and none here"):
        arcal.audit(said, against="june")
    with pytest.raises(ArcalError, match="have none there, and clusters here"):
        arcal.audit(said, clusters=of, against="july")


@pytest.mark.parametrize(
    ("values", "line"),
    [
        (["a"] * 240, "all the same"),
        (range(240), "all different"),
        (["a", "b"], "2 values for 240 inputs"),
        ([None, *range(239)], "missing in row 0"),
    ],
)
def test_what_are_no_clusters_is_one_line(repeated, values, line):
    logits, labels, _ = repeated
    with pytest.raises(ArcalError, match=line):
        arcal.audit(as_predictions(logits=logits, labels=labels), clusters=values)
