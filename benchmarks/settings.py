"""What is attacked: a network and test images, in two settings."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor, nn

from arcal.data import InMemory, Part, load
from arcal.data.parquet import LABEL, class_names, integers, read_part
from arcal.errors import ArcalError
from arcal.training._train import train
from arcal.training.recipes import RECIPES
from arcal.training.run import Run, model_of
from benchmarks.networks import resnet20


@dataclass(frozen=True, eq=False)
class Setting:
    """A frozen model in evaluation mode and N images to attack.

    `ids` int64 `(N,)`, `images` float32 `(N, C, H, W)` in [0,1].
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


def setting(name: str, model: nn.Module, about: str, test: Part, count: int) -> Setting:
    """`count` images of a test part, drawn at random: a smaller draw is the start of a larger one.

    The model is frozen and laid out as PyTorch does by default, which is how a user of the peers
    has it.
    """
    model = model.eval().requires_grad_(False)
    model.to(memory_format=torch.contiguous_format)  # pyright: ignore[reportCallIssue]
    at = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))[:count]
    return Setting(name, about, model, test.ids[at], test.images(at).float() / 255)


def shared() -> Path:
    """The folder of real data and networks, from the environment variable `ARCAL_SHARED`."""
    folder = Path(os.environ.get("ARCAL_SHARED", "../shared"))
    if not (folder / "data").is_dir():
        raise ArcalError(f"{folder} has no real data: set ARCAL_SHARED, or use --setting fashion")
    return folder


def cifar10_test(folder: Path) -> InMemory:
    """The 10,000 test images of CIFAR-10."""
    file = folder / "data" / "cifar10-test.parquet"
    return read_part([file], "cifar10/test", integers(file, LABEL), class_names([file]))


def cifar10(count: int, cache: Path) -> Setting:
    """A third party's ResNet-20 on CIFAR-10."""
    test, model = cifar10_test(shared()), resnet20(shared() / "models/cifar10-resnet20.safetensors")
    about = "CIFAR-10, a third party's ResNet-20 (269,722 parameters, 8.27 % test error)"
    return setting("cifar10", model, about, test, count)


def fashion(count: int, cache: Path) -> Setting:
    """The embedded Fashion-MNIST images and the small network, trained once on them by arcal."""
    folder = train(Run(data="fashion", recipe=RECIPES["demo"]), cache / "runs")
    about = "Fashion-MNIST (embedded subset), arcal's small network (78k parameters, recipe demo)"
    return setting("fashion", model_of(folder), about, load("fashion").test, count)


SETTINGS: dict[str, Callable[[int, Path], Setting]] = {"cifar10": cifar10, "fashion": fashion}
