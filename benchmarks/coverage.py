"""How often an audit's 95 % intervals contain the truth, where it is known and errors are few.

    python -m benchmarks.coverage

Labels are drawn from a logit that each of two models sees with noise of its own. Prints, by the
expected number of errors of the first model, the share of intervals that contain the truth, and how
often one of two equally good models is called better, as in
`docs/notebook/calibration-measures.md`. Some 6 minutes of processor time.
"""

import sys
from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import product

import torch
import tyro
from torch import Tensor

from arcal.auditing import as_predictions, difference
from arcal.auditing._few_errors import score_estimates
from arcal.calibration import aurc_interval
from arcal.calibration.draws import drawn_counts
from arcal.calibration.resampled import resampled_scores

SIZES = (200, 1000, 4000, 10_000)
ERRORS = (0.001, 0.003, 0.01, 0.03, 0.1)
FIGURES = ("accuracy", "gap", "nll", "brier", "aurc")
MOST = 120
ROWS = {"0 to 2 errors": 2, "to 10": 10, "to 40": 40, "to 120": MOST}
ROUNDING = 1e-12


@dataclass(frozen=True)
class World:
    """Two models that see a logit of deviation 3 with noise, and multiply it by their sharpness.

    A share of all errors, `mislabelled`, are wrong labels.
    """

    noise: tuple[float, float]
    sharpness: tuple[float, float] = (1.0, 1.0)
    mislabelled: float = 0.0

    def draw(self, N: int, mean: float, error: float, seed: int) -> tuple[Tensor, Tensor]:
        """The logits `(2, N)` of both models, and the chances `(N,)` of class 1."""
        draw = torch.randn(3, N, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        z = mean + 3 * draw[2]
        p, flip = z.sigmoid(), error * self.mislabelled
        both = z + torch.tensor(self.noise).double()[:, None] * draw[:2]
        return torch.tensor(self.sharpness).double()[:, None] * both, p + flip - 2 * p * flip

    def mean_for(self, error: float) -> float:
        """The mean logit at which the first model is wrong on this share of inputs."""
        low, high = 0.0, 40.0
        for _ in range(40):
            mean = (low + high) / 2
            z, p = self.draw(200_000, mean, error, seed=0)
            wrong = torch.where(z[0] > 0, 1 - p, p).mean()
            low, high = (mean, high) if wrong > error else (low, mean)
        return (low + high) / 2


WORLDS = {
    "equal, calibrated but for noise": World((1.0, 1.0)),
    "equal, over-confident": World((1.0, 1.0), (2.0, 2.0)),
    "equal, half of the errors wrong labels": World((1.0, 1.0), mislabelled=0.5),
    "calibrated, and the other noisy": World((0.0, 2.0), (1.0, 1.5)),
    "over-confident, and the same at another temperature": World((0.0, 0.0), (2.0, 1.0), 0.2),
}


@cache
def truth(name: str, error: float) -> tuple[float, dict[str, float]]:
    """The mean logit, and the figures from many inputs and the chances of their labels."""
    mean = WORLDS[name].mean_for(error)
    z, p = WORLDS[name].draw(1_000_000, mean, error, seed=1)
    figures = []
    for logit in z:
        right = torch.where(logit > 0, p, 1 - p)
        confidence, order = logit.abs().sigmoid(), logit.abs().argsort(descending=True)
        rank = torch.arange(1, len(p) + 1)
        loss = -(p * logit.sigmoid().log() + (1 - p) * (-logit).sigmoid().log())
        values = {
            "accuracy": right,
            "gap": confidence - right,
            "nll": loss,
            "brier": 2 * (right * (1 - confidence) ** 2 + (1 - right) * confidence**2),
            "aurc": (1 - right)[order].cumsum(0) / rank,
        }
        figures.append({name: one.mean().item() for name, one in values.items()})
    one, other = figures
    equal = name.startswith("equal")
    apart = {f"difference.{figure}": 0 if equal else one[figure] - other[figure] for figure in one}
    return mean, one | apart


def intervals(
    logits: Tensor, labels: Tensor, weights: Tensor | None, resamples: int
) -> dict[str, tuple[float, float]]:
    """The intervals of the first model's figures, and of these minus the second's."""
    one, other = (
        as_predictions(logits=torch.stack([torch.zeros_like(z), z], 1), labels=labels)
        for z in logits
    )
    N = len(labels)
    drawn = resampled_scores(
        one.scores, drawn_counts(N, resamples, seed=0), weights=weights, smooth=False
    )
    w = torch.ones(N, dtype=torch.float64) if weights is None else weights
    alone = score_estimates(drawn, N, w, one.scores)
    ends = {name: (alone[name].low, alone[name].high) for name in ("nll", "brier")}
    ends["aurc"] = aurc_interval(one.confidence, one.correct, weights=weights)
    apart = difference(one, other, weights=weights, resamples=resamples)
    for name in FIGURES:
        estimate = getattr(apart, name)
        ends[f"difference.{name}"] = estimate.low, estimate.high
    return ends


def main(draws: int = 60, resamples: int = 60, weighted: bool = False) -> None:
    """Print the table, from `draws` draws of each setting, with weights of .1 to 2 or without."""
    torch.set_num_threads(1)
    above, below = Counter[tuple[str, str, str]](), Counter[tuple[str, str, str]]()
    tries = Counter[tuple[str, str, str]]()
    settings = [
        (*both, N) for both in product(WORLDS, ERRORS) for N in SIZES if N * both[1] <= MOST
    ]
    for name, error, N in settings:
        mean, true = truth(name, error)
        few = next(label for label, most in ROWS.items() if N * error <= most)
        for seed in range(draws):
            logits, p = WORLDS[name].draw(N, mean, error, seed=seed + 2)
            generator = torch.Generator().manual_seed(seed)
            labels = (torch.rand(N, generator=generator) < p).long()
            w = 0.1 + 1.9 * torch.rand(N, generator=generator).double() if weighted else None
            for figure, (low, high) in intervals(logits, labels, w, resamples).items():
                above[figure, few, name] += low > true[figure] + ROUNDING
                below[figure, few, name] += high < true[figure] - ROUNDING
                tries[figure, few, name] += 1
        print(f"{name}, {error:g} of {N:,}", file=sys.stderr)

    print("| held, of all, and of the worst pair, % | " + " | ".join(ROWS) + " |")
    print("|---" * (1 + len(ROWS)) + "|")
    for figure in dict.fromkeys(figure for figure, *_ in tries):
        cells = []
        for few in ROWS:
            keys = [key for key in tries if key[:2] == (figure, few)]
            shares = [100 - 100 * (above[key] + below[key]) / tries[key] for key in keys]
            cells.append(f"{sum(shares) / len(shares):.1f}, {min(shares):.1f}")
        print(f"| {figure} | " + " | ".join(cells) + " |")
    print("\nmodels that are equally good, called better or worse, % a side:")
    for figure in (f"difference.{figure}" for figure in FIGURES):
        keys = [key for key in tries if key[0] == figure and key[2].startswith("equal")]
        sides = sum(above[key] + below[key] for key in keys) / 2
        print(f"{figure} {100 * sides / sum(tries[key] for key in keys):.1f}")


if __name__ == "__main__":
    tyro.cli(main)
