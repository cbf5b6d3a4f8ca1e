"""Lightning Fabric, without the package that it imports only to ask for its version.

If torchmetrics is installed, Fabric imports it to compare versions, and with it torchvision and
much of scipy: as many seconds again as Fabric itself takes, in every process.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType


@contextmanager
def _only_the_version_of(package: str) -> Iterator[None]:
    """Replace a package by its version alone in the block, unless it is imported already."""
    try:
        number = version(package)
    except PackageNotFoundError:
        number = None
    if number is None or package in sys.modules:
        yield
        return
    sys.modules[package] = stand_in = ModuleType(package)
    stand_in.__dict__["__version__"] = number
    try:
        yield
    finally:
        del sys.modules[package]


with _only_the_version_of("torchmetrics"):
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
    from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
    from lightning_fabric.plugins.precision import Precision
    from lightning_fabric.strategies.ddp import DDPStrategy
    from lightning_fabric.strategies.single_device import SingleDeviceStrategy

__all__ = [
    "DDPStrategy",
    "Fabric",
    "Precision",
    "SLURMEnvironment",
    "SingleDeviceStrategy",
    "TorchElasticEnvironment",
]
