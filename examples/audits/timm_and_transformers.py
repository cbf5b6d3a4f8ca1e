"""A timm network and a transformers network, trained here on the images that come with arcal.

`python examples/audits/timm_and_transformers.py` writes `resnet18.safetensors` and the folder
`vit/`. Both are trained from random weights, because the package index has no weights for them.
"""

from typing import Any

import timm  # pyright: ignore[reportMissingImports]
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import (  # pyright: ignore[reportMissingImports]
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
)

from arcal.data import load_part


def resnet18() -> Any:
    return timm.create_model("resnet18", num_classes=10)


def vit(classes: tuple[str, ...]) -> ViTForImageClassification:
    numbers = {name: z for z, name in enumerate(classes)}
    config = ViTConfig(
        image_size=28, patch_size=4, hidden_size=96, num_hidden_layers=4, num_attention_heads=4,
        intermediate_size=192, label2id=numbers, id2label={z: name for name, z in numbers.items()},
    )  # fmt: skip
    return ViTForImageClassification(config)


def train(network: nn.Module, x: Tensor, labels: Tensor, epochs: int, rate: float) -> None:
    """AdamW with one cycle of the learning rate; every second image is mirrored."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.05)
    steps = epochs * -(-len(x) // 100)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    network.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(100):
            some = torch.where(torch.rand(len(rows), 1, 1, 1) < 0.5, x[rows], x[rows].flip(3))
            output = network(some)
            loss = F.cross_entropy(getattr(output, "logits", output), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            cycle.step()


def train_resnet18(x: Tensor, labels: Tensor, epochs: int) -> None:
    torch.manual_seed(0)
    network = resnet18()
    mean, std = (torch.tensor(network.pretrained_cfg[name]) for name in ("mean", "std"))
    normalized = (x - mean[:, None, None]) / std[:, None, None]
    train(network, normalized, labels, epochs, rate=0.002)
    save_file(network.state_dict(), "resnet18.safetensors")


def train_vit(x: Tensor, labels: Tensor, classes: tuple[str, ...], epochs: int) -> None:
    torch.manual_seed(0)
    network = vit(classes)
    train(network, (x - 0.5) / 0.5, labels, epochs, rate=0.002)
    network.save_pretrained("vit")
    ViTImageProcessor(size={"height": 28, "width": 28}).save_pretrained("vit")  # (x - .5) / .5


def main(images: int | None = None, epochs: tuple[int, int] = (5, 6)) -> None:
    part = load_part("fashion", part="train", limit=images)
    x = part.images(torch.arange(len(part))).expand(-1, 3, -1, -1) / 255
    train_resnet18(x, part.labels, epochs[0])
    train_vit(x, part.labels, part.classes, epochs[1])


if __name__ == "__main__":
    main()
