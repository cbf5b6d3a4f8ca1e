"""A small problem of three classes, whose classifier soon is over-confident."""

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

from arcal import AdaptiveLabelSmoothing, confidence_and_correct

CLASSES, LEVELS, TRAIN, VALIDATION = 3, 3, 96, 33
"""33 validation examples: of two processes one is padded."""


def tensors(N: int, seed: int) -> tuple[Tensor, Tensor]:
    """Inputs `(N, 4)` in [0, 1] and labels `(N,)`, of which a third is noise."""
    draw = torch.Generator().manual_seed(seed)
    x, noise = torch.rand(N, 4, generator=draw), torch.randint(CLASSES, (N,), generator=draw)
    return x, torch.where(torch.rand(N, generator=draw) < 0.3, noise, x[:, :CLASSES].argmax(1))


def train_data() -> TensorDataset:
    return TensorDataset(*tensors(TRAIN, 0))


def validation_data() -> TensorDataset:
    return TensorDataset(*tensors(VALIDATION, 1))


def network(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, CLASSES))


def vanilla() -> nn.Module:
    """Trained by plain cross-entropy."""
    model, (x, y) = network(1), tensors(TRAIN, 0)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(100):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    optimizer.zero_grad()
    return model


class Shadow:
    """Algorithm 1 on the whole validation set, from the levels of a loss that is checked by it."""

    def __init__(self, loss: AdaptiveLabelSmoothing):
        self.loss = loss
        self.expected = AdaptiveLabelSmoothing(loss.Z, loss.R, loss.alpha or "auto")

    @torch.no_grad()
    def update(self, logits: Tensor, labels: Tensor) -> None:
        self.expected.length = self.loss.length
        ids = self.loss.validation_levels.ids.clone()
        self.expected.assign("validation", ids, self.loss.validation_levels.levels.clone())
        confidence, correct = confidence_and_correct(logits.double().softmax(1), labels)
        self.expected.update(confidence, correct, ids, gathered=True)

    @property
    def soft_label(self) -> list[float]:
        return self.expected.soft_label.tolist()


class Repeatable(torch.utils.data.Sampler[int]):
    """An order of its own for every epoch, whatever was drawn before."""

    def __init__(self, data: Dataset, epoch: int = 0):
        self.length, self.epoch = len(data), epoch  # pyright: ignore

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self):
        draw = torch.Generator().manual_seed(self.epoch)
        return iter(torch.randperm(self.length, generator=draw).tolist())

    def __len__(self) -> int:
        return self.length
