"""Methods by name, and each one's loss against its formula."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from arcal.errors import ArcalError
from arcal.methods import METHODS, complete_settings, method_class, method_named
from arcal.smoothing import AdaptiveLabelSmoothing, soften


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(12, 5, generator=generator)
    return nn.Identity(), torch.arange(12) * 2, x, torch.arange(12) % 5


@pytest.mark.parametrize("name", METHODS)
def test_a_loss_is_float64_where_the_network_is(name, batch):
    model, ids, x, labels = batch
    method = method_named(name, 5, {})
    if method.ranks:
        method.assign("train", ids, torch.zeros_like(ids))
    assert method.loss(model, ids, x.double().sigmoid(), labels).dtype == torch.float64


def test_vanilla_is_cross_entropy(batch):
    model, ids, x, labels = batch
    loss = METHODS["vanilla"](5).loss(model, ids, x, labels)
    torch.testing.assert_close(loss, F.cross_entropy(x, labels))


def test_label_smoothing_is_equation_1(batch):
    model, ids, x, labels = batch
    loss = method_class("label-smoothing")(5, epsilon=0.2).loss(model, ids, x, labels)
    target = soften(labels, torch.full((12,), 0.2), 5)
    torch.testing.assert_close(loss, F.cross_entropy(x, target))


def test_ar_adals_of_one_level_is_adals(batch):
    model, ids, x, labels = batch
    methods = METHODS["adals"](5, alpha=0.3), METHODS["ar-adals"](5, alpha=0.3, R=1)
    confidence, correct = torch.full((12,), 0.9), torch.arange(12) % 2 == 0
    logs = [method.learn(ids, confidence, correct) for method in methods]
    assert logs[0] == logs[1]
    assert logs[0]["gap"] == pytest.approx([0.4])
    losses = [method.loss(model, ids, x, labels) for method in methods]
    assert torch.equal(losses[0], losses[1])
    expected = AdaptiveLabelSmoothing(5, alpha=0.3)
    expected.update(confidence, correct)
    assert torch.equal(losses[0], expected(x, labels))


def test_settings_are_completed_and_checked():
    assert complete_settings("ar-adals", {"R": 3}) == {
        "alpha": "auto",
        "update": "own",
        "R": 3,
        "order": "attack",
        "attack": "boundary-projection-quick",
        "rescore": None,
    }
    assert complete_settings("vanilla", {}) == {}
    cases = [
        (lambda: complete_settings("vanilla", {"alpha": 1}), "adals and ar-adals have it, and it"),
        (lambda: complete_settings("adals", {"R": 1}), "its settings are alpha"),
        (
            lambda: method_named("vanilla", 3, {"epsilon": 0.1}),
            "no setting 'epsilon': label-smoothing has it, and it has none of its own",
        ),
        (
            lambda: method_named("focal", 3, {"gama": 2}),
            "no setting 'gama': its settings are gamma",
        ),
        (lambda: method_class("augmix"), "augmix is added to any of them, as a setting"),
        (lambda: method_class("magic"), "method 'magic' is unknown: choose from vanilla"),
        (lambda: METHODS["label-smoothing"](3, epsilon=1.0), "epsilon is 1.0"),
        (lambda: METHODS["ar-adals"](3, order="size"), "order 'size' is unknown"),
    ]
    for act, says in cases:
        with pytest.raises(ArcalError, match=says):
            act()
