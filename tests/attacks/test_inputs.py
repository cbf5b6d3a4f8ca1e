"""What belongs to a row follows it: each row gets what it gets alone, and padding stays."""

from collections import UserDict
from dataclasses import replace
from typing import Any

import pytest
import torch
from closed_forms import linear
from masked import masked, masked_inputs

from arcal.attacks import ATTACKS, BoundaryProjection, CarliniWagner, Inputs, bound, rows
from arcal.attacks.pgd import PGD
from arcal.errors import ArcalError
from arcal.orders import ORDERS
from arcal.robustness import score

pytestmark = pytest.mark.processor

QUICKER = {"iterations": 80, "learning_rate": 0.02}
EVERY = {
    name: replace(attack, **QUICKER) if isinstance(attack, CarliniWagner) else attack
    for name, attack in ATTACKS.items()
} | {"pgd": PGD(0.1, 0.03)}


@pytest.fixture
def network():
    net = masked()
    return lambda parts: net(**parts)


@pytest.fixture
def inputs():
    return masked_inputs()


def attacked(attack, model, inputs, i: Any = slice(None)):
    """The perturbed embeddings of these rows by an attack of any kind."""
    parts = {name: part[i] for name, part in inputs.items()}
    if isinstance(attack, PGD):
        return attack(model, parts, torch.zeros(len(parts["mask"])).long(), None)
    found = attack(model, parts, None)
    return torch.where(found.success[:, None, None], found.x, torch.inf)


@pytest.mark.parametrize("name", EVERY)
def test_each_row_is_attacked_as_if_it_were_alone(name, network, inputs):
    attack, x = EVERY[name], inputs["embeddings"]
    together = attacked(attack, network, inputs)
    assert together.flatten(1).isfinite().all(dim=1).sum() >= 4, "and most are found"
    padding = (inputs["mask"][:, :, None].expand_as(x) == 0) & together.isfinite()
    assert torch.equal(together[padding], x[padding]), "what is masked has no gradient"
    alone = torch.cat([attacked(attack, network, inputs, [i]) for i in range(len(x))])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)  # in float64
    order = [3, 0, 4, 1, 2]
    shuffled = attacked(attack, network, inputs, order)
    torch.testing.assert_close(shuffled, together[order], rtol=1e-4, atol=1e-4)


def test_another_rows_mask_gives_another_distance(network, inputs):
    """What the test above would see if masks did not follow."""
    attack = BoundaryProjection(16)
    right = attack(network, inputs, None).distance
    others = attack(network, inputs | {"mask": inputs["mask"].roll(1, 0)}, None).distance
    assert ((others / right).log().abs() > 0.05).sum() >= 3


@pytest.mark.parametrize("order", ORDERS)
def test_each_row_is_scored_as_if_it_were_alone(order, network, inputs):
    ids, labels = torch.arange(5), torch.zeros(5).long()

    def scores(cut):
        batches = [
            (ids[i], {name: part[i] for name, part in inputs.items()}, labels[i])
            for i in ids.split(cut)
        ]
        return score(network, batches, order, bounds=None)

    together, alone = scores(5), scores(1)
    torch.testing.assert_close(together.robustness, alone.robustness, rtol=1e-3, atol=1e-6)
    assert torch.equal(together.predicted, alone.predicted)


def test_a_tensor_and_a_tuple_of_it_are_attacked_alike():
    net, x = linear(4, 6), torch.rand(7, 6)
    plain = BoundaryProjection(16)(net, x)
    as_tuple = BoundaryProjection(16)(lambda parts: net(parts[0]), (x, torch.arange(7)))
    assert torch.equal(plain.x, as_tuple.x)
    assert torch.equal(plain.passes, as_tuple.passes)
    assert rows(net, torch.arange(3)) is net


def test_an_attack_that_forgets_the_other_tensors_is_told(network, inputs):
    def careless(model, x, bounds):
        return model(x[:2])

    batch = (torch.arange(5), inputs, torch.zeros(5).long())
    with pytest.raises(ArcalError, match=r"of 5 inputs and is called with 2.*rows\(model, index\)"):
        score(network, [batch], attack=careless, bounds=None)  # pyright: ignore[reportArgumentType]


def test_inputs_of_any_kind():
    x, mask = torch.rand(3, 4), torch.ones(3, 4).long()
    for parts in ({"x": x, "mask": mask}, UserDict(x=x, mask=mask), (x, mask), [x, mask]):
        inputs = Inputs(parts)  # pyright: ignore[reportArgumentType]
        assert inputs.perturbed in ("x", 0)
        assert torch.equal(inputs.rows(torch.tensor([2])).x, x[2:])
        assert torch.equal(next(iter(Inputs(inputs.replaced(1 - x)).named.values())), 1 - x)
    two = Inputs((x, 2 * x), perturbed=1)
    model, perturbed = bound(lambda parts: parts[0] + parts[1], two)
    assert torch.equal(perturbed, 2 * x)
    assert torch.equal(model(-x), 0 * x)
    assert len(Inputs({"tokens": mask})) == 3, "nothing to perturb, and yet rows"


@pytest.mark.parametrize(
    ("parts", "perturbed", "says"),
    [
        ({}, None, "no tensor"),
        ({"x": torch.rand(2, 3), "names": ["a", "b"]}, None, "'names' is a list"),
        (
            {"x": torch.rand(2, 3), "mask": torch.ones(1, 3)},
            None,
            "'x' has 2 rows and 'mask' has 1",
        ),
        ((torch.rand(2, 3), torch.tensor(1.0)), None, "0 has 2 rows and 1 has 0"),
        ((torch.rand(2, 3), torch.rand(2, 3)), None, "which input is to be perturbed"),
        ((torch.ones(2, 3).long(),), None, "nothing can be perturbed among 0 torch.int64"),
        ((torch.rand(2, 3),), 1, r"perturbed is 1: choose .*\[0\]"),
    ],
)
def test_bad_inputs_are_one_line(parts, perturbed, says):
    with pytest.raises(ArcalError, match=says) as caught:
        bound(lambda parts: parts[0], Inputs(parts, perturbed))
    assert "\n" not in str(caught.value)
