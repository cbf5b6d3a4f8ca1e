"""Ranking and levels, and every order against what defines it."""

import math
from typing import Any, cast

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    DistributedSampler,
    RandomSampler,
    Sampler,
    SubsetRandomSampler,
    TensorDataset,
)

from arcal.attacks import CarliniWagner
from arcal.auditing import as_model
from arcal.data import InMemory, WithIds
from arcal.errors import ArcalError
from arcal.orders import ORDERS
from arcal.ranks import levels, mean_rank, rank
from arcal.robustness import distance, score

pytestmark = pytest.mark.processor

values = st.lists(st.floats(0, 10) | st.just(math.inf), min_size=1, max_size=60)


def tensor(values):
    return torch.tensor(values, dtype=torch.float32)


@given(values, st.integers(1, 12), st.randoms(use_true_random=False))
def test_levels_are_of_equal_size_ordered_and_independent_of_order(values, R, random):
    R = min(R, len(values))
    robustness, ids = tensor(values), torch.tensor(random.sample(range(1000), len(values)))
    found = levels(robustness, ids, R)
    sizes = torch.bincount(found, minlength=R)
    assert sizes.max() - sizes.min() <= 1
    for r in range(R - 1):
        assert robustness[found <= r].max() <= robustness[found > r].min()
    permutation = torch.tensor(random.sample(range(len(values)), len(values)))
    assert torch.equal(levels(robustness[permutation], ids[permutation], R), found[permutation])


@given(values)
def test_rank_is_sorting_by_robustness_then_id(values):
    ids = torch.arange(len(values)).flip(0) * 3
    expected = sorted(range(len(values)), key=lambda i: (tensor(values)[i].item(), ids[i].item()))
    assert rank(tensor(values), ids).argsort().tolist() == expected


@pytest.fixture
def setting():
    generator = torch.Generator().manual_seed(0)
    model = nn.Linear(6, 4)
    model.weight.data = torch.randn(4, 6, generator=generator)
    model.bias.data.zero_()
    x, labels = torch.rand(23, 6, generator=generator), torch.arange(23) % 4
    ids = torch.arange(23) * 5
    batches = [(ids[i : i + 8], x[i : i + 8], labels[i : i + 8]) for i in range(0, 23, 8)]
    return model, x, ids, labels, batches


@pytest.mark.parametrize("order", ORDERS)
def test_every_order(setting, order):
    model, x, ids, labels, batches = setting
    attack = CarliniWagner(iterations=200) if order == "attack" else None
    found = score(model, batches, order, attack=attack, bounds=None)
    logits = model(x).detach()
    top, at = logits.topk(2, dim=1)
    lead = top[:, 0] - top[:, 1]
    assert torch.equal(found.ids, ids)
    assert torch.equal(found.labels, labels)
    assert torch.equal(found.predicted, at[:, 0])
    assert found.order == order
    W = model.weight.detach()
    if order == "attack":
        distance = torch.stack(
            [(logits.gather(1, at[:, :1])[:, 0] - logits[:, k]) / (W[at[:, 0]] - W[k]).norm(dim=1)
             for k in range(4)]
        )  # fmt: skip
        distance = distance.where(distance > 0, torch.inf).amin(dim=0)
        assert found.success is not None
        assert found.success.all()
        assert (found.robustness >= distance * (1 - 1e-5)).all()
        assert (found.robustness / distance).median() < 1.01
        assert (found.passes > 1).all()
    else:
        assert found.success is None, "only an attack can succeed"
        assert (found.passes == (order == "gradient")).all()
    if order == "gradient":
        expected = lead / (W[at[:, 0]] - W[at[:, 1]]).norm(dim=1)
        torch.testing.assert_close(found.robustness, expected)
    if order == "margin":
        torch.testing.assert_close(found.robustness, lead)
    if order == "confidence":
        p = logits.double().softmax(dim=1).amax(dim=1)
        torch.testing.assert_close(found.robustness, (p / (1 - p)).log().float())
    if order == "random":
        assert ((found.robustness >= 0) & (found.robustness < 1)).all()
        assert len(found.robustness.unique()) == 23


@pytest.mark.parametrize("order", ORDERS)
def test_a_model_that_draws_or_looks_at_its_batch_is_refused(setting, order):
    *_, batches = setting
    drawing = lambda x: x + torch.rand_like(x)  # noqa: E731
    of_the_batch = lambda x: x - x.mean(dim=0)  # noqa: E731
    for model in (drawing, of_the_batch):
        with pytest.raises(ArcalError, match="two calls with the same inputs give logits that dif"):
            score(model, batches, order)


