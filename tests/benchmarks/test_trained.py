"""The networks that benchmarks train: once, and the same weights come back."""

import pytest
import torch

from arcal.attacks.pgd import PGD
from benchmarks import trained


@pytest.fixture
def data():
    """Two classes that one colour tells apart."""
    images = torch.randint(0, 120, (96, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    labels = torch.arange(96) % 2
    images[:, 0] += 120 * labels.view(-1, 1, 1)
    return images.to(torch.uint8), labels


@pytest.mark.parametrize("make", [trained.VGG, trained.ViT])
def test_networks_learn_and_are_kept(make, data, tmp_path):
    images, labels = data
    times = 0

    def train(model):
        nonlocal times
        times += 1
        trained.fit(model, images, labels, epochs=8, rate=2e-3, batch=32)

    model = trained.kept(tmp_path / "net.safetensors", trained.seeded(make), train)
    again = trained.kept(tmp_path / "net.safetensors", trained.seeded(make), train)
    x = images.float() / 255
    assert times == 1, "the second time it is read"
    assert torch.equal(model(x), again(x))
    assert (model(x).argmax(1) == labels).double().mean() > 0.9


@pytest.mark.slow
def test_an_attack_is_trained_against(data):
    images, labels = data
    model, attack = trained.seeded(trained.VGG), PGD(radius=0.1, step=0.05, iterations=2)
    trained.fit(model, images, labels, epochs=8, rate=2e-3, attack=attack, batch=32)
    attacked = attack(model, images.float() / 255, labels)
    assert (model(attacked).argmax(1) == labels).double().mean() > 0.8
