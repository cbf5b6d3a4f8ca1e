"""Calibrators where inputs belong together: folds, intervals, estimates, and the column's name."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import ndtr
from scipy.stats import beta
from torch import nn

import arcal
from arcal.auditing import as_predictions, suspect_drift
from arcal.calibration.clusters import design_effect
from arcal.errors import ArcalError
from tests.test_cli import arcal as run


def drawn(G=50, seed=0, alike=0.3, harder=0.3, accuracy=0.8, sharper=1.0):
    """Predictions of two classes on G clusters of about 10 inputs, and the cluster of each."""
    g = np.random.default_rng(seed)
    number = np.repeat(np.arange(G), 1 + g.negative_binomial(1, 0.1, G))
    N, sure = len(number), 2 * accuracy - 1
    u = ndtr(harder**0.5 * g.normal(size=G)[number] + (1 - harder) ** 0.5 * g.normal(size=N))
    c = np.clip(0.5 + 0.5 * beta.ppf(u, 6 * sure, 6 * (1 - sure)), 0.5001, 1 - 1e-4)
    luck = alike**0.5 * g.normal(size=G)[number] + (1 - alike) ** 0.5 * g.normal(size=N)
    predicted = g.integers(0, 2, N)
    labels = np.where(ndtr(luck) < c, predicted, 1 - predicted)
    p = np.where(predicted == 1, c, 1 - c) ** sharper
    q = (1 - np.where(predicted == 1, c, 1 - c)) ** sharper
    said = as_predictions(probabilities=np.stack([q, p], 1) / (p + q)[:, None], labels=labels)
    return said, torch.from_numpy(number)


def test_a_design_effect_is_that_of_cluster_means():
    g = torch.Generator().manual_seed(0)
    number = torch.arange(4000) // 20
    v = torch.randn(200, generator=g).double()[number] + torch.randn(4000, generator=g).double()
    means = v.view(200, 20).mean(1)
    expected = (means.var() / 200 / (v.var(correction=0) / 4000)).item()
    assert design_effect(v, torch.ones(4000).double(), number) == pytest.approx(expected, rel=1e-9)
    apart = design_effect(v, torch.ones(4000).double(), torch.arange(4000))
    assert apart == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("values", [torch.ones(6).double(), torch.arange(6).double()])
def test_one_cluster_and_equal_values_count_each_cluster_once(values):
    same = torch.zeros(6, dtype=torch.int64)
    number = same if values.any() and len(values.unique()) > 1 else torch.arange(6) // 3
    clusters = len(number.unique())
    assert design_effect(values, torch.ones(6).double(), number) == pytest.approx(6 / clusters)


def test_a_drift_of_a_few_patients_is_no_drift():
    said = [
        suspect_drift(a.log_probabilities, b.log_probabilities, "ab", clusters=(of, of_b))
        for a, of, b, of_b in ((*drawn(seed=s), *drawn(seed=s + 500)) for s in range(60))
    ]
    assert sum(one is not None for one in said) <= 1
    (a, of), (b, of_b) = drawn(G=80), drawn(G=80, seed=1, sharper=12)
    assert (
        suspect_drift(a.log_probabilities, b.log_probabilities, "ab", clusters=(of, of_b))
        is not None
    )


def test_python_takes_clusters_of_predictions_pairs_and_loaders():
    torch.manual_seed(0)
    x = torch.randn(400, 2)
    y = (x[:, 0] + torch.randn(400) > 0).long()
    patients = [f"P{i // 4}" for i in range(400)]
    net = nn.Linear(2, 2).eval()
    net.weight.data.copy_(torch.tensor([[-5.0, 0.0], [5.0, 0.0]]))
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=64)
    predicted = as_predictions(logits=net(x).detach(), labels=y)
    more: dict[str, Any] = {"calibrators": ["temperature"], "clusters": patients}
    found = [
        arcal.calibrate(net, (x, y), **more),
        arcal.calibrate(net, loader, **more),
        arcal.calibrate(predicted, **more),
    ]
    assert found[0].notes == found[1].notes == found[2].notes
    assert "400 inputs are in 100 clusters, whose" in found[0].notes[-1]
    figures = [one.figures() for one in found]
    assert figures[1] == pytest.approx(figures[0], rel=1e-5, abs=1e-6)
    assert figures[2] == pytest.approx(figures[0], rel=1e-5, abs=1e-6)
    without = arcal.calibrate(predicted, calibrators=["temperature"])
    for one in (found[2], without):
        assert one.choice.picked == "temperature"
        accuracy, curve = one.choice.candidates["temperature"].accuracy, one.choice.acting.curve
        assert (curve.low[-1].item(), curve.high[-1].item()) == pytest.approx(
            (accuracy.low, accuracy.high), abs=0.01
        )
    assert not without.notes
    estimated = arcal.calibrate(predicted, unlabelled=predicted, **more)
    assert any("which of these inputs belong together is not known" in d for d in estimated.doubts)


def test_other_numbers_of_clusters_are_refused():
    said, number = drawn()
    with pytest.raises(ArcalError, match=r"clusters has 3 values for [\d,]+ inputs"):
        arcal.calibrate(said, clusters=["a", "b", "a"])
    with pytest.raises(ArcalError, match="clusters are too few to choose a calibrator"):
        arcal.calibrate(said, clusters=(number % 3).numpy())


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, G, seed, labelled in (("val.csv", 60, 1, True), ("today.csv", 40, 2, False)):
        said, number = drawn(G=G, seed=seed, sharper=2.5)
        p = said.log_probabilities.exp().numpy()
        rows = ["no,yes,patient" + ",label" * labelled]
        for i, (no, _) in enumerate(p):
            label = f",{['no', 'yes'][int(said.labels[i])]}" * labelled
            rows.append(f"{no:.6f},{1 - round(no, 6):.6f},P{number[i]}{label}")
        (tmp_path / name).write_text("\n".join(rows) + "\n")
    return tmp_path


COMMAND = "calibrate val.csv --probabilities no yes --classes no yes --calibrators temperature"


def test_a_column_of_a_file_says_which_inputs_belong_together(here):
    files = ["--unlabelled", "today.csv", "--apply", "today.csv"]
    arguments = [*COMMAND.split(), *files, "--out"]
    together = run(*arguments, "together", "--cluster", "patient")
    apart = run(*arguments, "apart")
    assert (together.code, apart.code) == (0, 0), together.stderr + apart.stderr
    assert "inputs are in 60 clusters by patient" in " ".join(together.stdout.split())
    assert "not used: patient" in apart.stderr
    assert "patient" not in together.stderr
    figures = [
        json.loads((here / name / "calibration.json").read_text()) for name in ("together", "apart")
    ]
    values = [one["unlabelled"] for one in figures]
    assert values[0]["accuracy"] == values[1]["accuracy"]
    assert values[0]["high"] - values[0]["low"] > 1.5 * (values[1]["high"] - values[1]["low"])
    assert figures[0]["picked"] == figures[1]["picked"] == "temperature"