def test_confidence_does_not_tie_where_float32_has_only_1():
    lead = torch.linspace(20, 40, 500)

    def sure(x):
        return torch.stack([lead[x[:, 0].long()], 0 * x[:, 0]], dim=1)

    ids = torch.arange(500)
    found = score(sure, [(ids, ids.float().unsqueeze(1), 0 * ids)], "confidence", bounds=None)
    assert (torch.stack([lead, 0 * lead], dim=1).softmax(dim=1)[:, 0] == 1).all()
    assert (found.robustness.diff() > 0).all()


def test_without_ids_inputs_are_numbered_by_position(setting):
    model, x, _, labels, batches = setting
    dataset = TensorDataset(x, labels)
    expected = score(model, [(torch.arange(len(x)), x, labels)], "margin")
    for data in (
        [batch[1:] for batch in batches],
        DataLoader(dataset, batch_size=7),
        dataset,
        (x, labels),
        (x.numpy(), labels.numpy()),
        [{"inputs": x, "labels": labels}],
    ):
        scores = score(model, data, "margin")
        assert torch.equal(scores.ids, expected.ids)
        assert torch.equal(scores.labels, labels)
        torch.testing.assert_close(scores.robustness, expected.robustness)


def test_images_of_a_part_are_scored_by_its_ids():
    pixels = torch.arange(2 * 3 * 8 * 8).view(2, 3, 8, 8).to(torch.uint8)
    part = InMemory("toy/test", torch.tensor([5, 9]), torch.tensor([0, 1]), ("a", "b"), pixels)
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    scores = score(model, part, "margin")
    expected = score(model, [(part.ids, pixels.float() / 255, part.labels)], "margin")
    assert scores.ids.tolist() == [5, 9]
    torch.testing.assert_close(scores.robustness, expected.robustness)
    with pytest.raises(
        ArcalError, match=r"data is an int: give a loader, a data set, a pair \(x, l"
    ):
        score(model, 7)


class LongestFirst(Sampler):
    """An order of its own, as of texts grouped by their lengths."""

    def __iter__(self):
        return iter(range(22, -1, -1))

    def __len__(self):
        return 23


@pytest.mark.parametrize(
    "options",
    [
        {"shuffle": True},
        {"sampler": RandomSampler(range(23))},
        {"batch_sampler": BatchSampler(SubsetRandomSampler(range(23)), 5, drop_last=False)},
        {"sampler": DistributedSampler(TensorDataset(torch.arange(23)), num_replicas=2, rank=1)},
        {"sampler": LongestFirst()},
        {"sampler": list(range(22, -1, -1))},
        {"sampler": torch.arange(22, -1, -1)},
        {"batch_sampler": [[5, 3, 1], [0, 2, 4]]},
    ],
)
def test_a_loader_that_shuffles_needs_ids(setting, options):
    model, x, ids, labels, _ = setting
    with pytest.raises(ArcalError, match=r"batch 0.* shuffles.*shuffle=False, or of `arcal.data.W"):
        score(model, DataLoader(TensorDataset(x, labels), **options), "margin")
    pairs = WithIds(TensorDataset(x, labels), ids)
    assert set(score(model, DataLoader(pairs, **options), "margin").ids.tolist()) <= set(
        ids.tolist()
    )


@pytest.mark.parametrize(
    "options", [{"sampler": range(20)}, {"batch_sampler": [[0, 1], [2, 3, 4]]}, {"sampler": [0, 1]}]
)
def test_a_list_of_positions_in_turn_needs_no_ids(setting, options):
    model, x, _, labels, _ = setting
    scores = score(model, DataLoader(TensorDataset(x, labels), **options), "margin")
    assert scores.ids.tolist() == [*range(len(scores.ids))]


def test_what_is_no_batch_says_what_is_one(setting):
    model, x, _, labels, _ = setting
    with pytest.raises(ArcalError, match=r"batch 0, .* is a Tensor: give \(x, labels\), \(id"):
        score(model, [x])
    for wrong in ((x, labels[:3]), (x, labels[0]), (x[0, 0], labels[0])):
        with pytest.raises(ArcalError, match=r"inputs \(.*\) and labels \(.*\): give \(N, ...\)"):
            score(model, wrong)
    for nothing in ((x[:0], labels[:0]), TensorDataset(x[:0], labels[:0])):
        with pytest.raises(ArcalError, match="nothing to score: the data set is empty"):
            score(model, nothing)


def test_random_order_depends_on_id_and_seed_alone(setting):
    model, *_, batches = setting
    ids, x, labels = batches[0]
    whole = score(model, batches, "random", seed=1)
    alone = score(model, [(ids[3:4], x[3:4], labels[3:4])], "random", seed=1)
    other = score(model, batches, "random", seed=2)
    assert alone.robustness[0] == whole.robustness[3]
    assert not torch.equal(other.robustness, whole.robustness)


