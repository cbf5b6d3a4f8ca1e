"""Audits by groups of the inputs: the figures of each, wherever its column comes from."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import arcal
from arcal.auditing import as_predictions, overall
from command_line import arcal as run_arcal

N = 900
REGIONS = np.array(["north", "south", "east"])


@pytest.fixture(scope="module")
def said() -> dict[str, np.ndarray]:
    """Predictions that are too sure of themselves in the north alone."""
    draws = np.random.default_rng(0)
    region, age = draws.choice(REGIONS, N), draws.integers(18, 90, N)
    p = draws.uniform(0.5, 1, N)
    y = (draws.uniform(size=N) < np.where(region == "north", p - 0.3, p)).astype(int)
    return {"probability": p, "label": y, "region": region, "age": age}


def test_a_group_has_the_figures_of_its_inputs_alone(said):
    p = np.stack([1 - said["probability"], said["probability"]], 1)
    by = {"region": said["region"], "age": said["age"]}
    audit = arcal.audit(as_predictions(probabilities=p, labels=said["label"]), by=by)
    (model,) = audit.models
    regions, ages = model.by_grouping
    assert [one.name for one in regions] == ["east", "north", "south"]
    for group in regions:
        rows = said["region"] == group.name
        alone = overall(as_predictions(probabilities=p[rows], labels=said["label"][rows]))
        assert group.n == rows.sum()
        assert group.accuracy == alone.accuracy
        for end in ("value", "low", "high"):
            assert getattr(group.gap, end) == pytest.approx(getattr(alone.gap, end))
        assert group.ece is not None
        assert group.ece.value == pytest.approx(alone.ece.value)
    assert [one.verdict for one in regions] == ["not shown", "over-confident", "not shown"]
    assert sum(one.n for one in ages) == N
    assert "where region is north, it is over-confident" in audit.summary(None)
    figures = audit.figures()["model"]
    assert figures["worst_group.gap"] == figures["by.region.north.gap"] == regions[1].gap.value


def test_the_table_of_inputs_has_the_groups(said):
    p = np.stack([1 - said["probability"], said["probability"]], 1)
    ids = np.random.default_rng(1).permutation(N)
    predictions = as_predictions(probabilities=p, labels=said["label"], ids=ids)
    table = arcal.audit(
        predictions, by={"region": said["region"], "label": said["region"]}
    ).inputs()
    of = dict(zip(ids.tolist(), said["region"].tolist(), strict=True))
    assert table["region"].to_pylist() == [of[i] for i in table["id"].to_pylist()]
    assert table["by_label"] == table["region"]


def test_inputs_of_a_loader_are_grouped_and_weighted_in_its_order(said):
    x = torch.from_numpy(said["probability"]).float()[:, None]
    y = torch.from_numpy(said["label"])
    N, model = len(y), torch.nn.Linear(1, 2).eval()
    known = {"by": {"region": said["region"]}, "weights": torch.arange(N) % 3, "order": None}
    pair: Any = arcal.audit(model, (x, y), **known).models[0]
    backwards = torch.arange(N).flip(0)
    with_ids = [tuple(one[some] for one in (backwards, x, y)) for some in torch.arange(N).split(9)]
    for data in (DataLoader(TensorDataset(x, y), 8), TensorDataset(x, y), with_ids):
        loaded: Any = arcal.audit(model, data, **known).models[0]
        for one, same in zip(loaded.by_grouping[0], pair.by_grouping[0], strict=True):
            assert (one.name, one.n) == (same.name, same.n)
            assert one.confidence == pytest.approx(same.confidence, rel=1e-5)
            assert one.accuracy.value == pytest.approx(same.accuracy.value)
        assert vars(loaded.overall.accuracy) == pytest.approx(vars(pair.overall.accuracy), rel=1e-5)
    by_id = loaded.weights, pair.weights
    assert torch.equal(by_id[0], by_id[1].flip(0)), "in ascending order of the ids"


def test_what_is_known_of_a_loader_has_a_value_for_each_input(said):
    x, y = torch.rand(60, 3), torch.arange(60) % 2
    model = torch.nn.Linear(3, 2).eval()

    def refused(data, **known):
        with pytest.raises(arcal.ArcalError) as error:
            arcal.audit(model, data, order=None, **known)
        return str(error.value)

    loader, batches = DataLoader(TensorDataset(x, y), 8), [(x, y)]
    assert refused(loader, by={"sex": ["f", "m"]}) == "sex has 2 values for 60 inputs"
    assert "weights" in refused(loader, weights=[1.0, 2.0])
    assert refused(batches, by={"sex": ["f", "m"]}, weights=[1, 2]) == (
        "weights and sex of 2 inputs are given, and the loader yields 60: give one value for each, "
        "in its order"
    )
    assert refused(batches, by={"sex": ["f", "m"]}, weights=[1, 2, 3]) == (
        "sex has 2 values for 3 inputs"
    )
    assert "all weights are 0" in refused(batches, weights=torch.zeros(60))
    shuffled = DataLoader(TensorDataset(x, y), 8, shuffle=True)
    assert refused(shuffled, by={"sex": ["f"] * 60}) == (
        "by goes by the order of the data, and the loader shuffles: make it with shuffle=False"
    )


def test_the_command_groups_files_of_predictions(said, tmp_path):
    csv.write_csv(pa.table(said), tmp_path / "p.csv")
    p = np.stack([1 - said["probability"], said["probability"]], 1)
    known = {name: said[name] for name in ("label", "region", "age")}
    np.savez(tmp_path / "p.npz", probabilities=p, **known)
    found = []
    for name in ("p.csv", "p.npz"):
        options = ("--by", "region", "age", "--fail-if", "by.region.north.gap>0.2")
        done = run_arcal("audit", tmp_path / name, *options, "--out", tmp_path / "out")
        assert done.code == 1, done.stderr
        assert "not used" not in done.stderr
        (model,) = json.loads((tmp_path / "out" / "audit.json").read_text())["models"]
        found.append(model["groupings"])
    assert found[0] == found[1]
    assert [one["name"] for one in found[0]] == ["region", "age"]
    done = run_arcal("audit", tmp_path / "p.csv", "--by", "regio", "--out", tmp_path / "out")
    assert done.code == 2
    assert "nothing is called regio" in done.stderr


def test_the_command_groups_the_rows_of_a_table(said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(
        "import torch\n\n\ndef network():\n    torch.manual_seed(0)\n"
        "    return torch.nn.Linear(2, 2).eval()\n"
    )
    table = pa.table(said).append_column("id", pa.array(np.arange(N)[::-1] + 7))
    csv.write_csv(table, tmp_path / "t.csv")
    options = ("--by", "region", "age", "--order", "gradient", "--limit", "500", "--out", "out")
    done = run_arcal("audit", "net.py:network", "t.csv", *options)
    assert done.code == 0, done.stderr
    of = dict(zip(table["id"].to_pylist(), said["region"].tolist(), strict=True))
    inputs = pq.read_table("out/inputs.parquet")
    assert inputs.num_rows == 500
    assert inputs["region"].to_pylist() == [of[i] for i in inputs["id"].to_pylist()]
    audit = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert audit["data"]["facts"]["Columns"] == "probability, age", "of numbers: age is a feature"
    regions, _ = audit["models"][0]["groupings"]
    assert sum(one["n"] for one in regions["groups"]) == 500
    done = run_arcal("audit", "net.py:network", "t.csv", "--by", "sex", "--out", "out")
    assert done.code == 2
    assert "no column sex" in done.stderr
