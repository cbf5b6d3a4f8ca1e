"""Smoothing against the paper's own lines, written out, and against torch's label smoothing."""

import math
import re
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from arcal.errors import ArcalError
from arcal.smoothing import (
    MARGIN,
    AdaptiveLabelSmoothing,
    epsilon_of,
    smooth_cross_entropy,
    soft_label_of,
    soften,
)

pytestmark = pytest.mark.processor


def literal_algorithm_1(Z, R, alpha, epochs, validation):
    """Algorithm 1, line by line, in plain Python. Returns every epoch's soft labels."""
    p = [1.0] * R
    history = []
    for t in range(epochs):
        confidence, correct, levels = validation[t]
        for r in range(R):
            inside = [i for i in range(len(levels)) if levels[i] == r]
            if not inside:
                continue
            conf = sum(confidence[i] for i in inside) / len(inside)
            acc = sum(correct[i] for i in inside) / len(inside)
            p[r] = p[r] - alpha * (conf - acc)
            p[r] = min(max(p[r], 1 / Z + MARGIN), 1.0)
        history.append(list(p))
    return history


EPSILON = torch.tensor([0.5, 1.0])


@pytest.mark.parametrize("R", [1, 4])
def test_update_is_algorithm_1(R):
    Z, N, epochs, alpha = 5, 200, 30, 0.4
    generator = torch.Generator().manual_seed(0)
    levels = torch.arange(N) % R
    ids = torch.randperm(N, generator=generator) * 7 + 3
    smoothing = AdaptiveLabelSmoothing(Z, R, alpha)
    smoothing.assign("validation", ids, levels)
    validation, found = [], []
    for _ in range(epochs):
        confidence = torch.rand(N, generator=generator, dtype=torch.float64) * 0.8 + 0.2
        correct = torch.rand(N, generator=generator) < 0.1 + 0.8 * levels / R
        validation.append((confidence.tolist(), correct.tolist(), levels.tolist()))
        smoothing.update(confidence, correct, ids)
        found.append(smoothing.soft_label.tolist())
    expected = literal_algorithm_1(Z, R, alpha, epochs, validation)
    torch.testing.assert_close(torch.tensor(found), torch.tensor(expected))
    assert min(min(row) for row in expected) < 0.9, "the labels must have moved to test anything"


def test_clip_keeps_the_open_end_open():
    smoothing = AdaptiveLabelSmoothing(4, alpha=100)
    smoothing.update(torch.tensor([0.9]), torch.tensor([False]))
    assert smoothing.soft_label.item() == 0.25 + MARGIN
    assert smoothing.epsilon.item() < 1
    smoothing.update(torch.tensor([0.1]), torch.tensor([True]))
    assert smoothing.soft_label.item() == 1


def test_a_level_without_validation_examples_keeps_its_label():
    smoothing = AdaptiveLabelSmoothing(4, 3, alpha=0.1)
    smoothing.assign("validation", torch.tensor([5, 6]), torch.tensor([0, 2]))
    gap = smoothing.update(
        torch.tensor([0.9, 0.8]), torch.tensor([False, False]), torch.tensor([6, 5])
    )
    torch.testing.assert_close(gap, torch.tensor([0.8, 0.0, 0.9], dtype=torch.float64))
    assert smoothing.soft_label[1] == 1


@pytest.mark.parametrize("alpha", [{0: 0.001, 2: 0.05}, {"0": 0.001, "2": 0.05}])
def test_alpha_schedule(alpha):
    smoothing = AdaptiveLabelSmoothing(10, alpha=alpha)
    steps = []
    for _ in range(4):
        before = smoothing.soft_label.item()
        smoothing.update(torch.tensor([1.0]), torch.tensor([False]))
        steps.append(before - smoothing.soft_label.item())
    assert steps == pytest.approx([0.001, 0.001, 0.05, 0.05])


