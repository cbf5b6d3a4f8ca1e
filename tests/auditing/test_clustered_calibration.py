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
from arcal.calibration.posthoc import fit_accuracy_by_threshold, fit_batch_temperature
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


def test_intervals_of_estimates_hold_what_they_should():
    large, _ = drawn(G=20_000, alike=0, harder=0, seed=99)
    accuracy, held = large.correct.double().mean().item(), {True: 0, False: 0}
    for seed in range(100):
        (labelled, of), (today, of_today) = drawn(seed=seed), drawn(seed=seed + 1000)
        for known in held:
            said = labelled.log_probabilities, labelled.labels
            stream = fit_batch_temperature(*said, clusters=of if known else None)
            one = stream.estimate(today.log_probabilities, of_today if known else None)
            held[known] += one.low <= accuracy <= one.high
    assert held[True] >= 90
    assert held[False] <= 80


def test_copies_of_inputs_in_clusters_change_no_interval():
    said, _ = drawn(G=400, alike=0, harder=0)
    few = torch.arange(0, len(said.labels), 10)
    number = torch.arange(len(few))
    scores, right = said.confidence[few], said.correct[few]
    alone = fit_accuracy_by_threshold(scores, right, clusters=number).estimate(scores, number)
    scores, right, number = (one.repeat(4) for one in (scores, right, number))
    together = fit_accuracy_by_threshold(scores, right, clusters=number)
    assert together.estimate(scores, number) == pytest.approx(alone, abs=2e-3)
    assert together.estimate(scores)[1] > alone[1] + 0.005


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


def test_patients_of_whom_a_model_is_more_or_less_sure_are_no_drift():
    def sure(G, m, seed):
        """Each patient has inputs of all classes, so that the mean probabilities are alike."""
        g = torch.Generator().manual_seed(seed)
        number = torch.arange(G).repeat_interleave(m)
        y = torch.randint(3, (G * m,), generator=g)
        u = 1.5 * torch.randn(G, generator=g)[number]
        z = torch.randn(G * m, 3, generator=g)
        z[torch.arange(G * m), y] += 2 + u
        return (2 * z).log_softmax(1), number

    said, alone = 0, 0
    for seed in range(60):
        (a, of), (b, of_b) = sure(100, 5, seed), sure(10, 50, seed + 500)
        said += suspect_drift(a, b, "abc", clusters=(of, of_b)) is not None
        alone += suspect_drift(a, b, "abc") is not None
    assert (said, alone > 3) == (0, True)


def test_inputs_of_no_weight_are_in_no_cluster():
    said, number = drawn()
    weights = (number < 10).double()
    n = int(weights.sum())
    more: dict[str, Any] = {"weights": weights, "clusters": number}
    for lines in (arcal.audit(said, **more).doubts, arcal.calibrate(said, **more).notes):
        (line,) = (one for one in lines if " clusters, whose" in one)
        assert f"the {n} inputs are in 10 clusters" in line
        assert "so few clusters" in line


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
    assert figures[1] == pytest.approx(figures[0])
    assert figures[2] == pytest.approx(figures[0])
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


def test_each_cluster_is_judged_by_calibrators_that_never_saw_it():
    said, number = drawn(G=60, sharper=2.5)
    blocks = torch.arange(len(said.labels)) // 10
    assert len(blocks.unique()) != len(number.unique())
    one = arcal.calibrate(said, calibrators=["irm"], clusters=number.numpy())
    other = arcal.calibrate(said, calibrators=["irm"])
    assert one.choice.candidates["irm"].nll.value != other.choice.candidates["irm"].nll.value
    assert one.choice.candidates["irm"].nll.width > other.choice.candidates["irm"].nll.width


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


def test_files_without_the_column_are_told(here):
    text = (here / "today.csv").read_text()
    (here / "plain.csv").write_text("\n".join(",".join(row.split(",")[:2]) for row in text.split()))
    files = ["--cluster", "patient", "--unlabelled", "plain.csv"]
    done = run(*COMMAND.split(), *files)
    assert done.code == 0
    assert "belong together is not known" in done.stderr
    done = run(*COMMAND.split(), "--cluster", "hospital")
    assert done.code == 2
    assert "hospital" in done.stderr
    done = run(*COMMAND.split(), "--cluster", "patient", "--fail-if", "coverage_at_99<1")
    assert done.code == 1
    assert "coverage_at_99 is 0, so" in done.stderr
