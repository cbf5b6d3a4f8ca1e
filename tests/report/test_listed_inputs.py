"""A page of more inputs than it can hold: a sample, which says so and keeps the worst."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from test_explorer import numbers

from arcal.auditing import Audited, Perturbed, as_predictions
from arcal.data import InMemory
from arcal.report.audited import Finding, Shown, _payload, as_json, payload
from arcal.robustness import Robustness

N = 900


@pytest.fixture(scope="module")
def model():
    draw = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (N,), generator=draw)
    logits = torch.randn(N, 3, generator=draw) + 2 * torch.eye(3)[labels]
    ids = torch.randperm(5 * N, generator=draw)[:N].sort().values
    predictions = as_predictions(ids=ids, labels=labels, logits=logits)
    robustness = Robustness(
        order="attack",
        ids=ids,
        robustness=torch.rand(N, generator=draw),
        success=torch.ones(N, dtype=torch.bool),
        predicted=predictions.predicted,
        labels=labels,
        passes=torch.ones(N, dtype=torch.long),
    )
    kept = torch.arange(0, N, 3)
    rows = torch.rand(len(kept), 2, generator=draw)
    return Audited(
        "mine",
        predictions,
        ("cat", "dog", "frog"),
        robustness=robustness,
        perturbed=Perturbed(ids[kept], rows, torch.randn(len(kept), 3, generator=draw)),
        calibrators=False,
    )


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(_payload, "LISTED", 300)
    monkeypatch.setattr(_payload, "WORST", 20)


def drawn(model):
    ids = model.predictions.ids
    values = torch.stack([ids.float(), 2 * ids.float()], dim=1)
    shown = Shown(ids, columns=("a", "b"), read=lambda places: values[places])
    return payload(as_json([Finding(model)], "pets", None, {}, "table"), [model], shown)


def test_ids_that_a_page_would_round_are_shown_as_names(model):
    few = model.predictions.rows(torch.arange(20))
    for more, names in ((0, None), (2**60, [str(2**60 + i) for i in few.ids.tolist()])):
        large = replace(few, ids=few.ids + more)
        page = drawn(Audited("mine", large, model.classes, calibrators=False))
        assert page["inputs"]["name"] == names


def test_the_figures_are_of_all_and_the_rows_of_a_sample(model, few):
    page = drawn(model)
    assert page["data"]["n"] == page["models"][0]["overall"]["n"] == N
    assert sum(bin["count"] for bin in page["models"][0]["reliability"]) == N
    ids = numbers(page["inputs"]["id"])
    assert len(ids) == 300
    assert (np.diff(ids) > 0).all()
    assert "drawn at random" in page["listed"]
    places = torch.searchsorted(model.predictions.ids, torch.from_numpy(ids.copy()))
    (one,) = page["models"]
    said = model.predictions.predicted[places]
    assert numbers(one["inputs"]["predicted"]).tolist() == said.tolist()
    distance = model.robustness.robustness[places]
    assert numbers(one["inputs"]["distance"]).tolist() == distance.tolist()
    assert numbers(page["table"]["values"])[:, 0].tolist() == ids.tolist()


def test_the_worst_are_in_the_sample_with_their_ranks(model, few):
    (one,) = drawn(model)["models"]
    for name in ("suspect_rank", "fragile_rank"):
        ranks = numbers(one["inputs"][name])
        assert set(range(20)) <= set(ranks.tolist())


def test_perturbed_rows_stay_with_their_inputs(model, few):
    page = drawn(model)
    perturbed = page["models"][0]["perturbations"]
    ids = numbers(page["inputs"]["id"])[numbers(perturbed["inputs"])]
    places = torch.searchsorted(model.perturbed.ids, torch.from_numpy(ids.copy()))
    assert len(ids) > 50
    assert (model.perturbed.ids[places].numpy() == ids).all()
    assert np.allclose(numbers(perturbed["values"]), model.perturbed.inputs[places])


def test_a_page_is_written_though_no_perturbed_image_is_listed(model, few, monkeypatch):
    """The attack changed few images, none of which came into the sample: the audit was refused."""
    monkeypatch.setattr(_payload, "WORST", 0)
    ids = model.predictions.ids
    listed = torch.from_numpy(numbers(drawn(model)["inputs"]["id"]).copy())
    kept = ids[~torch.isin(ids, listed)][:5]
    perturbed = Perturbed(kept, torch.rand(5, 1, 4, 4).half(), torch.randn(5, 3))
    changed = replace(model, perturbed=perturbed)
    pixels = torch.zeros(N, 1, 4, 4, dtype=torch.uint8)
    part = InMemory("pets", ids, model.predictions.labels, model.classes, pixels)
    findings = as_json([Finding(changed)], "pets", None, {}, "images")
    (one,) = payload(findings, [changed], Shown(ids, part=part))["models"]
    assert one["perturbations"] is None


@pytest.mark.parametrize("sure", [0.6, 0.8, 2 / 3])
def test_a_click_on_a_bin_shows_the_inputs_that_it_counts(sure):
    """The page finds bins (low, high] from float32, in which all of these are above an edge."""
    some = as_predictions(probabilities=[[sure, 1 - sure]] * 40, labels=[0, 1] * 20)
    model = Audited("mine", some, ("cat", "dog"), calibrators=False)
    page = payload(as_json([Finding(model)], "pets", None, {}, "predictions"), [model])
    bins = page["models"][0]["reliability"]
    (confidence,) = {*numbers(page["models"][0]["inputs"]["confidence"]).tolist()}
    (counted,) = (k for k, one in enumerate(bins) if one["count"])
    assert math.ceil(confidence * len(bins)) - 1 == counted


def test_the_inputs_of_a_positive_class_are_in_the_bins_that_count_them():
    draw = torch.Generator().manual_seed(0)
    p = (2 * torch.randn(3000, generator=draw, dtype=torch.float64) - 5).sigmoid()
    p[:100] = 0.6  # which a logarithm and its exponential take across an edge
    both = torch.stack([1 - p, p], dim=1)
    labels = (torch.rand(3000, generator=draw, dtype=torch.float64) < p).long()
    model = Audited("mine", as_predictions(probabilities=both, labels=labels), ("no", "yes"))
    (one,) = payload(as_json([Finding(model)], "fraud", None, {}, "predictions"), [model])["models"]
    places = numbers(one["inputs"]["positive_bin"])
    for k, name in enumerate(("bins", "bins_of_equal_width")):
        counts = [each["count"] for each in one["positive"][name]]
        assert np.bincount(places[:, k]).tolist() == counts


def test_figures_of_an_input_stay_its_own_whatever_the_order_of_the_ids():
    draw = torch.Generator().manual_seed(0)
    z, labels = torch.randn(60, 3, generator=draw), torch.randint(0, 3, (60,), generator=draw)
    ids = torch.randperm(60, generator=draw)
    model = Audited("mine", as_predictions(ids=ids, labels=labels, logits=z), ("a", "b", "c"))
    drawn = payload(as_json([Finding(model)], "pets", None, {}, "predictions"), [model])
    inputs = drawn["models"][0]["inputs"]
    assert numbers(drawn["inputs"]["id"]).tolist() == ids.tolist()
    loss = torch.nn.functional.cross_entropy(z, labels, reduction="none")
    assert numbers(inputs["loss"]) == pytest.approx(loss.numpy(), abs=1e-5)
    p = z.softmax(dim=1)[torch.arange(60), labels]
    assert numbers(inputs["label_probability"]) == pytest.approx(p.numpy(), abs=1e-6)
    suspect = numbers(inputs["suspect_rank"])  # from 0, -1 where the label is predicted
    wrong = (z.argmax(dim=1) != labels).numpy()
    assert np.array_equal(suspect >= 0, wrong)
    by_probability = p.numpy()[wrong].argsort()
    assert suspect[wrong][by_probability].tolist() == list(range(wrong.sum()))
