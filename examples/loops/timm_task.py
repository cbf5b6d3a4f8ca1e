"""AR-AdaLS as a timm task, for timm's training script or a loop of your own.

`python examples/loops/timm_task.py` trains timm's smallest network for three epochs on 600 images
of Fashion-MNIST, with levels by an untrained network: it shows the lines, not a result.

timm's script passes batches of two to `task(input, target)`, so an image's id travels with its
label, as a second column. Change three things in the script: use this task instead of
`ClassificationTask`, put `WithTarget` around both data sets, and call `task.learn(loader)` after an
epoch, before its checkpoint is saved.
"""
# pyright: reportMissingImports=false

from collections.abc import Iterable
from typing import Any

import torch
from timm import create_model
from timm.task import ClassificationTask
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import arcal
from arcal.data import load


class WithTarget(Dataset[tuple[Any, Tensor]]):
    """A data set of pairs (x, y) as pairs (x, [y, id])."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, i: int) -> tuple[Any, Tensor]:
        x, y = self.dataset[i]
        return x, torch.tensor([int(y), i])


class RobustTask(ClassificationTask):
    """A classification task with soft labels, which its checkpoints hold."""

    def __init__(self, model: nn.Module, smoothing: arcal.AdaptiveLabelSmoothing, **others: Any):
        super().__init__(model, lambda logits, target: smoothing(logits, *target.T), **others)
        self.smoothing = smoothing

    @torch.no_grad()
    def learn(self, loader: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Update the soft labels: each process passes what it predicts of its own share."""
        model: Any = self.get_eval_model()
        model.eval()
        rows = [(model(x).float().softmax(1).max(1), target.T) for x, target in loader]
        columns = [(p, predicted == y, ids) for (p, predicted), (y, ids) in rows]
        self.smoothing.update(*(torch.cat(column) for column in zip(*columns, strict=True)))

    def get_task_state(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {"smoothing": self.smoothing.state_dict()}

    def load_task_state(self, state: dict[str, Any] | None, *_: Any, **__: Any) -> None:
        if not state:
            raise arcal.ArcalError("the checkpoint has no soft labels: it is not of a RobustTask")
        self.smoothing.load_state_dict(state["smoothing"])


def main(epochs: int = 3) -> Tensor:
    """Train, and return the soft labels."""
    torch.manual_seed(0)
    data = load("fashion", images=600, validation=300, test_images=10)
    options: dict[str, Any] = {"num_classes": 10, "in_chans": 1}
    model, vanilla = create_model("test_resnet", **options), create_model("test_resnet", **options)
    smoothing = arcal.AdaptiveLabelSmoothing(Z=10, R=3, alpha=0.3)
    loaders = {}
    for name, part in (("train", data.train), ("validation", data.validation)):
        x, y = part.images(torch.arange(len(part))) / 255, part.labels
        scores = arcal.score(vanilla, [(torch.arange(len(y)), x, y)], order="margin")
        smoothing.assign(name, scores.ids, arcal.levels(scores.robustness, scores.ids, R=3))
        pairs = WithTarget(torch.utils.data.TensorDataset(x, y))
        loaders[name] = DataLoader(pairs, 50, shuffle=name == "train")
    task = RobustTask(model, smoothing, verbose=False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for epoch in range(epochs):
        task.train()
        for x, target in loaders["train"]:
            optimizer.zero_grad()
            task(x, target)["loss"].backward()
            optimizer.step()
        task.learn(loaders["validation"])
        print(f"epoch {epoch}: soft labels {smoothing.soft_label.tolist()}")
    return smoothing.soft_label


if __name__ == "__main__":
    main()