def test_gradient_order_where_the_gradient_vanishes():
    def flat(x):
        return torch.stack([2 + 0 * x[:, 0], 1 + 0 * x[:, 0]], dim=1)

    def tied(x):
        return torch.ones(len(x), 2) + 0 * x[:, :1]

    batch = [(torch.arange(2), torch.rand(2, 3), torch.zeros(2).long())]
    assert score(flat, batch, "gradient").robustness.isposinf().all()
    assert score(tied, batch, "gradient").robustness.tolist() == [0, 0]


def test_gradient_order_where_the_gradient_is_infinite_ranks_nothing():
    """All inputs with a black pixel would tie as the least robust."""
    x = torch.tensor([[0.25, 0.5], [0.0, 0.5]])
    batch = [(torch.tensor([7, 8]), x, torch.zeros(2).long())]
    with pytest.raises(ArcalError, match=r"1 of 2 inputs by NaN, first that of id 8: .* margin"):
        score(torch.sqrt, batch, "gradient")
    assert score(torch.sqrt, batch, "margin").robustness.isfinite().all()


@pytest.mark.parametrize("order", ["attack", "margin"])
@pytest.mark.parametrize("label", [-1, 4])
def test_a_label_that_is_no_class_of_the_model_is_one_line(setting, order, label):
    model, _, ids, _, batches = setting
    batches[2][2][1] = label
    with pytest.raises(ArcalError, match=rf"label {label} of id {ids[17]} is not in \[0, 4\)"):
        score(model, batches, order)


def test_ids_are_int64_and_no_truth_values(setting):
    model, x, ids, labels, _ = setting
    assert score(model, [(ids.int(), x, labels)], "margin").ids.dtype == torch.int64
    with pytest.raises(ArcalError, match=r"ids are torch\.bool: give whole numbers"):
        score(model, [(ids[:2] > ids[0], x[:2], labels[:2])], "margin")


def test_distance_takes_a_single_logit_and_arrays_as_score_does():
    one_logit, x = nn.Linear(6, 1), torch.rand(2, 6, generator=torch.Generator().manual_seed(0))
    scored = score(one_logit, TensorDataset(x[:1], torch.tensor([0]))).robustness.item()
    assert distance(one_logit, x[0].numpy()) == pytest.approx(scored, rel=1e-3)


def test_bad_input_is_one_line(setting):
    model, x, ids, labels, batches = setting
    cases = [
        (lambda: levels(tensor([1, math.nan]), torch.arange(2), 2), "NaN"),
        (lambda: levels(tensor([1.0]), torch.arange(1), 2), "1 inputs cannot be cut into 2"),
        (lambda: levels(torch.rand(3), torch.arange(3), 1.5), "cut into 1.5"),  # pyright: ignore
        (lambda: levels(tensor([3.0, 1.0, 2.0]), torch.arange(2), 2), "give \\(N,\\) of each"),
        (lambda: levels(tensor([3.0]), torch.tensor(0), 1), "give \\(N,\\) of each"),
        (lambda: score(model, batches, "margin", attack=CarliniWagner()), "leave out attack"),
        (lambda: score(model, batches, "size"), "order 'size' is unknown"),
        (lambda: score(model, [], "margin"), "nothing to score"),
        (
            lambda: score(model, batches * 2, "margin"),
            "id 0 occurs twice: .* without a sampler that repeats",
        ),
        (
            lambda: score(model, [(ids / 2, x, labels)], "margin"),
            "ids are whole numbers, and r",
        ),
        (lambda: score(model, [(ids, x, labels + 0.5)], "margin"), "labels are whole numbers"),
        (lambda: mean_rank(torch.zeros(0, 3), torch.arange(3)), r"give \(M, N\)"),
        (lambda: mean_rank(torch.zeros(3), torch.arange(3)), r"give \(M, N\)"),
        (lambda: score(model, batches, attack="fgsm"), "attack 'fgsm' is unknown"),
        (lambda: score(model, batches, attack=cast(Any, CarliniWagner)), "is the class Carlini"),
        (lambda: levels(tensor([1.0, 2.0, 3.0]), torch.tensor([7, 8, 7]), 2), "id 7 occurs tw"),
        (lambda: distance(model, x[:1, None]), "logits \\(N, Z\\) are needed"),
        (lambda: distance(model, x), rf"x \({len(x)}, .* is a batch of {len(x)} inputs: give one"),
        (lambda: distance(model, x[0, :5]), r"fails on one input of shape \(5,\) \(.*without"),
        (lambda: distance(model, x[0], y=4), "y is 4: the model's classes are 0 to 3"),
        (lambda: distance(model, x[0], y=-1), "y is -1"),
        (lambda: distance(model, x[0], y=1.5), "y is 1.5"),  # pyright: ignore[reportArgumentType]
    ]
    for act, says in cases:
        with pytest.raises(ArcalError, match=says):
            act()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"labels": 3}, {"labels": 5}),  # as many of each in all
        ({"ids": 3}, {"ids": 5}),
        ({"inputs": 3}, {"inputs": 5}),
        ({}, {"labels": (4, 2)}),
    ],
)
def test_rows_of_every_batch_belong_together_and_the_odd_one_is_named(first, second):
    def batch(start, ids=4, inputs=4, labels=4):
        return start + torch.arange(ids), torch.rand(inputs, 2), torch.zeros(labels).long()

    batches = [batch(0), batch(10, **first), batch(20, **second)]
    odd = 1 if first else 2
    for order in ("margin", "attack"):
        with pytest.raises(ArcalError, match=rf"^batch {odd}, counted from 0: .*: give"):
            score(nn.Identity(), batches, order)


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (lambda x: x @ torch.ones(3 if x.max() < 1 else 5, 2), RuntimeError),
        (lambda x: x[:, [0, 4 * int(x.max())]], IndexError),
        (lambda x: (1 - x).log(), ArcalError),
    ],
)
def test_the_batch_that_a_model_fails_on_is_in_a_note(model, kind):
    x, labels = torch.rand(4, 3) / 2, torch.zeros(4).long()
    batches = [(torch.arange(4), x, labels), (torch.arange(4, 8), torch.ones(4, 3), labels)]
    with pytest.raises(kind) as failure:
        score(model, batches, "margin")
    assert failure.value.__notes__ == ["in batch 1 of those to score, counted from 0, (4, 3)"]


