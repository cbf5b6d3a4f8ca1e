"""Does a temperature that knows an input's robustness beat one temperature? No, and by how much.

    python -m benchmarks.robust_temperature

For a third-party ResNet-20, temperatures are fitted on one half of CIFAR-10's test images as they
are and measured on the other half, clean and under the 15 types at intensities 1, 3 and 5.
Robustness is the gradient order's: the logit gap over the norm of its gradient.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from torch import Tensor, nn

from arcal.calibration import auroc, confidence_and_correct, ece, nll
from arcal.compute.processes import keep_memory
from arcal.data import Part, as_input, batches, load
from arcal.data.corrupted import CorruptedImages
from arcal.errors import ArcalError
from arcal.robustness import score
from arcal.transforms.corruptions import IMAGENET_C
from benchmarks.networks import resnet20
from benchmarks.settings import shared

INTENSITIES = (1, 3, 5)
R = 10


@dataclass(frozen=True)
class Said:
    """What the network says of N inputs.

    Log-probabilities `(N, Z)`, labels `(N,)`, robustness `(N,)`, and the norm of the gradient of
    the logit gap `(N,)`.
    """

    log_p: Tensor
    labels: Tensor
    robustness: Tensor
    gradient: Tensor

    @property
    def log_odds(self) -> Tensor:
        """Of the predicted class, `(N,)`."""
        top = self.log_p.max(dim=1).values.double()
        return top - torch.log1p(-top.exp().clamp(max=1 - 1e-12))


def said(model: nn.Module, part: Part) -> Said:
    """Run the network and rank its inputs."""
    columns: list[tuple[Tensor, ...]] = []
    for ids, images, labels in batches(part, 250):
        x = as_input(images, torch.device("cpu"))
        scores = score(model, [(ids, x, labels)], order="gradient")
        with torch.no_grad():
            logits = model(x).double()
        gap = logits.topk(2).values
        gap = gap[:, 0] - gap[:, 1]
        r = scores.robustness.double().clamp(min=1e-6)
        columns.append((logits.log_softmax(dim=1), labels, r, (gap / r).clamp(min=1e-6)))
    return Said(*(torch.cat(column) for column in zip(*columns, strict=True)))


Features = Callable[[Said], Tensor]
"""From what is said of N inputs to `(N, F)` numbers, in which log T is linear."""


def constant(one: Said) -> Tensor:
    """One temperature for all."""
    return torch.ones(len(one.labels), 1, dtype=torch.float64)


def log_robustness(one: Said) -> Tensor:
    """A temperature that changes with log r."""
    return torch.cat([constant(one), one.robustness.log().unsqueeze(1)], dim=1)


def log_gradient(one: Said) -> Tensor:
    """A temperature that changes with the log of the gradient's norm."""
    return torch.cat([constant(one), one.gradient.log().unsqueeze(1)], dim=1)


def log_odds(one: Said) -> Tensor:
    """A temperature that changes with the log-odds: nothing but the prediction."""
    return torch.cat([constant(one), one.log_odds.unsqueeze(1)], dim=1)


def everything(one: Said) -> Tensor:
    """All three."""
    columns = [one.robustness.log(), one.gradient.log(), one.log_odds]
    return torch.cat([constant(one), torch.stack(columns, dim=1)], dim=1)


def by_level(edges: Tensor) -> Features:
    """A temperature for each level of r, whose edges `(R - 1,)` are the fitted inputs'."""

    def features(one: Said) -> Tensor:
        level = torch.bucketize(one.robustness, edges)
        return torch.nn.functional.one_hot(level, len(edges) + 1).double()

    return features


def fitted(features: Features, one: Said) -> Callable[[Said], Tensor]:
    """The log-probabilities `(N, Z)` with `log T = features @ w`, w by L-BFGS on the log-loss."""
    w = torch.zeros(features(one).shape[1], dtype=torch.float64, requires_grad=True)

    def log_p(other: Said) -> Tensor:
        T = (features(other) @ w).exp()
        return (other.log_p / T.unsqueeze(1)).log_softmax(dim=1)

    optimizer = torch.optim.LBFGS([w], max_iter=500, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.nll_loss(log_p(one), one.labels)
        loss.backward()
        return loss

    optimizer.step(closure)
    w.requires_grad_(False)
    return log_p


def measures(log_p: Tensor, labels: Tensor) -> Tensor:
    """ECE in 10^-2 and log-loss."""
    confidence, correct = confidence_and_correct(log_p.exp(), labels)
    return torch.tensor([100 * ece(confidence, correct), nll(log_p, labels)])


def shifted(images: CorruptedImages, part: Part) -> Iterator[Part]:
    """The part under each type and intensity."""
    for type in IMAGENET_C:
        for intensity in INTENSITIES:
            yield images.part(part, type, intensity)


def main(data: str | None = None, weights: Path | None = None, images: int | None = None) -> None:
    """Fit, measure and print the table. `images` limits it to that many test images."""
    keep_memory()
    torch.set_num_threads(1)
    part = load(data or str(shared() / "data" / "cifar10"), test_images=images).test
    model = resnet20(weights or shared() / "models" / "cifar10-resnet20.safetensors").eval()
    draw = torch.randperm(len(part), generator=torch.Generator().manual_seed(0))
    halves = [part.subset(part.ids[half.sort().values]) for half in draw.chunk(2)]
    fit, clean = (said(model, half) for half in halves)
    edges = fit.robustness.quantile(torch.arange(1, R, dtype=torch.float64) / R)
    forms: dict[str, Callable[[Said], Tensor]] = {"as it is": lambda one: one.log_p}
    for name, features in (
        ("one T", constant),
        ("T(log r)", log_robustness),
        (f"a T for each of {R} levels of r", by_level(edges)),
        ("T(log gradient norm)", log_gradient),
        ("T(log-odds)", log_odds),
        ("T(log r, log gradient norm, log-odds)", everything),
    ):
        forms[name] = fitted(features, fit)
    rows = {name: [measures(form(clean), clean.labels)] for name, form in forms.items()}
    tells: list[list[float]] = []
    for half in shifted(CorruptedImages(), halves[1]):
        one = said(model, half)
        right = one.log_p.argmax(dim=1) == one.labels
        scores = (-one.gradient, one.robustness, one.log_odds)
        tells.append([auroc(score[right], score[~right]) for score in scores])
        for name, form in forms.items():
            rows[name].append(measures(form(one), one.labels))
    print("| | ECE, clean | ECE, 15 types | log-loss, clean | log-loss, 15 types |")
    print("|---|---|---|---|---|")
    for name, (first, *others) in rows.items():
        mean = torch.stack(others).mean(dim=0)
        figures = f"{first[0]:.2f} | {mean[0]:.2f} | {first[1]:.3f} | {mean[1]:.3f}"
        print(f"| {name} | {figures} |")
    right = clean.log_p.argmax(dim=1) == clean.labels
    mean = torch.tensor(tells).mean(dim=0).tolist()
    for i, (name, value) in enumerate(
        (
            ("small gradient norm", -clean.gradient),
            ("r", clean.robustness),
            ("log-odds", clean.log_odds),
        )
    ):
        alone = auroc(value[right], value[~right])
        print(f"{name} tells right from wrong: AUROC {alone:.3f} clean, {mean[i]:.3f} shifted")


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except ArcalError as error:
        raise SystemExit(f"robust_temperature: {error}") from None
