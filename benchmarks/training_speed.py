"""How fast networks train on one core, in float32 and in bf16.

    python -m benchmarks.training_speed --networks fast medium resnet29

Prints images per second of processor time for forward, backward and step on random images of
CIFAR's size, and what 45,000 of them take, which is an epoch.
"""

from statistics import median
from time import process_time

import torch
import tyro

from arcal.compute.device import fabric_on
from arcal.compute.processes import keep_memory
from arcal.methods import Vanilla
from arcal.networks import build
from arcal.training.draws import draw
from arcal.training.recipes import RECIPES, Precision

PRECISIONS: tuple[Precision, Precision] = ("32-true", "bf16-mixed")


def main(networks: tuple[str, ...] = ("fast", "medium", "small"), steps: int = 5) -> None:
    """Time `steps` steps of each network with the batch of the recipe of its name."""
    torch.set_num_threads(1)
    keep_memory()
    for name in networks:
        for precision in PRECISIONS:
            rate = images_a_second(name, precision, steps)
            print(f"{name}, {precision}: {rate:.0f} images/s, {45_000 / rate:.0f} s an epoch")


def images_a_second(name: str, precision: Precision, steps: int) -> float:
    """The median over `steps` steps, after one that warms up."""
    fabric, recipe, method = fabric_on("cpu", precision), RECIPES[name], Vanilla(10)
    network = build(name, classes=10, shape=(3, 32, 32), generator=draw(0, "init"))
    network = network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    model, optimizer = fabric.setup(network, recipe.optimizer_for(network))
    size = recipe.core_batch or recipe.batch_size
    x = torch.rand(size, 3, 32, 32, generator=draw(0, "images"))
    x = x.contiguous(memory_format=torch.channels_last)
    ids, labels = torch.arange(size), torch.arange(size) % 10
    seconds = []
    for _ in range(steps + 1):
        begin = process_time()
        optimizer.zero_grad()
        fabric.backward(method.loss(model, ids, x, labels))
        optimizer.step()
        seconds.append(process_time() - begin)
    return size / median(seconds[1:])


if __name__ == "__main__":
    tyro.cli(main)
