"""How often the intervals of an audit hold a figure if errors come together in clusters.

    python -m benchmarks.clustered_intervals --clusters 50 --size 10 --accuracy 0.9 --alike 0.3

Each draw has clusters, such as patients, of about `--size` inputs. A calibrated model's luck on the
inputs of a cluster has the correlation `--alike` (a Gaussian copula, which is not the model that
the intervals assume). The figures of a large sample stand for the true ones. The first column is
with `clusters`; the second takes all inputs to be independent. The last row is the accuracy of
inputs without labels, estimated from others with labels; some clusters of both are harder.
Below are thresholds to act alone: in how many draws one was found, in how many it was too low, and
the mean coverage, 0 without a threshold.
"""

import math

import numpy as np
import torch
import tyro
from scipy.special import ndtr
from scipy.stats import beta
from torch import Tensor

from arcal.auditing import Predictions, as_predictions, figures, overall
from arcal.calibration import act_above
from arcal.calibration.posthoc import fit_batch_temperature

FIGURES = ("accuracy", "confidence", "ece", "smooth_ece", "nll", "brier", "aurc")
ESTIMATED = "unlabelled"
TARGETS = (0.9, 0.95)
LARGE = 600_000
HARDER = 0.3
"""The correlation of confidences within a cluster, of the inputs that are estimated."""


def main(
    clusters: int = 50,
    size: int = 10,
    accuracy: float = 0.9,
    alike: float = 0.3,
    draws: int = 150,
    resamples: int = 200,
) -> None:
    """Print the share of draws whose intervals hold each figure."""
    torch.set_num_threads(1)
    generator = np.random.default_rng(1)
    how = size, accuracy, alike, generator
    large = _drawn(LARGE // size, *how)[0]
    truth = figures(large) | {"ece": 0.0, "smooth_ece": 0.0}
    alone = {(target, k): [0, 0, 0.0] for target in TARGETS for k in (0, 1)}
    held = {name: [0, 0] for name in (*FIGURES, ESTIMATED)}
    apart = np.random.default_rng(2)
    harder = size, accuracy, alike, apart, HARDER
    for _ in range(draws):
        said, number = _drawn(clusters, *how)
        for k, given in enumerate((number, None)):
            over = overall(said, clusters=given, resamples=resamples)
            for name in FIGURES:
                one = getattr(over, name)
                held[name][k] += one.low <= truth[name] <= one.high
            for target in TARGETS:
                shown = act_above(said.confidence, said.correct, target, clusters=given)
                if shown is not None:
                    reached = large.confidence >= shown.confidence
                    wrong = large.correct[reached].double().mean().item() < target
                    counts = alone[target, k]
                    counts[0], counts[1] = counts[0] + 1, counts[1] + wrong
                    counts[2] += reached.double().mean().item()
        (labelled, of), (today, of_today) = (_drawn(clusters, *harder) for _ in range(2))
        for k, known in enumerate((True, False)):
            stream = fit_batch_temperature(
                labelled.log_probabilities, labelled.labels, clusters=of if known else None
            )
            one = stream.estimate(today.log_probabilities, of_today if known else None)
            held[ESTIMATED][k] += one.low <= truth["accuracy"] <= one.high
    print(f"{draws} draws: share of intervals that hold the figure")
    print("              with clusters   as if independent")
    for name, (with_clusters, without) in held.items():
        print(f"{name:12} {with_clusters / draws:14.3f} {without / draws:18.3f}")
    for (target, k), (shown, wrong, coverage) in alone.items():
        found, too_low, acts_on = (one / draws for one in (shown, wrong, coverage))
        print(f"to be right on {100 * target:g} %, {('with clusters', 'as if independent')[k]}:")
        print(f"  found in {found:.3f}, too low in {too_low:.3f}, coverage {acts_on:.3f}")


def _drawn(
    clusters: int,
    size: int,
    accuracy: float,
    alike: float,
    generator: np.random.Generator,
    harder: float = 0.0,
) -> tuple[Predictions, Tensor]:
    """Predictions of two classes, and the cluster of each."""
    sizes = 1 + np.minimum(generator.negative_binomial(1, 1 / size, clusters), 20 * size)
    number = np.repeat(np.arange(clusters), sizes)
    N, sure = len(number), 2 * accuracy - 1
    shares = 6 * sure, 6 * (1 - sure)
    if harder:
        own = math.sqrt(1 - harder) * generator.normal(size=N)
        ease = ndtr(math.sqrt(harder) * generator.normal(size=clusters)[number] + own)
        share = beta.ppf(ease, *shares)
    else:
        share = generator.beta(*shares, N)
    c = np.clip(0.5 + 0.5 * share, 0.5001, 1 - 1e-4)
    luck = math.sqrt(alike) * generator.normal(size=clusters)[number]
    right = ndtr(luck + math.sqrt(1 - alike) * generator.normal(size=N)) < c
    predicted = generator.integers(0, 2, N)
    p = np.where(predicted == 1, c, 1 - c)
    labels = np.where(right, predicted, 1 - predicted)
    said = as_predictions(probabilities=np.stack([1 - p, p], axis=1), labels=labels)
    return said, torch.from_numpy(number)


if __name__ == "__main__":
    tyro.cli(main)