@given(st.integers(2, 1000), st.floats(0, 0.999))
def test_equations_2_and_4_are_inverse(Z, epsilon):
    epsilon = torch.tensor(epsilon, dtype=torch.float64)
    p = soft_label_of(epsilon, Z)
    torch.testing.assert_close(epsilon_of(p, Z), epsilon, atol=1e-12, rtol=0)
    assert 1 / Z <= p <= 1


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weighted", [False, True])
def test_loss_is_torchs_label_smoothing(reduction, weighted):
    logits, labels = torch.randn(16, 7, requires_grad=True), torch.arange(16) % 7
    weight = torch.rand(7) + 0.5 if weighted else None
    ours = smooth_cross_entropy(logits, labels, 0.3, weight, reduction)
    theirs = F.cross_entropy(
        logits, labels, weight=weight, reduction=reduction, label_smoothing=0.3
    )
    torch.testing.assert_close(ours, theirs)
    (a,) = torch.autograd.grad(ours.sum(), logits, retain_graph=True)
    (b,) = torch.autograd.grad(theirs.sum(), logits)
    torch.testing.assert_close(a, b)


def test_a_masked_class_costs_nothing_without_smoothing():
    logits = torch.tensor([[0.5, 1.0, -torch.inf], [2.0, -torch.inf, 0.0]], requires_grad=True)
    labels, epsilon = torch.tensor([0, 2]), torch.zeros(2, dtype=torch.float64)
    theirs = F.cross_entropy(logits, labels)
    for ours in (
        smooth_cross_entropy(logits, labels, 0.0),
        AdaptiveLabelSmoothing(3)(logits, labels),
    ):
        torch.testing.assert_close(ours, theirs)
        (gradient,) = torch.autograd.grad(ours, logits)
        assert gradient.isfinite().all()
    assert smooth_cross_entropy(logits, labels, epsilon).isfinite()


def test_soft_labels_stay_exact_when_the_module_they_are_part_of_is_converted():
    whole = nn.ModuleDict({"loss": AdaptiveLabelSmoothing(10, 1, alpha=0.005)}).bfloat16()
    smoothing: Any = whole["loss"]
    for _ in range(200):
        smoothing.update(torch.full((100,), 0.95), torch.arange(100) < 85)
    torch.testing.assert_close(smoothing.soft_label, torch.tensor([0.9], dtype=torch.float64))
    joint = AdaptiveLabelSmoothing(10, 1, alpha=0.1, update="joint").float()
    joint.update(torch.full((100,), 0.95), torch.arange(100) < 85)
    assert joint.soft_label < 1


def test_loss_is_the_cross_entropy_with_equation_1():
    Z, N = 6, 20
    logits, labels, levels = torch.randn(N, Z), torch.arange(N) % Z, torch.arange(N) % 3
    smoothing = AdaptiveLabelSmoothing(Z, 3)
    smoothing.soft_label.copy_(torch.tensor([0.4, 0.8, 1.0]))
    ids = torch.arange(N) * 11
    smoothing.assign("train", ids.flip(0), levels.flip(0))
    target = soften(labels, smoothing.epsilon[levels].float(), Z)
    torch.testing.assert_close(smoothing(logits, labels, ids), F.cross_entropy(logits, target))


def test_loss_and_update_do_not_depend_on_order():
    N, Z, R = 50, 4, 5
    logits, labels, ids = torch.randn(N, Z), torch.arange(N) % Z, torch.arange(N) * 3
    permutation = torch.randperm(N)
    results = []
    for order in (torch.arange(N), permutation):
        smoothing = AdaptiveLabelSmoothing(Z, R, alpha=0.3)
        smoothing.assign("train", ids, ids % R)
        smoothing.assign("validation", ids, ids % R)
        confidence, prediction = logits.softmax(dim=1).max(dim=1)
        smoothing.update(confidence[order], (prediction == labels)[order], ids[order])
        results.append((smoothing.soft_label, smoothing(logits[order], labels[order], ids[order])))
    torch.testing.assert_close(results[0], results[1])


@pytest.mark.parametrize("R", [1, 2])
def test_places_in_batches_are_no_ids(R):
    """Of 3 batches of 20, 40 predictions would not count."""
    confidence, correct = torch.linspace(0.3, 0.9, 60), torch.arange(60) % 3 > 0
    smoothing = AdaptiveLabelSmoothing(4, R, alpha=0.3)
    smoothing.assign("validation", torch.arange(60), torch.arange(60) % R)
    with pytest.raises(ArcalError, match="60 validation predictions have 20 different ids"):
        smoothing.update(confidence, correct, torch.arange(60) % 20)
    assert smoothing.soft_label.tolist() == [1.0] * R
    smoothing.update(confidence, correct, torch.arange(60))