def test_an_attack_that_returns_something_else_is_named():
    def mine(model, x, bounds):
        return x + 1

    x, labels = torch.rand(4, 3), torch.zeros(4).long()
    says = r"the attack .*mine.* returned a Tensor: return `arcal.attacks.Adversarial`"
    with pytest.raises(ArcalError, match=says):
        score(nn.Identity(), [(torch.arange(4), x, labels)], attack=mine)
    with pytest.raises(ArcalError, match=says):
        distance(nn.Identity(), x[0], attack=mine)


def test_a_dict_is_passed_as_keywords_as_in_an_audit():
    embedder = torch.nn.Linear(3, 2)
    x, labels = {"input": torch.rand(4, 3)}, torch.tensor([0, 1, 0, 1])
    found = score(embedder, [(torch.arange(4), x, labels)], bounds=None)
    weight, z = embedder.weight.detach(), embedder(x["input"]).detach()
    distance = (z[:, 0] - z[:, 1]).abs() / (weight[0] - weight[1]).norm()
    torch.testing.assert_close(found.robustness, distance, rtol=1e-3, atol=1e-6)
    wrapped = score(as_model(embedder), [(torch.arange(4), x, labels)], bounds=None)
    torch.testing.assert_close(wrapped.robustness, found.robustness, rtol=1e-3, atol=1e-6)


def test_token_ids_are_ranked_where_nothing_is_perturbed_and_refused_elsewhere():
    class Bag(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.drop = nn.Embedding(50, 8), nn.Dropout(0.5)

        def forward(self, input_ids, mask=None):
            mask = input_ids > 0 if mask is None else mask
            return (self.drop(self.words(input_ids)) * mask.unsqueeze(2)).sum(dim=1)

    bag, ids = Bag(), torch.arange(6)
    tokens = torch.randint(1, 50, (6, 7), generator=torch.Generator().manual_seed(0))
    x = {"input_ids": tokens, "mask": torch.ones_like(tokens)}
    with torch.no_grad():
        z = bag.eval()(**x)
    bag.train()
    top = z.topk(2, dim=1).values
    for inputs in (x, tokens):
        batches = [(ids[i], _rows_of(inputs, i), torch.zeros(3).long()) for i in ids.split(3)]
        model = as_model(bag) if isinstance(inputs, dict) else bag
        ranked = score(model, batches, order="margin")
        torch.testing.assert_close(ranked.robustness, top[:, 0] - top[:, 1])
        assert torch.equal(ranked.predicted, z.argmax(dim=1))
        by = score(model, batches, order="confidence").robustness
        assert torch.equal(by.argsort(), z.softmax(dim=1).amax(dim=1).argsort())
        assert bag.training
        for order in ("attack", "gradient"):
            with pytest.raises(ArcalError, match=r"orders? margin"):
                score(model, batches, order=order)


def _rows_of(x, i):
    return {name: part[i] for name, part in x.items()} if isinstance(x, dict) else x[i]
