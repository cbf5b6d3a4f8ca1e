"""What every network promises, whatever its architecture."""

import pickle
from typing import Any

import pytest
import torch
from torch import fx, nn
from torch.nn import functional as F

from arcal.attacks.folding import folded
from arcal.attacks.model import frozen
from arcal.calibration import average
from arcal.errors import ArcalError
from arcal.networks import (
    NETWORKS,
    Ensemble,
    ResNet101,
    WideResNet,
    build,
)

SMALL, COLOUR = (1, 28, 28), (3, 32, 32)


def make(name, shape=COLOUR, classes=10, seed=0) -> Any:
    """A network by name; large ones narrower and shallower, which is the same code and quick."""
    generator = torch.Generator().manual_seed(seed)
    if name == "wrn-28-10":
        return WideResNet(classes=classes, shape=shape, generator=generator, width=2)
    if name == "resnet101":
        thin: Any = {"blocks": (1, 1, 1, 1), "width": 8}
        return ResNet101(classes=classes, shape=shape, generator=generator, **thin)
    return build(name, classes=classes, shape=shape, generator=generator)


def images(shape, count=4, seed=2):
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(seed))


every = pytest.mark.parametrize("name", NETWORKS)


@every
@pytest.mark.parametrize("shape", [SMALL, COLOUR])
def test_logits_have_a_column_a_class(name, shape):
    logits = make(name, shape, classes=7)(images(shape))
    assert logits.shape == (4, 7)
    assert logits.isfinite().all()


@every
def test_images_in_a_batch_do_not_touch_each_other_in_eval_mode(name, shake):
    network = shake(make(name)).eval()
    x = images(COLOUR)
    torch.testing.assert_close(network(x)[1:2], network(x[1:2]), rtol=1e-4, atol=1e-4)


def test_an_ensemble_in_float64_stays_in_it():
    members = [make("small").eval().double(), make("small").eval().double()]
    x = images(COLOUR).double()
    with torch.no_grad():
        logits = torch.stack([member(x) for member in members])
        torch.testing.assert_close(Ensemble(members)(x), average(logits))  # the dtype as well


def test_an_ensemble_is_of_networks_of_the_same_classes():
    with pytest.raises(ArcalError, match="needs at least one network"):
        Ensemble([])
    unlike = Ensemble([make("small", classes=3).eval(), make("small", classes=2).eval()])
    with pytest.raises(ArcalError, match="an ensemble have 2 and 3 classes: give networks of the"):
        unlike(images(COLOUR))
    assert make("fast", (3, 8, 8), classes=3).eval()(images((3, 8, 8))).shape == (4, 3)


@every
def test_weights_come_from_the_generator_alone(name):
    torch.manual_seed(10)
    before = torch.get_rng_state()
    first = make(name, seed=3).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(11)
    second, other = make(name, seed=3).state_dict(), make(name, seed=4).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    different = [key for key in first if not torch.equal(first[key], other[key])]
    assert len(different) == sum(isinstance(m, nn.Conv2d | nn.Linear) for m in make(name).modules())


@every
def test_initialisation_is_a_cut_normal(name):
    """Deviation sqrt(gain / fan_in) after the cut, nothing beyond two deviations before it."""
    gain = 1 / 3 if name in ("small", "medium") else 2  # 2 is Keras' he_normal
    kinds = nn.Conv2d if name == "resnet101" else nn.Conv2d | nn.Linear  # its own test has the rest
    layers: list[Any] = [m for m in make(name).modules() if isinstance(m, kinds)]
    scaled = torch.cat([(m.weight * (m.weight[0].numel() / gain) ** 0.5).flatten() for m in layers])
    assert scaled.std().item() == pytest.approx(1, rel=0.01)
    assert scaled.mean().item() == pytest.approx(0, abs=0.01)
    assert scaled.abs().max().item() == pytest.approx(2 / 0.87962566, rel=1e-3)
    # A normal distribution cut at +-2 has kurtosis 2.3654 (an uncut one 3, a uniform one 1.8).
    assert (scaled**4).mean().item() == pytest.approx(2.3654, rel=0.03)
    assert all(not m.bias.any() for m in layers if m.bias is not None)