def test_the_loss_has_the_dtype_of_the_logits_whatever_epsilon_and_weight_have():
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(4, 3, generator=generator), torch.tensor([0, 2, 1, 1])
    epsilon, weight = [0.1, 0.0, 0.3, 0.2], [0.5, 1.0, 2.0]  # as tensors float64
    loss = smooth_cross_entropy(logits, labels, epsilon, weight)
    exact = smooth_cross_entropy(logits.double(), labels, epsilon, weight)
    assert (loss.dtype, exact.dtype) == (torch.float32, torch.float64)
    torch.testing.assert_close(loss.double(), exact, rtol=1e-6, atol=0)


def test_state_dict_is_all_that_is_needed_to_continue():
    first = AdaptiveLabelSmoothing(10, 2, alpha={0: 0.1, 1: 0.2})
    ids, levels = torch.tensor([4, 9, 2]), torch.tensor([0, 1, 1])
    first.assign("train", ids, levels)
    first.assign("validation", ids, levels)
    first.update(torch.tensor([0.9, 0.8, 0.9]), torch.tensor([False, True, False]), ids)
    second = AdaptiveLabelSmoothing(10, 2, alpha={0: 0.1, 1: 0.2})
    second.load_state_dict(first.state_dict())
    for smoothing in (first, second):
        smoothing.update(torch.tensor([0.5, 0.8, 0.9]), torch.tensor([False, True, False]), ids)
    assert torch.equal(first.soft_label, second.soft_label)
    logits = torch.randn(3, 10)
    assert torch.equal(first(logits, levels, ids), second(logits, levels, ids))


