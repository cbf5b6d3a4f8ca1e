"""AR-AdaLS in one file: Algorithm 1 of Qin, Wang, Beutel and Chi (NeurIPS 2021), top to bottom.

CLAIM

    python examples/00_algorithm_in_one_file.py

Train a vanilla network; find how robust each image is; cut the images into R levels; train again,
each level with a soft label of its own that follows that level's calibration on validation images.
"""

import argparse

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from arcal.data import Part, load

Z = 10  # classes
R = 10  # robustness levels
ALPHA = 0.2  # learning rate of the soft labels; the paper's 0.005 is for 200 epochs
BATCH = 128
MARGIN = 1e-6  # a soft label lies in (1/Z, 1]: this is how near to 1/Z it may come

Images = tuple[Tensor, Tensor]  # x (N, 1, 28, 28) in [0, 1], labels (N,)


def network() -> nn.Module:
    """A small convolutional network; any classifier that gives logits would do."""
    layers = []
    for inputs, outputs in ((1, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)]
        layers += [nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, Z))


# Section 3: adversarial robustness, and the levels it is cut into


def robustness(model: nn.Module, x: Tensor) -> Tensor:
    """The size of the smallest perturbation that changes the prediction, to first order, `(N,)`.

    With y the predicted class and k the runner-up, (z_y - z_k) / |gradient of (z_y - z_k)|. The
    paper attacks instead; this needs one gradient and ranks nearly alike.
    """
    x = x.clone().requires_grad_()
    first, second = model.eval()(x).topk(2, dim=1).values.unbind(1)
    margin = first - second
    (gradient,) = torch.autograd.grad(margin.sum(), x)
    return margin.detach() / gradient.flatten(1).norm(dim=1)


def levels(robustness: Tensor) -> Tensor:
    """R subsets of equal size, `(N,)`: 0 is the least robust."""
    rank = robustness.argsort(stable=True).argsort()
    return rank * R // len(robustness)


# Section 4: soft labels


def soften(labels: Tensor, epsilon: Tensor) -> Tensor:
    """Eq. 1: `p~ = p (1 - eps) + eps / Z`, `(N, Z)`."""
    return F.one_hot(labels, Z) * (1 - epsilon[:, None]) + epsilon[:, None] / Z


def epsilon_of(soft_label: Tensor) -> Tensor:
    """Eq. 4, which is Eq. 2 `p~ = 1 - eps + eps / Z` solved for eps."""
    return (soft_label - 1) * Z / (1 - Z)


def update(
    soft_label: Tensor, alpha: float, confidence: Tensor, correct: Tensor, level: Tensor
) -> Tensor:
    """Eq. 3 and the clip: each level's soft label moves against its own over-confidence, `(R,)`."""
    soft_label = soft_label.clone()
    over = confidence.double() - correct.double()
    for r in range(R):
        gap = over[level == r].mean()  # conf(S_r) - acc(S_r)
        soft_label[r] = (soft_label[r] - alpha * gap).clamp(1 / Z + MARGIN, 1)
    return soft_label


# Algorithm 1


def train(
    training: Images, validation: Images, levels: Images, alpha: float, epochs: int, seed: int
) -> tuple[nn.Module, Tensor]:
    """The network and its soft labels. `alpha` 0 keeps them at 1, which is vanilla training."""
    torch.manual_seed(seed)
    (x, y), (level, validation_level) = training, levels
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    decay = torch.optim.lr_scheduler.MultiStepLR(optimizer, [round(0.75 * epochs)])
    soft_label = torch.ones(R, dtype=torch.float64)
    for _ in range(epochs):
        epsilon = epsilon_of(soft_label).float()
        model.train()
        for i in torch.randperm(len(x)).split(BATCH):
            loss = F.cross_entropy(model(x[i]), soften(y[i], epsilon[level[i]]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        decay.step()
        soft_label = update(soft_label, alpha, *predict(model, *validation), validation_level)
    return model, soft_label


@torch.no_grad()
def predict(model: nn.Module, x: Tensor, y: Tensor) -> Images:
    """Confidence `(N,)`, the probability of the predicted class, and whether that is right."""
    confidence, predicted = model.eval()(x).softmax(dim=1).max(dim=1)
    return confidence, predicted == y


# What comes of it


def ece(confidence: Tensor, correct: Tensor, bins: int = 15) -> float:
    """Expected calibration error: bins weighted by their share, |accuracy - confidence| in each."""
    k = (confidence * bins).ceil().long().clamp(1, bins) - 1
    over = torch.zeros(bins, dtype=torch.float64).index_add(0, k, confidence.double() - correct)
    return float(over.abs().sum() / len(k))


def main(epochs: int = 16, seeds: tuple[int, ...] = (0,)) -> dict[str, Tensor]:
    """Print and return the ECE over all images and in each level, `(len(seeds), 1 + R)`."""
    torch.set_num_threads(1)
    data = load("fashion")
    training, validation, test = map(as_images, (data.train, data.validation, data.test))
    found: dict[str, list[list[float]]] = {"vanilla": [], "AR-AdaLS": []}
    for seed in seeds:
        any_levels = (torch.arange(len(training[0])) % R, torch.arange(len(validation[0])) % R)
        vanilla, _ = train(training, validation, any_levels, 0.0, epochs, seed)
        cut = (levels(robustness(vanilla, training[0])), levels(robustness(vanilla, validation[0])))
        model, soft_label = train(training, validation, cut, ALPHA, epochs, seed)
        print(f"seed {seed}: soft labels " + " ".join(f"{p:.2f}" for p in soft_label.tolist()))
        for name, network in (("vanilla", vanilla), ("AR-AdaLS", model)):
            confidence, correct = predict(network, *test)
            level = levels(robustness(network, test[0]))
            by_level = [ece(confidence[level == r], correct[level == r]) for r in range(R)]
            found[name].append([ece(confidence, correct), *by_level])
            print(f"  {name:9} accuracy {correct.double().mean():.4f}")
    tables = {name: 100 * torch.tensor(rows) for name, rows in found.items()}
    print(f"{'ECE x 100':9} {'all':>5}" + "".join(f"{r:>6}" for r in range(R)))
    for name, table in tables.items():
        print(f"{name:9} " + " ".join(f"{e:5.1f}" for e in table.mean(dim=0).tolist()))
    return tables


def as_images(part: Part) -> Images:
    """All of a part, in [0, 1]."""
    return part.images(torch.arange(len(part))) / 255, part.labels


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    arguments = parser.parse_args()
    main(arguments.epochs, tuple(arguments.seeds))
