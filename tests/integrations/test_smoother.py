"""What every integration ranks."""

import warnings

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from arcal import smooth_cross_entropy
from arcal.attacks import Adversarial
from arcal.data import WithIds
from arcal.integrations._smoother import Smoother

X, Y = torch.rand(40, 6), torch.arange(40) % 2


class Mirrored(Dataset):
    """Rows that are turned round half of the times, unless `always`."""

    def __init__(self, always: bool = False) -> None:
        self.always = always

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, i: int):
        same = self.always or torch.rand(()) < 0.5
        return (X[i] if same else X[i].flip(0)), Y[i]


@pytest.mark.parametrize("plain", [None, WithIds(Mirrored(always=True))])
def test_levels_of_augmented_inputs_are_warned_of(plain):
    smoother = Smoother(2, vanilla=1, levels=4, order="margin", plain=plain)
    parts = {
        "train": DataLoader(WithIds(Mirrored()), 8),
        "validation": DataLoader(WithIds(Mirrored(always=True)), 8),
    }
    model = nn.Linear(6, 2)
    before = torch.get_rng_state()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        smoother.rank(model, parts, tuple, (0.0, 1.0))
    told = [f"{one.message}" for one in said]
    assert ["give the same set as plain=" in line for line in told] == [True] * (plain is None)
    assert torch.equal(torch.get_rng_state(), before)


class Halfway:
    """Finds nothing, so that all ids are ranked alike."""

    def __call__(self, model, x, bounds):
        N = len(x)
        never, nothing = torch.zeros(N, dtype=torch.bool), torch.full_like(x, torch.nan)
        zero = torch.zeros(N, dtype=torch.long)
        return Adversarial(torch.full((N,), torch.inf), never, nothing, model(x).argmax(1), zero)


def test_an_attack_of_ones_own_ranks():
    smoother = Smoother(2, vanilla=1, levels=4, attack=Halfway(), rescore=2)
    parts = {name: DataLoader(WithIds(Mirrored(always=True)), 8) for name in ("train",)}
    smoother.rank(nn.Linear(6, 2), parts, tuple, (0.0, 1.0))
    assert smoother.loss.train_levels.levels.tolist() == sorted([0, 1, 2, 3] * 10)
    assert smoother.ranks_after(2)


def test_mixtures_keep_the_soft_label_of_each_of_their_ids():
    smoother = Smoother(2, vanilla=1, levels=2, alpha=0.1, added={"mixup": 0.5})
    ids = torch.arange(40)
    for part in ("train", "validation"):
        smoother.loss.assign(part, ids, ids % 2)
    smoother.loss.soft_label.copy_(torch.tensor([0.7, 0.9]))
    epsilon = smoother.loss.epsilon.float()
    assert len(epsilon.unique()) == 2
    model, x = nn.Linear(6, 2), torch.rand(40, 6)
    torch.manual_seed(3)
    loss = smoother.augmented_loss(model, ids, x, Y)
    torch.manual_seed(3)
    share = float(torch.distributions.Beta(0.5, 0.5).sample())
    j = torch.randperm(40)
    logits = model(share * x + (1 - share) * x[j])
    expected = share * smooth_cross_entropy(logits, Y, epsilon[ids % 2])
    expected = expected + (1 - share) * smooth_cross_entropy(logits, Y[j], epsilon[j % 2])
    torch.testing.assert_close(loss, expected)