def test_a_state_is_of_its_z_and_r_only():
    state = AdaptiveLabelSmoothing(10, 2).state_dict()
    for Z, R in ((100, 2), (5, 2), (10, 1), (10, 3)):
        says = f"the state is of Z = 10 and R = 2, not of {Z} and {R}: continue with the settings"
        with pytest.raises(ArcalError, match=says):
            AdaptiveLabelSmoothing(Z, R).load_state_dict(state, strict=False)
        with pytest.raises(ArcalError, match=says):
            torch.nn.ModuleList([AdaptiveLabelSmoothing(Z, R)]).load_state_dict(
                {f"0.{name}": tensor for name, tensor in state.items()}
            )
    del state["classes"]  # as arcal 0.1 saved it
    state["soft_label"][1] = 0.75
    old = AdaptiveLabelSmoothing(10, 2)
    old.load_state_dict(state)
    assert old.soft_label.tolist() == [1, 0.75]
    assert int(old.state_dict()["classes"]) == 10


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda s: s(torch.zeros(1, 10), torch.zeros(1).long(), torch.tensor([8])), "id 8 has no"),
        (lambda s: s(torch.zeros(1, 10), torch.zeros(1).long()), "pass the ids"),
        (lambda s: s(torch.zeros(2, 10), torch.zeros(2).long(), torch.tensor([1])), "ids h"),
        (lambda s: s(torch.zeros(1, 9), torch.zeros(1).long(), torch.tensor([1])), "(1, 10)"),
        (lambda s: s.update(torch.tensor([torch.nan]), torch.tensor([True])), "is nan"),
        (lambda s: s.update(torch.tensor([1.1]), torch.tensor([True])), "not in"),
        (lambda s: s.update(torch.ones(1), torch.tensor([True]), torch.tensor([[1]])), "give (1,)"),
        (lambda s: s.update(torch.ones(1), torch.tensor([True]), torch.tensor([1])), "assign"),
        (lambda s: s.assign("train", torch.tensor([1, 1]), torch.tensor([0, 1])), "twice"),
        (lambda s: s.assign("train", torch.tensor([1]), torch.tensor([2])), "0 to 1"),
        (lambda s: s.assign("train", torch.tensor([1]), torch.tensor([0, 1])), "one level"),
        (lambda s: s.assign("train", [1, 2], [0.3, 1.2]), "float64: give `arcal.levels(robustness"),
        (lambda s: s.assign("train", [1.5, 2.5], [0, 1]), "ids are torch.float64: give whole"),
        (lambda s: s(torch.zeros(1, 10), torch.zeros(1).long(), [1.0]), "ids are torch.float64"),
        (lambda s: s.update(torch.ones(1), torch.ones(1).long(), torch.tensor([1])), "booleans"),
        (lambda s: s.update(torch.ones(0), torch.ones(0) > 0, torch.arange(0)), "at least 1"),
        (lambda s: AdaptiveLabelSmoothing(10, 2, alpha=0.0), "positive"),
        (lambda s: AdaptiveLabelSmoothing(10, 2, alpha="0.1"), "alpha is '0.1'"),  # pyright: ignore
        (lambda s: AdaptiveLabelSmoothing(10, 2, alpha={"0": 0.1, "x": 0.2}), "epoch 0"),
        (lambda s: AdaptiveLabelSmoothing(1), "at least 2"),
        (lambda s: AdaptiveLabelSmoothing(2.5), "Z is 2.5"),  # pyright: ignore
        (lambda s: smooth_cross_entropy(torch.eye(2), torch.arange(2), 5), "in [0, 1]"),
        (lambda s: smooth_cross_entropy(torch.eye(2), torch.arange(2), 5 * EPSILON), "in [0, 1]"),
        (lambda s: smooth_cross_entropy(torch.eye(2), torch.arange(1, 3), 0.1), "a label is 2"),
        (lambda s: smooth_cross_entropy(torch.eye(2), torch.tensor([0, -100]), 0.1), "is -100"),
        (lambda s: soften(torch.arange(1, 3), 0.1, Z=2), "a label is 2, and the 2 classes"),
        (lambda s: soften(torch.zeros(2, 1).long(), 0.1, Z=2), "of shape (2, 1)"),
        (lambda s: smooth_cross_entropy(torch.eye(2), [0, 1], 0.1, [1.0]), "weight has shape (1,)"),
        (lambda s: soften(torch.arange(2), torch.tensor([0.1]), Z=2), "epsilon has shape (1,)"),
        (lambda s: soften(torch.arange(2), torch.tensor([0.5, math.nan]), Z=2), "in [0, 1]"),
        (lambda s: s(torch.eye(10)[:1], torch.zeros(1).long(), torch.tensor([1])), "softmax"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(act, says):
    smoothing = AdaptiveLabelSmoothing(10, 2)
    smoothing.assign("train", torch.tensor([1, 2]), torch.tensor([0, 1]))
    with pytest.raises(ArcalError, match=re.escape(says)) as caught:
        act(smoothing)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "ids", "said"),
    [
        (F.one_hot(torch.tensor([1, 0]), 3), [7, 3], "of one-hot labels, labels.argmax(dim=1)"),
        (torch.tensor([1.0, 0.0]), [7, 3], "labels are torch.float32 of shape (2,): give 2 class"),
        (torch.tensor([1, 0]), ["img_7", "img_3"], "ids must be numbers"),
    ],
)
def test_what_a_loader_gives_instead_of_labels_or_ids(labels, ids, said):
    smoothing = AdaptiveLabelSmoothing(3, 2)
    smoothing.assign("train", [3, 7], [0, 1])
    with pytest.raises(ArcalError, match=re.escape(said)):
        smoothing(torch.randn(2, 3), labels, ids)


@pytest.mark.parametrize(
    "labels",
    [torch.tensor([1, 0], dtype=torch.uint8), [1, 0], (1, 0), np.array([1, 0], dtype=np.int32)],
)
def test_labels_ids_and_weight_may_be_lists_and_labels_of_any_integer_type(labels):
    logits = torch.tensor([[2.0, 0.0, 1.0], [0.0, 1.0, 3.0]])
    weight = [1.0, 2.0, 0.5]
    smoothing = AdaptiveLabelSmoothing(3, 2, weight=weight)
    smoothing.assign("train", [3, 7], [0, 1])
    loss = smoothing(logits, labels, [7, 3])
    expected = F.cross_entropy(logits, torch.tensor([1, 0]), torch.tensor(weight))
    torch.testing.assert_close(loss.float(), expected)
    assert torch.equal(soften(labels, 0.1, Z=3), soften(torch.tensor([1, 0]), 0.1, Z=3))
    for epsilon in ([0.0, 0.5], np.array([0.0, 0.5])):
        loss, same = (smooth_cross_entropy(logits, labels, one) for one in (epsilon, EPSILON - 0.5))
        torch.testing.assert_close(loss.float(), same)
