"""The networks that are attacked: a third party's, and some that are trained here.

The latter train in minutes on one thread, once, and are kept in a cache folder: they are meant to
be different, not good.
"""

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from arcal.attacks.pgd import PGD
from arcal.files import write_whole
from arcal.networks.layers import Normalize

Data = Callable[[], tuple[Tensor, Tensor]]
"""Gives uint8 images `(N, 3, 32, 32)` and labels `(N,)`, where they are needed."""

LINF = 4 / 255
"""The radius that the robust network is trained for."""


class ResNet20(nn.Module):
    """`(N, 3, 32, 32)` in [0,1] to logits `(N, 10)`: He et al.'s ResNet-20 with option A shortcuts.

    Three stages of three basic blocks with 16, 32 and 64 channels; 269,722 parameters.
    """

    def __init__(self):
        super().__init__()
        mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        self.normalize = Normalize(
            torch.tensor(mean)[:, None, None], torch.tensor(std)[:, None, None]
        )
        self.conv1 = _convolution_without_bias(3, 16)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(16, 16, stride=1)
        self.layer2 = _stage(16, 32, stride=2)
        self.layer3 = _stage(32, 64, stride=2)
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        features = F.relu(self.bn1(self.conv1(self.normalize(x))))
        features = self.layer3(self.layer2(self.layer1(features)))
        return self.linear(features.mean((2, 3)))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch norm, added to the input, then ReLU.

    Where the shape changes, the shortcut has no weights (option A): every second pixel, and as many
    zero channels on either side as make up the number.
    """

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = _convolution_without_bias(inputs, outputs, stride)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = _convolution_without_bias(outputs, outputs)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.pad = stride, (outputs - inputs) // 2

    def forward(self, x: Tensor) -> Tensor:
        residual = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.pad:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.pad, self.pad))
        return F.relu(residual + x)


def _convolution_without_bias(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)


def _stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    first = ResidualBlock(inputs, outputs, stride)
    return nn.Sequential(first, *(ResidualBlock(outputs, outputs, 1) for _ in range(2)))


def resnet20(weights: Path) -> ResNet20:
    """The network with the weights of this safetensors file, in evaluation mode."""
    model = ResNet20()
    buffers = {f"normalize.{name}": value for name, value in model.normalize.named_buffers()}
    counts = {name: value for name, value in model.state_dict().items() if "num_batches" in name}
    model.load_state_dict(load_file(weights) | buffers | counts)  # neither is in the file
    return model.eval()


class VGG(nn.Sequential):
    """`(N, 3, 32, 32)` in [0, 1] to logits `(N, 10)`: convolutions and pools, no batch norm."""

    def __init__(self):
        super().__init__(
            _normalize(),
            *_convolution(3, 24),
            nn.MaxPool2d(2),
            *_convolution(24, 48),
            *_convolution(48, 48),
            nn.MaxPool2d(2),
            *_convolution(48, 96),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(96 * 16, 10),
        )


class ViT(nn.Module):
    """`(N, 3, 32, 32)` in [0, 1] to logits `(N, 10)`: a transformer of 64 patches, with GELU."""

    def __init__(self, width: int = 64, depth: int = 3):
        super().__init__()
        self.normalize = _normalize()
        self.patches = nn.Conv2d(3, width, 4, stride=4)
        self.position = nn.Parameter(0.02 * torch.randn(1, 64, width))
        self.blocks = nn.Sequential(*(Block(width) for _ in range(depth)))
        self.classifier = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 10))

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(self.normalize(x)).flatten(2).mT + self.position
        return self.classifier(self.blocks(tokens).mean(1))


class Block(nn.Module):
    """Attention of 4 heads, then two linear layers, each added to what came in."""

    def __init__(self, width: int, heads: int = 4):
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.before(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return x + self.mlp(self.between(x))


def _normalize() -> Normalize:
    return Normalize(torch.full((3, 1, 1), 0.5), torch.full((3, 1, 1), 0.25))


def _convolution(inputs: int, outputs: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()


def kept(path: Path, model: nn.Module, train: Callable[[nn.Module], None]) -> nn.Module:
    """The model with the weights of this file, which are trained now if it is not there."""
    if not path.exists():
        print(f"training {path.stem}, which is kept in {path}", flush=True)
        train(model)
        state = {name: value.contiguous() for name, value in model.state_dict().items()}
        write_whole(path, lambda temporary: save_file(state, temporary))
    model.load_state_dict(load_file(path))
    return model.eval().requires_grad_(False)


def fit(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    epochs: float,
    rate: float,
    attack: PGD | None = None,
    batch: int = 128,
) -> None:
    """Train on uint8 images `(N, 3, H, W)`, mirrored at random, and attacked if `attack` is given.

    AdamW with a one-cycle learning rate up to `rate`; every draw is from one seed.
    """
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.02)
    steps = round(epochs * len(images) / batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    order = torch.empty(0, dtype=torch.int64)
    for _ in range(steps):
        if len(order) < batch:
            order = torch.randperm(len(images), generator=generator)
        some, order = order[:batch], order[batch:]
        x = images[some].float() / 255
        mirrored = torch.rand(batch, generator=generator) < 0.5
        x = torch.where(mirrored.view(-1, 1, 1, 1), x.flip(3), x)
        if attack is not None:
            x = attack(model, x, labels[some])
        model.train()
        optimizer.zero_grad()
        F.cross_entropy(model(x), labels[some]).backward()
        optimizer.step()
        schedule.step()
    model.eval()


def vgg(cache: Path, data: Data) -> nn.Module:
    """The VGG, trained for 3 epochs."""
    return kept(
        cache / "vgg.safetensors",
        seeded(VGG),
        lambda model: fit(model, *data(), epochs=3, rate=2e-3),
    )


def robust_vgg(cache: Path, data: Data) -> nn.Module:
    """The VGG, trained for another .4 of an epoch on images that two steps of PGD have changed."""

    def train(model: nn.Module) -> None:
        model.load_state_dict(vgg(cache, data).state_dict())
        attack = PGD(radius=LINF, step=LINF / 2, iterations=2)
        fit(model, *data(), epochs=0.4, rate=1e-3, attack=attack)

    return kept(cache / "robust-vgg.safetensors", seeded(VGG), train)


def vit(cache: Path, data: Data) -> nn.Module:
    """The transformer, trained for 3 epochs."""
    return kept(
        cache / "vit.safetensors",
        seeded(ViT),
        lambda model: fit(model, *data(), epochs=3, rate=2e-3),
    )


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    """A new network whose initial weights are the same each time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()


def of_digits(x: Tensor, y: Tensor) -> nn.Module:
    """Two layers of 32 tanh units, trained on a table `(N, D)` with labels of 10 classes."""

    def make() -> nn.Module:
        first, second = nn.Linear(x.shape[1], 32), nn.Linear(32, 32)
        return nn.Sequential(first, nn.Tanh(), second, nn.Tanh(), nn.Linear(32, 10))

    model = seeded(make)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(600):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    return model.eval().requires_grad_(False)
