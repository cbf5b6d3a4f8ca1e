"""Calibration errors as torchmetrics' metrics."""

import copy
import json
import pickle
from pathlib import Path

import pytest
import torch
from torchmetrics import MetricCollection

import arcal
from arcal import ArcalError
from arcal.calibration import by_level, class_wise_ece, confidence_and_correct, ece
from arcal.integrations.torchmetrics import ECE, ClassWiseECE, ECEByLevel
from launching import on_two_processes

N, Z, R = 203, 4, 3


def predictions(dtype=torch.float32):
    draw = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(N, Z, generator=draw)
    labels = torch.randint(Z, (N,), generator=draw)
    return logits.to(dtype).softmax(1), labels, torch.randint(R, (N,), generator=draw)


def metrics():
    return {
        "ece": (ECE(), 2),
        "class_wise": (ClassWiseECE(Z), 2),
        "level": (ECEByLevel(R), 3),
        "gap": (ECEByLevel(R, figure="gap"), 3),
    }


def whole():
    """The values of all predictions at once, by the library's own functions."""
    p, labels, levels = predictions()
    confidence, correct = confidence_and_correct(p, labels)
    cut = by_level(confidence, correct, levels, R)
    values = {"ece": ece(confidence, correct), "class_wise": class_wise_ece(p, labels)}
    return values | {"level": cut.ece.tolist(), "gap": cut.gap.tolist()}


@pytest.mark.parametrize("name", metrics())
def test_batches_give_the_value_of_all(name):
    metric, n = metrics()[name]
    columns = predictions()[:n]
    for rows in torch.randperm(N).split(17):
        metric(*(column[rows] for column in columns))  # forward, as Lightning calls it
    assert metric.compute().tolist() == pytest.approx(whole()[name], abs=1e-12)
    arrays, _ = metrics()[name]
    arrays.update(*(column.numpy() for column in columns))
    assert arrays.compute().tolist() == pytest.approx(whole()[name], abs=1e-12)
    metric.reset()
    with pytest.raises(ArcalError, match="call update first"), pytest.warns(match="before"):
        metric.compute()


def test_edges_are_exact():
    """Confidences on edges of the bins, 1.0 among them: here torchmetrics' own are wrong."""
    confidence = torch.tensor([0.5, 0.75, 1.0, 1.0, 0.75])
    p = torch.stack([confidence, 1 - confidence], 1)
    labels = torch.tensor([0, 1, 0, 1, 0])
    metric = ECE(bins=4)
    metric.update(p, labels)
    assert metric.compute() == arcal.ece(*confidence_and_correct(p, labels), bins=4)
    # (0.25, 0.5]: 0.5, right; (0.5, 0.75]: .75 twice, half right; (0.75, 1]: 1 twice, half right
    assert float(metric.compute()) == pytest.approx((0.5 + 2 * 0.25 + 2 * 0.5) / 5)


@pytest.mark.filterwarnings("ignore:The ``compute`` method")  # after load_state_dict
@pytest.mark.parametrize("name", metrics())
def test_they_are_copied_saved_and_collected(name):
    metric, n = metrics()[name]
    columns = predictions()[:n]
    metric.persistent(True)
    metric.update(*columns)
    fresh, _ = metrics()[name]
    fresh.load_state_dict(metric.state_dict())
    for other in (metric.clone(), copy.deepcopy(metric), pickle.loads(pickle.dumps(metric)), fresh):
        assert other.compute().tolist() == metric.compute().tolist()
    collection = MetricCollection([metrics()["ece"][0], metrics()["class_wise"][0]])
    collection.update(*predictions()[:2])
    assert set(collection.compute()) == {"ECE", "ClassWiseECE"}
    assert float(collection.compute()["ECE"]) == pytest.approx(whole()["ece"])
    assert float(collection.compute()["ClassWiseECE"]) == pytest.approx(whole()["class_wise"])


def test_bad_input_is_one_line():
    p, labels, levels = predictions()
    for act, says in (
        (lambda: ECE().update(5 * p, labels), "pass a softmax's output"),
        (lambda: ECE().update(p, labels + Z), "labels must be 0 .. 3"),
        (lambda: ECE(bins=0), "bins must be at least 1"),
        (lambda: ClassWiseECE(Z + 1).update(p, labels), "one column per class"),
        (lambda: ECEByLevel(2).update(p, labels, levels), "levels must be 0 .. 1"),
        (lambda: ECEByLevel(0), "give at least 1"),
    ):
        with pytest.raises(ArcalError, match=says) as caught:
            act()
        assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_two_processes_give_the_value_of_all(tmp_path):
    on_two_processes(Path(__file__).with_name("torchmetrics_run.py"), tmp_path)
    for rank in range(2):
        values = json.loads((tmp_path / str(rank)).read_text())
        for name, value in whole().items():
            assert values[name] == pytest.approx(value, abs=1e-12)
