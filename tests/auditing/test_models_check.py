"""What is told about a model before anything is computed with it."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

from arcal.attacks import Inputs
from arcal.auditing import as_model, check_model
from arcal.errors import ArcalError


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def network(*between: nn.Module, Z=4) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(5, 8), *between, nn.Linear(8, Z)).eval()


def attends(x, mask):
    """Each row's mean over the positions `(N, T, 5)` that its mask has, by a network."""
    mask = mask.to(x).unsqueeze(-1)
    return network()((x * mask).sum(dim=1) / mask.sum(dim=1))


X = torch.randn(8, 5, generator=generator(1))
WORDS = torch.randn(8, 3, 5, generator=generator(2))
MASK = (torch.arange(3) <= torch.arange(8)[:, None] % 3).long()


def says(what, model, x: Any = X, **more):
    """Check that it is refused in one line."""
    with pytest.raises(ArcalError, match=what) as caught:
        check_model(model, x, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# What passes


@pytest.mark.parametrize(
    ("model", "x"),
    [
        (network(nn.BatchNorm1d(8), nn.Dropout(0.5)), X),
        (network(nn.ReLU(inplace=True)).train(), X),
        (network(nn.BatchNorm1d(8)).double(), X.double()),
        (network().bfloat16(), X.bfloat16()),
        (lambda x: 1000 + network()(x), X),
        (lambda x: 0 * network()(x), X),
        (as_model(network(Z=1)), X),
        (as_model(lambda x: network(Z=1)(x) - network(Z=1)(X[:1])), X),  # a tie in row 0
        (as_model(attends), {"x": WORDS, "mask": MASK}),
        (as_model(attends), Inputs((WORDS, MASK.float()), perturbed=0)),
        (as_model(nn.EmbeddingBag(9, 3)), torch.randint(9, (8, 4), generator=generator())),
    ],
)
def test_a_model_without_fault(model, x):
    check_model(model, x, torch.arange(8) % 2)
    if isinstance(x, torch.Tensor):
        check_model(model, x[:1])
        check_model(model, x[:2])


# What the module says of itself


@pytest.mark.parametrize(
    "layer", [nn.BatchNorm1d(8), nn.Dropout(0.1), nn.InstanceNorm1d(8, track_running_stats=True)]
)
def test_training_mode(layer):
    name = type(layer).__name__
    says(f"training mode, which matters to its {name} '1'", network(layer).train())
    says(f"training mode, which matters to its {name} '1'", as_model(network(layer).train()))
    check_model(network(nn.Dropout(0.0), nn.Sigmoid()).train(), X)


@pytest.mark.parametrize(
    ("model", "x", "what"),
    [
        (network(), X.double(), "inputs are torch.float64 and the model's weights torch.float32"),
        (network().double(), X, "inputs are torch.float32 and the model's weights torch.float64"),
        (network().half(), X, "inputs are torch.float32 and the model's weights torch.float16"),
        (network(), X.byte(), "are torch.uint8 and .* torch.float32: .* divide pixels of 0 to 255"),
        (lambda x: network()(x), X.double(), r"fails on inputs torch.float64 \(8, 5\): "),
        (lambda x: network()(x.float()), X.double(), "returns torch.float32 for torch.float64"),
        (lambda x: network()(x).bfloat16(), X, "returns torch.bfloat16 for torch.float32"),
        (network(), X[:, :4], r"fails on inputs torch.float32 \(8, 4\): .*shapes"),
    ],
)
def test_a_dtype_or_shape_that_does_not_fit(model, x, what):
    says(what, model, x)
    says(what, as_model(model), x)


# What it returns


def with_nan(x):
    return network()(x).masked_fill(torch.arange(8)[:, None] == 3, torch.nan)


@pytest.mark.parametrize(
    ("model", "what"),
    [
        (with_nan, "not finite"),
        (lambda x: network()(x).softmax(dim=1), "returns probabilities"),
        (as_model(network(nn.Linear(8, 8), Z=1).append(nn.Sigmoid())), "as a sigmoid's does"),
        (as_model(lambda x: network(Z=1)(x).sigmoid().squeeze(1)), "as a sigmoid's does"),
        (network(Z=1), "at least 2 classes"),
        (lambda x: network()(x)[0], r"shape \(4,\) for 8 inputs"),
        (lambda x: network()(x)[:4], r"shape \(4, 4\) for 8 inputs"),
        (lambda x: network()(x).unsqueeze(2), r"shape \(8, 4, 1\)"),
        (lambda x: (network()(x),), "returns tuple.*as_model"),
        (as_model(lambda x: network()(x).argmax(dim=1)), "classes it has chosen"),
    ],
)
def test_outputs_that_are_no_logits(model, what):
    says(what, model)


# What it does with its inputs


def test_bad_inputs():
    says(
        "'x' holds NaN or infinity in row 2",
        network(),
        X.where(torch.arange(8)[:, None] != 2, torch.inf),
    )
    says(r"'x' is \(0, 5\)", network(), X[:0])
    nan = {"x": WORDS.where(MASK.unsqueeze(2) == 1, torch.nan), "mask": MASK}
    says("'x' holds NaN or infinity in row 0", as_model(attends), nan)


def test_inputs_that_are_written_into():
    says("writes into its input 'x'", network().insert(0, nn.ReLU(inplace=True)))

    def fills(x, mask):
        return attends(x, mask.fill_(1))

    says("writes into its input 'mask'", as_model(fills), {"x": WORDS, "mask": MASK.clone()})


# Stochastic, or dependent on the batch


def test_a_stochastic_callable():
    training = network(nn.Dropout(0.5)).train()
    line = says("stochastic: two calls .* differ by", lambda x: training(x))
    assert "rounding" in line
    says("stochastic", lambda x: network()(x) + 0.1 * torch.rand(8, 4))


def centred(x):
    return network()(x - x.mean(dim=0))


def numbered(x):
    return network()(x) * (1 + torch.arange(len(x))[:, None])


@pytest.mark.parametrize(
    "model",
    [
        centred,
        numbered,
        lambda x: network(nn.BatchNorm1d(8)).train()(x),
        lambda x: network(nn.BatchNorm1d(8, track_running_stats=False))(x),
    ],
)
def test_a_callable_that_depends_on_the_batch(model):
    says("a row's logits depend on the others of its batch|fails on 1 of them", model)


@pytest.mark.parametrize("Z", [1, 4])
def test_a_model_that_squeezes_one_input_alone_is_told_so(Z):
    says(
        r"drops the dimension of the batch, as `.squeeze\(\)`",
        as_model(lambda x: network(Z=Z)(x).squeeze()),
    )


def test_a_model_of_one_batch_size_is_refused():
    def fixed(x):
        assert len(x) == 8, "eight rows, please"
        return network()(x)

    says("takes 8 inputs and fails on 1 of them .eight rows, please", fixed)


@pytest.mark.parametrize(("size", "refused"), [(1e-5, False), (1e-4, False), (2e-3, True)])
def test_what_counts_as_rounding(size, refused):
    widest = max(float(z.max() - z.min()) for z in network()(X).detach())

    def uneven(x):  # as another kernel would be for an odd number of rows
        z = network()(x)
        return z + (size * widest * torch.eye(4)[0] if len(x) % 2 else 0)

    if refused:
        assert "run alone they differ by" in says("depend on the others", uneven)
    else:
        check_model(uneven, X)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_real_network_passes_at_any_batch_size_and_precision(dtype):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers: list[nn.Module] = [nn.Conv2d(3, 32, 3, padding=1)]
        for _ in range(12):
            layers += [nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU()]
        model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))
        model(torch.rand(32, 3, 16, 16))
    x = torch.rand(16, 3, 16, 16, generator=generator()).to(dtype)
    check_model(model.to(dtype).eval(), x, classes=10)
    if dtype != torch.bfloat16:  # whose rounding is as large
        training = copy.deepcopy(model).train()
        says("depend on the others", lambda x: training(x), x)
