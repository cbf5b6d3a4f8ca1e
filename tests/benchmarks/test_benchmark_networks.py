"""The third party's network is the published one; others are trained once and come back."""

import pyarrow.parquet as pq
import pytest
import torch
from torch import nn

from arcal.attacks.folding import folded
from arcal.attacks.model import frozen
from arcal.attacks.pgd import PGD
from arcal.data import InMemory, load_part
from benchmarks import networks
from benchmarks.networks import ResNet20, resnet20


def test_resnet20_has_its_published_error(shared, tmp_path):
    """8.27 % on all 10,000 test images, so on the first 1,000 that within three deviations.

    All of them, a quarter of a minute on one core, give 827 errors exactly.
    """
    wrong, N = 0, 1000
    images = pq.read_table(shared / "data" / "cifar10-test.parquet").slice(0, N)
    pq.write_table(images, tmp_path / "test.parquet")
    test = load_part(str(tmp_path / "test.parquet"))
    assert isinstance(test, InMemory)
    assert len(test) == N
    model = resnet20(shared / "models/cifar10-resnet20.safetensors")
    with frozen(model), torch.no_grad():
        twin = folded(model, test.pixels[:8] / 255)
        for at in torch.arange(N).split(50):
            wrong += int((twin(test.pixels[at] / 255).argmax(1) != test.labels[at]).sum())
    assert wrong / N == pytest.approx(0.0827, abs=3 * (0.0827 * 0.9173 / N) ** 0.5)


def test_resnet20_has_a_twin_without_batch_norms():
    model, x = ResNet20().eval(), torch.rand(4, 3, 32, 32)
    assert sum(parameter.numel() for parameter in model.parameters()) == 269_722
    with frozen(model), torch.no_grad():
        twin = folded(model, x)
    assert isinstance(twin, nn.Module)
    assert twin is not model
    assert not any(isinstance(module, nn.BatchNorm2d) for module in twin.modules())


@pytest.fixture
def data():
    """Two classes that one colour tells apart."""
    images = torch.randint(0, 120, (96, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    labels = torch.arange(96) % 2
    images[:, 0] += 120 * labels.view(-1, 1, 1)
    return images.to(torch.uint8), labels


@pytest.mark.parametrize("make", [networks.VGG, networks.ViT])
def test_networks_learn_and_are_kept(make, data, tmp_path):
    images, labels = data
    times = 0

    def train(model):
        nonlocal times
        times += 1
        networks.fit(model, images, labels, epochs=8, rate=2e-3, batch=32)

    model = networks.kept(tmp_path / "net.safetensors", networks.seeded(make), train)
    again = networks.kept(tmp_path / "net.safetensors", networks.seeded(make), train)
    x = images.float() / 255
    assert times == 1, "the second time it is read"
    assert torch.equal(model(x), again(x))
    assert (model(x).argmax(1) == labels).double().mean() > 0.9


@pytest.mark.slow
def test_an_attack_is_trained_against(data):
    images, labels = data
    model, attack = networks.seeded(networks.VGG), PGD(radius=0.1, step=0.05, iterations=2)
    networks.fit(model, images, labels, epochs=8, rate=2e-3, attack=attack, batch=32)
    attacked = attack(model, images.float() / 255, labels)
    assert (model(attacked).argmax(1) == labels).double().mean() > 0.8
