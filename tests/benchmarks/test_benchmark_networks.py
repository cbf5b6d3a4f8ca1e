"""The third party's network is the one that was published."""

import pyarrow.parquet as pq
import pytest
import torch
from torch import nn

from arcal.attacks.folding import folded
from arcal.attacks.model import frozen
from arcal.data import InMemory, load_part
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
