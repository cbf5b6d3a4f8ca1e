"""On a device without float64, as Apple's: everything that runs there, on one that is pretended."""

import pytest
import torch
from torch import nn

from arcal.attacks import BoundaryProjection, CarliniWagner
from arcal.networks import build
from arcal.orders import ORDERS
from arcal.robustness import score
from arcal.smoothing import AdaptiveLabelSmoothing
from arcal.training.draws import draw
from pretended_device import DEVICE, Pretended

pytestmark = pytest.mark.processor

IMAGES = torch.rand(12, 1, 28, 28, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return build("small", classes=10, shape=(1, 28, 28), generator=draw(0, "init")).eval()


def there(network, *tensors) -> Pretended:
    on_it = [*network.parameters(), *network.buffers(), *tensors]
    return Pretended(on_it, float64=False)


def test_classes_are_weighed_by_a_list():
    logits, labels = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    loss = AdaptiveLabelSmoothing(3, weight=[1.0, 2.0, 0.5])
    expected = nn.functional.cross_entropy(logits, labels, torch.tensor([1.0, 2.0, 0.5]))
    with Pretended([logits, labels], float64=False):
        mine = loss(logits, labels)
    assert mine.dtype == torch.float32
    torch.testing.assert_close(mine, expected)


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_scores(order, network):
    x, ids, labels = IMAGES.clone(), torch.arange(12), torch.zeros(12, dtype=torch.int64)
    expected = score(network, [(ids, IMAGES, labels)], order)
    with there(network, x):
        scored = score(network, [(ids, x, labels)], order)
    # Here the model is run with its batch norms folded, there as it is.
    torch.testing.assert_close(scored.robustness, expected.robustness, rtol=0.02, atol=1e-5)


@pytest.mark.parametrize(
    "attack",
    [
        BoundaryProjection(),
        BoundaryProjection(norm="linf"),
        CarliniWagner(iterations=20),
    ],
    ids=["l2", "linf", "carlini-wagner"],
)
def test_every_attack_runs(attack, network):
    x = IMAGES.clone()
    with there(network, x):
        found = attack(network, x)
        assert found.x.device == DEVICE
