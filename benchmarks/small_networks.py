"""Small networks on tables: how often does the attack miss a near boundary?

On moons and on one column every distance is compared with an exhaustive search; on iris, wine and
digits, which come with scikit-learn, with the nearest of many starts and of all attacks in the
table.

    python -m benchmarks.small_networks --tables moons --activations tanh --seeds 1
"""

import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
import tyro
from torch import Tensor, nn

from arcal.attacks import ATTACKS, Adversarial, BoundaryProjection, Bounds, CarliniWagner
from arcal.attacks.norms import NORMS, clamped
from arcal.errors import ArcalError
from arcal.robustness import Attack

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "relu": nn.ReLU,
    "gelu": nn.GELU,
}


@dataclass(frozen=True)
class Options:
    """Compare distances on small networks with the true ones."""

    tables: tuple[str, ...] = ("column", "moons", "iris", "wine", "digits")
    activations: tuple[str, ...] = tuple(ACTIVATIONS)
    seeds: tuple[int, ...] = (0,)
    """Of the weights and of which inputs are scored: 0 was used for tuning."""
    inputs: int = 100
    carlini_wagner: bool = True
    """Run Carlini and Wagner's attack at its full length as well, which is of L2."""
    norm: Literal["l2", "linf"] = "l2"
    """What distances are measured by."""


@dataclass(frozen=True, eq=False)
class Case:
    """A trained network and N inputs of its table, each row standardised or in `bounds`."""

    name: str
    model: nn.Module
    x: Tensor
    bounds: Bounds
    accuracy: float


def table(name: str, seed: int) -> tuple[Tensor, Tensor, Bounds]:
    """Inputs `(N, D)`, labels `(N,)` and bounds of a table."""
    if name == "column":
        x = 6 * torch.rand(600, 1, generator=torch.Generator().manual_seed(seed)) - 3
        return x, ((2 * x[:, 0]).floor().long() % 3), None  # twelve intervals
    if name == "moons":
        return *moons(600, 0.1, seed), None
    from sklearn import datasets  # the tables come with it

    bunch: Any = getattr(datasets, f"load_{name}")()
    x, y = torch.tensor(bunch.data).float(), torch.tensor(bunch.target).long()
    if name == "digits":
        return x / 16, y, (0.0, 1.0)
    return (x - x.mean(0)) / x.std(0), y, None


