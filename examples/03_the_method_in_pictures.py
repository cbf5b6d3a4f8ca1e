"""AR-AdaLS where everything can be seen: two classes in the plane, with a picture of each step.

`python examples/03_the_method_in_pictures.py FOLDER` writes four pictures, those of
docs/the-method.md. A network of 2-64-64-2 units is trained on 1,000 points of two overlapping
classes; 8,000 test points, one seed, a minute of one core (figures differ a little on other
processors):
    vanilla   accuracy 87.6 %, ECE 3.0 %, gaps by level +6.8 +5.4 +1.6 +0.9 +0.4
    AR-AdaLS  accuracy 88.0 %, ECE 1.1 %, gaps by level +0.8 +0.1 -0.4 +0.0 +0.4
"""

import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from torch import Tensor, nn

import arcal

R = 5
ALPHA = 0.05
EPOCHS = 200
SIZES = {"train": 1000, "validation": 2000, "test": 8000}
ANYWHERE = (-math.inf, math.inf)
"""Points of the plane, unlike pixels, have no bounds."""
COLOURS = ("#4269d0", "#e2743c")

Points = tuple[Tensor, Tensor, Tensor]


def moons(n: int, seed: int) -> Points:
    """Ids `(n,)`, points `(n, 2)` of two half circles with noise, and which one each is from."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    angle = math.pi * torch.rand(n, generator=draw)
    x = torch.stack([angle.cos(), angle.sin()], dim=1)
    x[labels == 1] = torch.tensor([1.0, 0.5]) - x[labels == 1]
    return torch.arange(n), x + 0.35 * torch.randn(n, 2, generator=draw), labels


def train(data: dict[str, Points], seed: int, levels: dict[str, Tensor] | None = None):
    """A network, and the soft labels `(EPOCHS, R)` that its loss had, if it has levels."""
    torch.manual_seed(seed)
    layers = [nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2)]
    model = nn.Sequential(*layers)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    smoothing = arcal.AdaptiveLabelSmoothing(Z=2, R=R, alpha=ALPHA)
    for part, level in (levels or {}).items():
        smoothing.assign(part, data[part][0], level)
    _, x, labels = data["train"]
    soft_labels = []
    for _ in range(EPOCHS):
        for ids in torch.randperm(len(x)).split(50):
            logits = model(x[ids])
            loss = (
                smoothing(logits, labels[ids], ids)
                if levels
                else F.cross_entropy(logits, labels[ids])
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if levels:
            ids, confidence, correct = predictions(model, data["validation"])
            smoothing.update(confidence, correct, ids)
            soft_labels.append(smoothing.soft_label.clone())
    return model, torch.stack(soft_labels) if soft_labels else None


@torch.no_grad()
def predictions(model: nn.Module, part: Points):
    """Ids, confidence and whether the prediction is right, `(n,)` each."""
    ids, x, labels = part
    return ids, *arcal.confidence_and_correct(model(x).softmax(dim=1), labels)


def cut(model: nn.Module, part: Points) -> Tensor:
    """The level of each point, 0 the least robust: by its distance from the boundary."""
    scores = arcal.score(model, [part], bounds=ANYWHERE)
    return arcal.levels(scores.robustness, scores.ids, R)


def main(folder: Path = Path(), sizes: dict[str, int] = SIZES) -> dict[str, arcal.ByLevel]:
    """Write the pictures; returns what each network shows on its own levels of the test set."""
    torch.set_num_threads(1)
    data = {part: moons(n, seed) for seed, (part, n) in enumerate(sizes.items())}
    vanilla, _ = train(data, seed=0)
    levels = {part: cut(vanilla, data[part]) for part in ("train", "validation")}
    adaptive, soft_labels = train(data, seed=0, levels=levels)
    assert soft_labels is not None
    tables = {}
    for name, model in (("vanilla", vanilla), ("AR-AdaLS", adaptive)):
        _, confidence, correct = predictions(model, data["test"])
        tables[name] = arcal.by_level(confidence, correct, cut(model, data["test"]), R)
        gaps = " ".join(f"{100 * gap:+.1f}" for gap in tables[name].gap)
        print(
            f"{name:8}  accuracy {100 * correct.double().mean():.1f} %, "
            f"ECE {100 * arcal.ece(confidence, correct):.1f} %, gaps by level {gaps}"
        )
    draw(folder / "distances.png", lambda axes: show_distances(axes, vanilla, data["test"]))
    draw(folder / "levels.png", lambda axes: show_levels(axes, tables["vanilla"], "vanilla"))
    draw(folder / "soft-labels.png", lambda axes: show_soft_labels(axes, soft_labels))
    draw(folder / "after.png", lambda axes: show_levels(axes, tables["AR-AdaLS"], "AR-AdaLS"))
    return tables


def draw(path: Path, show) -> None:
    figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    show(axes)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def show_distances(axes: Axes, model: nn.Module, part: Points) -> None:
    """The network's confidence, and the smallest change of some points that flips it."""
    across, up = torch.linspace(-2, 3, 200), torch.linspace(-1.5, 2, 200)
    grid = torch.cartesian_prod(across, up)
    with torch.no_grad():
        p = model(grid).softmax(dim=1)[:, 1].view(200, 200).T
    across, up, p = across.numpy(), up.numpy(), p.numpy()
    shown = axes.contourf(across, up, p, levels=20, cmap="RdYlBu_r", alpha=0.6, vmin=0, vmax=1)
    axes.contour(across, up, p, levels=[0.5], colors="black")
    axes.figure.colorbar(shown, label="probability of the orange class", ticks=[0, 0.5, 1])
    _, x, labels = (tensor[:60] for tensor in part)
    nearest = arcal.BoundaryProjection()(model, x, bounds=ANYWHERE).x
    for start, end, label in zip(x, nearest, labels, strict=True):
        axes.plot(*torch.stack([start, end]).T.numpy(), color="black", linewidth=0.8)
        axes.plot(
            *start.numpy(), "o", color=COLOURS[int(label)], markersize=6, markeredgecolor="white"
        )
    axes.set(xlim=(-2, 3), ylim=(-1.5, 2), xlabel="first input", ylabel="second input")


def show_levels(axes: Axes, table: arcal.ByLevel, name: str) -> None:
    """How sure a network is, and how often right, in each level."""
    place = torch.arange(R).numpy()
    confidence, accuracy = 100 * table.confidence.numpy(), 100 * table.accuracy.numpy()
    axes.bar(place - 0.2, confidence, 0.38, color=COLOURS[1], label="confidence")
    axes.bar(place + 0.2, accuracy, 0.38, color=COLOURS[0], label="accuracy")
    axes.set(xticks=range(R), ylim=(40, 103), xlabel=f"robustness level of {name}, 0 the least")
    axes.set_ylabel("%")
    axes.legend(loc="upper left", frameon=False)


def show_soft_labels(axes: Axes, soft_labels: Tensor) -> None:
    """What each level's true class was given, epoch by epoch."""
    colours = plt.get_cmap("viridis_r")(torch.linspace(0.1, 1, R).numpy())
    for level in range(R):
        axes.plot(soft_labels[:, level].numpy(), color=colours[level], label=f"level {level}")
    axes.set(xlabel="epoch", ylabel="soft label of the true class", ylim=(0.8, 1.005))
    axes.legend(loc="lower left", frameon=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path())