@every
def test_channels_last_computes_the_same(name, shake):
    network = shake(make(name)).double().eval()
    x = images(COLOUR).double().requires_grad_()
    expected = network(x)
    (gradient,) = torch.autograd.grad(expected.square().sum(), x)
    last = network.to(memory_format=torch.channels_last)
    y = x.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
    logits = last(y)
    torch.testing.assert_close(logits, expected)
    torch.testing.assert_close(torch.autograd.grad(logits.square().sum(), y)[0], gradient)


@every
def test_copies_and_traces(name, shake):
    network = shake(make(name)).eval()
    x = images(COLOUR)
    expected = network(x)
    copied = pickle.loads(pickle.dumps(network))
    for other in (copied, fx.symbolic_trace(network)):
        torch.testing.assert_close(other(x), expected)


@every
def test_batch_norm_after_a_convolution_folds_away(name, shake):
    """What an attack does to go faster."""
    network, x = shake(make(name)), images(COLOUR)
    with frozen(network):
        twin: Any = folded(network, x)
        torch.testing.assert_close(twin(x), network(x), rtol=1e-4, atol=1e-4)
    left = [sum(isinstance(m, nn.BatchNorm2d) for m in n.modules()) for n in (network, twin)]
    assert left[1] <= left[0] / 2 + 1


@pytest.mark.parametrize(
    ("name", "classes", "shape", "message"),
    [
        (
            "vgg",
            10,
            COLOUR,
            "'vgg' is unknown: choose one of small, medium, fast, resnet29, wrn-28-10, resnet101",
        ),
        ("small", 1, COLOUR, "classes is 1"),
        ("small", 10, (32, 32), "image shape"),
        ("small", 10, (0, 32, 32), "image shape"),
        ("fast", 10, (3, 9, 7), "images of 9 x 7 are too small for the network fast: enlarge them"),
    ],
)
def test_bad_requests_are_refused_in_one_line(name, classes, shape, message):
    with pytest.raises(ArcalError, match=message) as caught:
        build(name, classes=classes, shape=shape, generator=torch.Generator())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "shape", "count"),
    [
        ("small", SMALL, 78_186),
        ("small", COLOUR, 78_186 + 2 * 9 * 32),
        ("medium", COLOUR, 309_290),
        ("fast", COLOUR, 1_083_370),
    ],
)
def test_parameters_are_as_many_as_the_layers_described_have(name, shape, count):
    assert sum(p.numel() for p in make(name, shape).parameters()) == count


@torch.no_grad()
def test_fast_computes_what_its_description_says(shake):
    network = shake(make("fast")).double().eval()
    x = images(COLOUR).double()
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    convolutions = iter([m.weight for m in layers if isinstance(m, nn.Conv2d)])
    norms = iter([m for m in layers if isinstance(m, nn.BatchNorm2d)])

    def activate(z):
        n = next(norms)
        return F.gelu(F.batch_norm(z, n.running_mean, n.running_var, n.weight, n.bias))

    z = (x - 0.5) / 0.25
    for _ in range(3):
        z = activate(F.conv2d(z, next(convolutions), padding=1))
        z = activate(F.max_pool2d(F.conv2d(z, next(convolutions), padding=1), 2))
    dense = network.classifier
    expected = F.linear(z.flatten(2).amax(2), dense.weight, dense.bias)
    assert expected.std(0).min() > 1e-3
    torch.testing.assert_close(network(x), expected)


@pytest.mark.parametrize("uint8", [True, False])
def test_the_mean_of_a_pixel_from_data(uint8):
    pixels = torch.randint(0, 256, (50, *COLOUR), generator=torch.Generator().manual_seed(0))
    data = pixels.to(torch.uint8) if uint8 else pixels / 255
    network = make("resnet29")
    network.normalize.set_mean(data)
    torch.testing.assert_close(network.normalize.mean, pixels.float().mean(0) / 255)
    assert network.normalize(pixels / 255).mean(0).abs().max() < 1e-6


def test_the_mean_of_a_channel_from_data():
    network = make("small")
    data = images(COLOUR) ** torch.tensor([1.0, 2.0, 3.0])[:, None, None]
    network.normalize.set_mean(data)
    assert network.normalize.mean.shape == (3, 1, 1)
    torch.testing.assert_close(network.normalize.mean.flatten(), data.mean((0, 2, 3)))