def moons(N: int, noise: float, seed: int) -> tuple[Tensor, Tensor]:
    """Two interlocking half circles, as scikit-learn makes them."""
    generator = torch.Generator().manual_seed(seed)
    angle = torch.linspace(0, math.pi, N // 2)
    outer = torch.stack([angle.cos(), angle.sin()], dim=1)
    inner = torch.stack([1 - angle.cos(), 0.5 - angle.sin()], dim=1)
    x = torch.cat([outer, inner])
    x = x + noise * torch.randn(x.shape, generator=generator)
    return x, torch.arange(2).repeat_interleave(N // 2)


def trained(x: Tensor, y: Tensor, activation: str, seed: int) -> nn.Module:
    """A network of 2 layers of 32 units, trained on the whole table."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layer = ACTIVATIONS[activation]
        model = nn.Sequential(
            nn.Linear(x.shape[1], 32),
            layer(),
            nn.Linear(32, 32),
            layer(),
            nn.Linear(32, int(y.max()) + 1),
        )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(600):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return model.eval().requires_grad_(False)


def case(name: str, activation: str, seed: int, inputs: int) -> Case:
    """The network of this table and activation, and the inputs that are scored."""
    x, y, bounds = table(name, seed)
    model = trained(x, y, activation, seed)
    accuracy = float((model(x).argmax(1) == y).float().mean())
    chosen = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:inputs]
    return Case(f"{name} {activation}", model, x[chosen], bounds, accuracy)


@torch.no_grad()
def exhaustive(
    model: nn.Module, x: Tensor, upper: Tensor, angles: int = 360, norm: str = "l2"
) -> Tensor:
    """The distance of the nearest flip from each of `x` `(N, D)`, D 1 or 2, by search, `(N,)`.

    Along each ray, radii rise by 5 % from 1e-3 to 100, and 150 more are spaced evenly up to the
    nearest flip known, `upper` `(N,)` included; the first flip is refined by bisection. +inf where
    there is none.
    """
    if x.shape[1] == 1:
        rays = torch.tensor([[-1.0], [1.0]])
    else:
        angle = torch.arange(angles) * 2 * math.pi / angles
        rays = torch.stack([angle.cos(), angle.sin()], dim=1)
    rays = rays / NORMS[norm].length(rays).unsqueeze(1)
    rising = 1e-3 * 1.05 ** torch.arange(236)
    coarse = rays[:: max(1, len(rays) // 45)]
    nearest = []
    for point, known in zip(x, upper.tolist(), strict=True):
        known = min(known, _first_flip(model, point, coarse, rising))
        if math.isinf(known):
            nearest.append(known)
            continue
        radii = known * 1.001 * torch.arange(1, 151) / 150
        nearest.append(min(known, _first_flip(model, point, rays, radii)))
    return torch.tensor(nearest)


def _first_flip(model: nn.Module, point: Tensor, rays: Tensor, radii: Tensor) -> float:
    """The least radius `(R,)` along any of the rays `(A, D)` at which the prediction changes."""
    y = model(point[None]).argmax()

    def flips(points: Tensor) -> Tensor:
        return (model(points.flatten(0, -2)).argmax(1) != y).view(points.shape[:-1])

    grid = flips(point + radii[:, None, None] * rays)
    some = grid.any(dim=0)
    if not some.any():
        return math.inf
    first = grid[:, some].float().argmax(dim=0)
    some = some.nonzero().squeeze(1)[near := first <= first.min() + 1]
    first = first[near]
    high = radii[first]
    low = torch.where(first > 0, radii[(first - 1).clamp(min=0)], 0.0)
    for _ in range(20):
        middle = (low + high) / 2
        beyond = flips(point + middle[:, None] * rays[some])
        low, high = torch.where(beyond, low, middle), torch.where(beyond, middle, high)
    return float(high.min())


def many_starts(where: Case, norm: Literal["l2", "linf"], starts: int = 64) -> Tensor:
    """The smallest distance that the boundary projection finds from other points, `(N,)`.

    It starts in turn from other inputs, and from the inputs with noise of .3 to 5.8 deviations.
    """
    attack = BoundaryProjection(starts=0, norm=norm)
    best = torch.full((len(where.x),), math.inf)
    spread = where.x.std(dim=0)
    for i in range(starts):
        noise = torch.randn(where.x.shape, generator=torch.Generator().manual_seed(1000 + i))
        near = clamped(where.x + 0.3 * 1.1 ** (i // 2) * spread * noise, where.bounds)
        start = where.x.roll(7 * i + 1, 0) if i % 2 else near
        best = best.minimum(attack(where.model, where.x, where.bounds, start=start).distance)
    return best


def attacks(options: Options) -> Iterator[tuple[str, Attack]]:
    """What is compared, by name."""
    if options.carlini_wagner and options.norm == "l2":
        yield "carlini-wagner, full length", CarliniWagner(early_stop=False)
    norm = options.norm
    yield "boundary-projection, 1 start", BoundaryProjection(starts=0, norm=norm)
    yield "boundary-projection-quick", replace(ATTACKS["boundary-projection-quick"], norm=norm)
    yield "boundary-projection", BoundaryProjection(norm=norm)


def line(where: Case, name: str, scored: Adversarial, best: Tensor, seconds: float) -> str:
    """A row of the table."""
    real = best.isfinite()
    ratio = scored.distance[real] / best[real]
    reached = ratio.isfinite()
    cells = (
        where.name,
        name,
        f"{scored.passes.double().mean():.0f}",
        f"{1000 * seconds / len(where.x):.1f}",
        int((ratio > 1.05).sum()),
        int((~reached).sum()),
        f"{scored.distance[real][reached].mean():.4f}",
        f"{ratio[reached].max():.2f}",
    )
    return f"| {' | '.join(map(str, cells))} |"


def rows(where: Case, options: Options) -> Iterator[str]:
    """The lines of one network."""
    results: list[tuple[str, Adversarial, float]] = []
    for name, attack in attacks(options):
        began = time.process_time()
        scored = attack(where.model, where.x, where.bounds)
        results.append((name, scored, time.process_time() - began))
    best = torch.stack([scored.distance for _, scored, _ in results]).amin(dim=0)
    if where.x.shape[1] <= 2:
        best = exhaustive(where.model, where.x, best, norm=options.norm)
    else:
        best = best.minimum(many_starts(where, options.norm))
    for name, scored, seconds in results:
        yield line(where, name, scored, best, seconds)
    real = best[best.isfinite()]
    yield (
        f"| {where.name} | the truth, or the best known: {len(real)} of {len(best)} have a "
        f"boundary; accuracy {where.accuracy:.3f} | | | 0 | 0 | {real.mean():.4f} | 1.00 |"
    )


def main(options: Options) -> None:
    """Train, score and print."""
    torch.set_num_threads(1)
    head = "network", "attack", "passes", "ms/input", "over 5 % off", "not found", "mean", "worst"
    print(f"| {' | '.join(head)} |", "| --- " * len(head) + "|", sep="\n")
    for name in options.tables:
        for activation in options.activations:
            for seed in options.seeds:
                where = case(name, activation, seed, options.inputs)
                for text in rows(where, options):
                    print(text, flush=True)


if __name__ == "__main__":
    try:
        main(tyro.cli(Options))
    except ArcalError as error:
        sys.exit(f"error: {error}")
