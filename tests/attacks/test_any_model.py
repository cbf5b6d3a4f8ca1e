"""Anything that gives logits becomes a model: what comes out is held against the network inside."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.export import Dim, export

from arcal.attacks import BoundaryProjection, Inputs
from arcal.attacks.folding import folded
from arcal.attacks.model import frozen
from arcal.auditing import as_model, check_model
from arcal.errors import ArcalError
from arcal.robustness import score


class ModelOutput(OrderedDict):
    """As in transformers: what is not None, by key and by attribute."""

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(name) from error


@dataclass
class Output:
    logits: torch.Tensor


Auxiliary = namedtuple("Auxiliary", ["aux_logits", "logits"])
LOSS = torch.tensor(0.3)

FORMS = {
    "tensor": lambda z: z,
    "model output": lambda z: ModelOutput(loss=LOSS, logits=z, hidden_states=(2 * z,)),
    "dataclass": Output,
    "namedtuple": lambda z: Auxiliary(2 * z, z),
    "dict": lambda z: {"features": 2 * z, "logits": z},
    "dict of one": lambda z: {"out": z},
    "tuple": lambda z: (z, 2 * z),
    "loss first": lambda z: (LOSS, z),
    "list": lambda z: [z],
    "losses first": lambda z: (z.sum(dim=1), z),
    "hidden states first": lambda z: (z[:, None, :], z),
    "chosen classes first": lambda z: (z.argmax(dim=1, keepdim=True), z),
    "features first": lambda z: (z.repeat(1, 4), z),
}


class Returning(nn.Module):
    def __init__(self, net, form):
        super().__init__()
        self.net, self.form = net, form

    def forward(self, x):
        return self.form(self.net(x))


@pytest.fixture
def net():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)
        ).eval()


@pytest.fixture
def x():
    return torch.rand(7, 1, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_output_of_a_module_and_of_a_callable(form, net, x):
    expected = net(x)
    for classifier in (Returning(net, FORMS[form]), lambda x: FORMS[form](net(x))):
        model = as_model(classifier, classes=3)
        assert torch.equal(model(x), expected)
        found = BoundaryProjection(budget=6)(model, x)
        assert torch.equal(found.predicted, expected.argmax(dim=1))
        assert found.success.all()


def test_an_array_can_be_ranked_by_its_margin_but_not_attacked(net, x):
    model = as_model(lambda x: net(x).detach().numpy())
    batch = [(torch.arange(7), x, torch.zeros(7).long())]
    top = net(x).detach().topk(2, dim=1).values
    torch.testing.assert_close(score(model, batch, "margin").robustness, top[:, 0] - top[:, 1])
    with pytest.raises(ArcalError, match="no gradient"):
        score(model, batch)


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_one_logit_is_two_whose_softmax_is_the_sigmoid(shape):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = nn.Linear(5, 1).double()
    x = 20 * torch.randn(50, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    model = as_model(lambda x: layer(x).reshape(shape), classes=2)
    z = layer(x).squeeze(1)
    p = model(x).softmax(dim=1)
    torch.testing.assert_close(p[:, 1], z.sigmoid(), rtol=1e-12, atol=0)
    torch.testing.assert_close(p[:, 0], (-z).sigmoid(), rtol=1e-12, atol=0)
    labels = (z > 0).long().roll(1)
    expected = F.binary_cross_entropy_with_logits(z, labels.double())
    torch.testing.assert_close(F.cross_entropy(model(x), labels), expected)
    distance = BoundaryProjection()(model, x, None).distance.double()
    torch.testing.assert_close(distance, z.abs() / layer.weight.norm(), rtol=1e-3, atol=1e-6)


def test_a_module_stays_one_is_folded_and_its_distances_are_the_same_bits(net, x):
    model: Any = as_model(net.train())
    assert model.training
    with frozen(model):
        twin: Any = folded(model, x)
        assert not any(isinstance(m, nn.BatchNorm2d) for m in twin.modules())
    assert torch.equal(BoundaryProjection()(model, x).x, BoundaryProjection()(net, x).x)
    assert net.training, "left as it was found"
    model.eval()
    assert not net.training
    assert list(model.parameters()) == list(net.parameters())


class Viewing(nn.Module):
    """As many tutorials have it: what is channels last in memory cannot be viewed as rows."""

    def __init__(self):
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.last = nn.Linear(144, 3)

    def forward(self, x):
        x = self.norm(self.convolution(x)).relu()
        return self.last(x.view(x.size(0), -1))


@pytest.mark.parametrize("form", [lambda net: net, lambda net: net.forward])
def test_a_network_that_views_its_activations_as_rows_takes_images_channels_last(form):
    net = Viewing().eval()
    x = torch.rand(9, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    images = x.contiguous(memory_format=torch.channels_last)
    model: Any = as_model(form(net))
    check_model(model, images)
    torch.testing.assert_close(model(images), net(x))
    if isinstance(model, nn.Module):
        with frozen(model):
            assert not any(isinstance(m, nn.BatchNorm2d) for m in folded(model, images).modules())  # pyright: ignore


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.eye(4)[:, :3] * 5)

    def forward(self, x, mask):
        return (x * mask) @ self.weight


def test_a_dict_is_keywords_and_a_tuple_arguments():
    x, mask = torch.rand(6, 4), torch.tensor([1.0, 1, 0, 1]).repeat(6, 1).long()
    expected = Two()(x, mask)
    for parts in ({"mask": mask, "x": x}, (x, mask), [x, mask], Inputs({"x": x, "mask": mask})):
        for classifier in (Two(), lambda x, mask: Two()(x, mask)):
            assert torch.equal(as_model(classifier)(parts), expected)
            found = BoundaryProjection(budget=8)(as_model(classifier), parts)
            assert torch.equal(found.x[:, 2], x[:, 2]), "what is masked is not perturbed"


# torch.export

EXPORTED = {
    "any": (Dim("batch"), [1, 12]),
    "five": (None, [1, 3, 12]),
    "three to five": (Dim("batch", min=3, max=5), [1, 4, 11]),
}


@pytest.mark.parametrize("sizes", EXPORTED)
def test_an_exported_program_takes_any_number_of_inputs(sizes, net):
    batch, numbers = EXPORTED[sizes]
    shapes = None if batch is None else ({0: batch},)
    N = 5
    program = export(net, (torch.rand(N, 1, 8, 8),), dynamic_shapes=shapes)
    model = as_model(program, classes=3)
    for N in numbers:
        x = torch.rand(N, 1, 8, 8, requires_grad=True)
        (gradient,) = torch.autograd.grad(model(x).square().sum(), x)
        (expected,) = torch.autograd.grad(net(x).square().sum(), x)
        torch.testing.assert_close(model(x), net(x), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-5)


def test_an_exported_program_of_a_fixed_size_is_attacked_like_its_network(net, x):
    model = as_model(export(net, (x[:4],)))
    found, expected = BoundaryProjection()(model, x), BoundaryProjection()(net, x)
    torch.testing.assert_close(found.distance, expected.distance, rtol=1e-3, atol=0)


# One line


@pytest.mark.parametrize(
    ("output", "says"),
    [
        (lambda z: z.argmax(dim=1), "int64, such as classes"),
        (lambda z: z[:, :, None], r"shape \(7, 3, 1\)"),
        (lambda z: z.sum(), r"shape \(\)"),
        (lambda z: {"a": z, "b": z}, "dict of 'a', 'b'"),
        (lambda z: "yes", "returns str"),
        (lambda z: None, "NoneType"),
        (lambda z: (LOSS,), "returns tuple"),
        (lambda z: (z.repeat(1, 4), z[:, :2]), r"tuple of \(7, 12\) and \(7, 2\), and any of"),
        (lambda z: z[:, :2], "of 2 classes, and the data has 3"),
        (lambda z: z[:, 0], "one number for each input, .* and the data has 3"),
    ],
)
def test_what_holds_no_logits_is_one_line(output, says, net, x):
    with pytest.raises(ArcalError, match=says) as caught:
        as_model(Returning(net, output), classes=3)(x)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("classifier", "says"),
    [
        ("resnet20.pt", "^.resnet20.pt. is only a name: give the module, such as .arcal.class"),
        (torch.rand(5, 3), "Tensor.*as_predictions"),
        (nn.Linear, "type is no"),
    ],
)
def test_what_is_no_classifier_is_one_line(classifier, says):
    with pytest.raises(ArcalError, match=says):
        as_model(classifier)
    with pytest.raises(ArcalError, match="classes is 1"):
        as_model(nn.Linear(3, 2), classes=1)


@pytest.mark.parametrize("problem", ["multi_label_classification", "regression"])
def test_what_chooses_no_single_class_is_refused(problem):
    """Sigmoids of several labels were audited as a softmax, without a word."""
    model = nn.Linear(3, 2)
    model.config = SimpleNamespace(problem_type=problem)  # pyright: ignore
    with pytest.raises(ArcalError, match=f"config says problem_type='{problem}', and only") as said:
        as_model(model)
    assert ("as_predictions" in str(said.value)) == (problem != "regression")
    model.config.problem_type = "single_label_classification"  # pyright: ignore
    assert as_model(model)(torch.rand(4, 3)).shape == (4, 2)
