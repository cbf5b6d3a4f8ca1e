"""Another default device of torch's, on which nothing of arcal's is drawn or left."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from arcal.attacks import BoundaryProjection, CarliniWagner
from arcal.attacks.pgd import PGD
from arcal.methods import method_named
from arcal.robustness import ORDERS, score
from arcal.transforms.augmix import augmix

X = torch.rand(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
IDS, LABELS = torch.arange(4), torch.tensor([0, 1, 2, 0])
NETWORK = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
STARTS = ("gaussian", "uniform-norm", "zero")


def scored(order: str, attack: Any = None) -> Callable[[], torch.Tensor]:
    return lambda: score(NETWORK, [(IDS, X, LABELS)], order, attack=attack).robustness


def loss_of(name: str, **added: float) -> Callable[[], torch.Tensor]:
    def loss() -> torch.Tensor:
        losses = method_named(name, 3, added).losses(NETWORK, IDS, X, LABELS)
        return torch.stack([(one.backward(), one.detach())[1] for one in losses])

    return loss


CASES = {order: scored(order) for order in ORDERS}
CASES |= {
    "linf": scored("attack", BoundaryProjection(norm="linf")),
    "carlini-wagner": scored("attack", CarliniWagner(search_steps=1, iterations=5)),
    "pgd": lambda: PGD(0.1, 0.1, 2, start=STARTS)(NETWORK, X, LABELS),
    "images of augmix": lambda: augmix(X),
    "label smoothing": loss_of("label-smoothing"),
    "ccat": loss_of("ccat"),
    "augmix": loss_of("vanilla", augmix=1.0),
    "mixup": loss_of("vanilla", mixup=0.2),
    "regmixup": loss_of("focal", regmixup=2.0),
    "noise": loss_of("vanilla", noise=0.1),
    "perturbed": loss_of("vanilla", perturbed=0.1),
}


@pytest.mark.parametrize("case", CASES)
def test_results_are_those_of_the_processor(case):
    """A meta tensor holds nothing, so that whatever is made on that device fails."""
    results = []
    for device in ("cpu", "meta"):
        with torch.random.fork_rng(), torch.device(device):
            torch.manual_seed(0)
            results.append(CASES[case]())
    assert torch.equal(*results)
