"""What is attacked: six networks, each with inputs to tune on and fresh ones to report on."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache as once
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from arcal.data import InMemory, load, load_part
from arcal.errors import ArcalError
from arcal.training._train import train
from arcal.training.recipes import RECIPES
from arcal.training.run import Run
from arcal.training.saved_run import model_of
from benchmarks import networks
from benchmarks.networks import resnet20


@dataclass(frozen=True, eq=False)
class Setting:
    """A frozen model in evaluation mode and N inputs to attack.

    `ids` int64 `(N,)`, `images` float32 `(N, C, H, W)` or `(N, D)` in [0,1].
    """

    name: str
    about: str
    model: nn.Module
    ids: Tensor
    images: Tensor

    @property
    def fingerprint(self) -> str:
        """12 hexadecimal digits of the SHA-256 of the model's weights."""
        digest = sha256()
        for name, value in self.model.state_dict().items():
            digest.update(name.encode() + value.contiguous().numpy().tobytes())
        return digest.hexdigest()[:12]


@dataclass(frozen=True)
class Draw:
    """Which `count` inputs of a test part are attacked.

    One random half of the part is for tuning. The other is fresh: its blocks of `count` are each
    reported on once, with another `number`, and never used before.
    """

    count: int
    fresh: bool = False
    number: int = 0

    def positions(self, N: int) -> Tensor:
        """Positions in a part of N inputs: a smaller draw of number 0 is the start of a larger."""
        order = torch.randperm(N, generator=torch.Generator().manual_seed(0))
        half = order.chunk(2)[self.fresh]
        drawn = half[self.number * self.count : (self.number + 1) * self.count]
        if not len(drawn):
            raise ArcalError(f"draw {self.number} is beyond the {len(half)} inputs of its kind")
        return drawn


def setting(
    name: str,
    model: nn.Module,
    about: str,
    ids: Tensor,
    inputs: Callable[[Tensor], Tensor],
    n: Draw,
) -> Setting:
    """The drawn inputs of a test part with these ids.

    The model is frozen and laid out as PyTorch does by default, which is how a user of the peers
    has it.
    """
    model = model.eval().requires_grad_(False)
    model.to(memory_format=torch.contiguous_format)  # pyright: ignore[reportCallIssue]
    drawn = n.positions(len(ids))
    return Setting(name, about, model, ids[drawn], inputs(drawn))


def shared() -> Path:
    """The folder of real data and networks, from the environment variable `ARCAL_SHARED`."""
    folder = Path(os.environ.get("ARCAL_SHARED", "../shared"))
    if not (folder / "data").is_dir():
        raise ArcalError(f"{folder} has no real data: set ARCAL_SHARED, or use --setting fashion")
    return folder


def cifar10_test(folder: Path) -> InMemory:
    """The 10,000 test images of CIFAR-10."""
    return _cifar10(folder, "test")


@once
def _cifar10(folder: Path, part: str) -> InMemory:
    read = load_part(str(folder / "data" / "cifar10"), part=part)
    assert isinstance(read, InMemory)  # what has fewer than 256 MB is
    return read


def _on_cifar10(name: str, model: nn.Module, about: str, n: Draw) -> Setting:
    test = cifar10_test(shared())
    about = f"CIFAR-10, {about}"
    return setting(name, model, about, test.ids, lambda i: test.images(i).float() / 255, n)


def _trained_on_cifar10(
    train: Callable[[Path, networks.Data], nn.Module], cache: Path
) -> nn.Module:
    def images() -> tuple[Tensor, Tensor]:
        part = _cifar10(shared(), "train")
        return part.images(torch.arange(len(part))), part.labels

    return train(cache / "networks", images)


def cifar10(n: Draw, cache: Path) -> Setting:
    """A third-party ResNet-20 on CIFAR-10."""
    model = resnet20(shared() / "models/cifar10-resnet20.safetensors")
    about = "a third party's ResNet-20 (269,722 parameters, 8.27 % test error)"
    return _on_cifar10("cifar10", model, about, n)


def vit(n: Draw, cache: Path) -> Setting:
    """A small transformer on CIFAR-10."""
    model = _trained_on_cifar10(networks.vit, cache)
    return _on_cifar10("vit", model, "a transformer of 64 patches, trained for 3 epochs", n)


def vgg(n: Draw, cache: Path) -> Setting:
    """A network of convolutions without batch norm, on CIFAR-10."""
    model = _trained_on_cifar10(networks.vgg, cache)
    return _on_cifar10("vgg", model, "4 convolutions without batch norm, 3 epochs", n)


def robust_vgg(n: Draw, cache: Path) -> Setting:
    """The same, trained further against PGD."""
    model = _trained_on_cifar10(networks.robust_vgg, cache)
    about = "the network of `vgg`, trained on for .4 of an epoch against PGD of radius 4/255"
    return _on_cifar10("robust-vgg", model, about, n)


def fashion(n: Draw, cache: Path) -> Setting:
    """The embedded Fashion-MNIST images and the small network, trained once on them by arcal."""
    folder = train(Run(data="fashion", recipe=RECIPES["demo"]), cache / "runs")
    about = "Fashion-MNIST (embedded subset), arcal's small network (78k parameters, recipe demo)"
    test = load("fashion").test
    inputs = lambda i: test.images(i).float() / 255  # noqa: E731
    return setting("fashion", model_of(folder), about, test.ids, inputs, n)


def digits(n: Draw, cache: Path) -> Setting:
    """A network of two layers of tanh on scikit-learn's table of digits, 64 columns."""
    bunch: Any = load_digits()
    x, y = torch.tensor(bunch.data).float() / 16, torch.tensor(bunch.target).long()
    about = "scikit-learn's table of digits, two layers of 32 units with tanh, trained on all of it"
    model = networks.of_digits(x, y)
    return setting("digits", model, about, torch.arange(len(x)), lambda i: x[i], n)


SETTINGS: dict[str, Callable[[Draw, Path], Setting]] = {
    "cifar10": cifar10,
    "fashion": fashion,
    "vit": vit,
    "vgg": vgg,
    "robust-vgg": robust_vgg,
    "digits": digits,
}
