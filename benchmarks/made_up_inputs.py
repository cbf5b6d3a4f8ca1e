"""What an audit and an estimate say about synthetic inputs, for which the truth is known.

    python -m benchmarks.made_up_inputs

Prints the figures of `docs/audit.md`, `docs/calibrate.md` and `docs/production.md` about synthetic
inputs: a group that depends on the label, the worst of many groups, patients with several inputs,
the accuracy estimated without labels, and calibrators compared on few inputs. Labels are drawn from
the softmax of standard normal logits times a sharpness, so that a model with these logits is
calibrated. Two minutes of processor time.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import product

import torch
import tyro
from torch import Tensor
from torch.nn.functional import cross_entropy

from arcal.auditing import as_predictions, by_group, choose_calibrator, one_per
from arcal.calibration.posthoc import POSTHOC, BatchTemperature, fit_batch_temperature
from arcal.report.audited._figures import worst_group

LABELLED = 5000
ACCURACIES = (0.6, 0.75, 0.9, 0.99)


def inputs(N: int, Z: int, sharpness: float, seed: int) -> tuple[Tensor, Tensor]:
    """Logits `(N, Z)` of a calibrated model, and labels `(N,)`."""
    generator = torch.Generator().manual_seed(seed)
    z = sharpness * torch.randn(N, Z, generator=generator, dtype=torch.float64)
    return z, torch.multinomial(z.softmax(1), 1, generator=generator)[:, 0]


@cache
def sharpness_for(accuracy: float, Z: int) -> float:
    """The sharpness at which the model is right on this share of inputs."""
    z, _ = inputs(20_000, Z, 1.0, seed=0)
    low, high = 0.0, 1000.0
    for _ in range(40):
        middle = (low + high) / 2
        right = (middle * z).softmax(1).amax(1).mean().item()
        low, high = (middle, high) if right < accuracy else (low, middle)
    return (low + high) / 2


def group_that_depends_on_the_label() -> Iterator[str]:
    """A model calibrated on a rare class, audited by a treatment that follows the diagnosis."""
    generator = torch.Generator().manual_seed(0)
    log_odds = -3.2 + 1.2 * torch.randn(20_000, generator=generator, dtype=torch.float64)
    y = (torch.rand(20_000, generator=generator) < log_odds.sigmoid()).long()
    treated = torch.rand(20_000, generator=generator) < torch.where(y == 1, 0.8, 0.05)
    said = as_predictions(logits=torch.stack([0 * log_odds, log_odds], 1), labels=y)
    for group in by_group(said, treated.long(), ("not treated", "treated"), resamples=200):
        gap = ", ".join(f"{100 * x:.1f}" for x in (group.gap.value, group.gap.low, group.gap.high))
        yield f"{group.name}: {group.n:,} inputs, gap {gap} points ({group.verdict})"
    yield f"all: {100 * y.double().mean():.1f} % positive"


def worst_of_many() -> Iterator[str]:
    """Groups that are all alike: how often one stands out, and how far off the worst one looks."""
    for G, n, over, draws in ((12, 300, 0.0, 300), (200, 100, 0.0, 100), (10, 300, 0.03, 300)):
        own, joint, holds, excess = 0, 0, 0, 0.0
        for seed in range(draws):
            generator = torch.Generator().manual_seed(seed)
            right = torch.rand(G * n, generator=generator) < 0.85
            p = torch.full((G * n,), 0.85 + over, dtype=torch.float64)
            said = as_predictions(probabilities=torch.stack([p, 1 - p], 1), labels=(~right).long())
            numbers = torch.arange(G * n) // n
            groups = by_group(said, numbers, [str(g) for g in range(G)], resamples=2)
            worst = worst_group(groups)
            assert worst is not None
            alone = next(group for group in groups if group.name == worst.name)
            own += any(group.gap.low > 0 for group in groups)
            joint += worst.gap.low > 0
            holds += alone.gap.low <= over <= alone.gap.high
            excess += worst.gap.value - over
        yield (
            f"{G} groups of {n}, over-confident by {100 * over:.0f} points: an own interval above "
            f"0 in {share(own, draws)} of {draws} draws, that of the worst in {share(joint, draws)}"
            f"; the worst looks {100 * excess / draws:+.1f} points off, and its own interval holds "
            f"its gap in {share(holds, draws)}"
        )


def patients() -> Iterator[str]:
    """Patients with 1 to 20 inputs, the harder the more: an input each, and all inputs."""
    generator = torch.Generator().manual_seed(0)
    count = 1 + (20 * torch.rand(4000, generator=generator).square()).long()
    patient = torch.arange(4000).repeat_interleave(count)
    p = 0.99 - 0.02 * count[patient].double()
    right = torch.rand(len(p), generator=generator) < p
    rows = one_per(patient)
    yield f"{100 * right.double().mean():.1f} % of {len(p):,} inputs are right"
    yield f"{100 * right[rows].double().mean():.1f} % of {len(rows):,}, one of each patient"
    truth = (0.99 - 0.02 * count.double()).mean()
    yield f"{100 * truth:.1f} % is the accuracy for a patient"


def less_sure() -> Iterator[str]:
    """Inputs of which the three tenths that the model is least sure of come 2.5 times as often."""
    for Z, accuracy in product((2, 10), ACCURACIES):
        sharpness, off, by_confidence = sharpness_for(accuracy, Z), [], []
        for seed in range(20):
            stream = calibrated_stream(Z, sharpness, seed)
            z, y = inputs(20_000, Z, sharpness, seed=1000 + seed)
            order = z.softmax(1).amax(1).argsort()
            often = torch.ones(len(order))
            often[order[: 3 * len(order) // 10]] = 2.5
            generator = torch.Generator().manual_seed(seed)
            rows = torch.multinomial(often, 5000, replacement=True, generator=generator)
            right = (z[rows].argmax(1) == y[rows]).double().mean().item()
            said = stream.estimate(z[rows].log_softmax(1))
            off.append(said.accuracy - right)
            by_confidence.append(said.confidence - right)
        mean, other = (100 * sum(some) / len(some) for some in (off, by_confidence))
        yield (
            f"{Z} classes, right on {100 * accuracy:.0f} %: the estimate is off by {mean:+.2f} "
            f"points, the mean confidence by {other:+.2f}"
        )


def wrong_and_sure() -> Iterator[str]:
    """Inputs whose logits have noise added: the model is as sure as before, and often wrong."""
    sharpness = sharpness_for(0.9, 10)
    stream = calibrated_stream(10, sharpness, seed=0)
    z, y = inputs(1500, 10, sharpness, seed=1)
    noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    z = z + 3 * noise
    said = stream.estimate(z.log_softmax(1))
    ends = ", ".join(f"{100 * x:.1f}" for x in (said.accuracy, said.low, said.high))
    right = 100 * (z.argmax(1) == y).double().mean()
    yield f"estimated {ends} %; {right:.1f} % are right, {100 * stream.accuracy:.1f} % before"


def alarms() -> Iterator[str]:
    """A stream of inputs like the labelled ones: how often it says that something has changed."""
    sharpness, draws, of, any_, throughout = sharpness_for(0.9, 10), 60, 0, 0, 0
    for seed in range(draws):
        stream = calibrated_stream(10, sharpness, seed)
        z, _ = inputs(20_000, 10, sharpness, seed=1000 + seed)
        alarm = []
        for batch in z.log_softmax(1).split(100):
            today = stream.update(batch)
            alarm.append(today.doubt is not None or today.high < stream.accuracy)
        of += sum(alarm)
        any_ += any(alarm)
        throughout += any(all(alarm[i : i + 10]) for i in range(len(alarm) - 9))
    yield (
        f"an alarm at {100 * of / (200 * draws):.1f} % of the checks, at one or more in {any_} of "
        f"{draws} draws, throughout 1,000 inputs in {throughout}"
    )


def few_inputs() -> Iterator[str]:
    """Calibrators of an over-confident model, compared on 200 inputs of ten classes."""
    names, draws = ("temperature", "vector", "dirichlet", "pts"), 60
    sharpness = sharpness_for(0.7, 10)
    log_p, y = over_confident(20_000, sharpness, seed=1000)
    before = cross_entropy(log_p, y)
    better, worse = Counter[str](), Counter[str]()
    for seed in range(draws):
        few, labels = over_confident(200, sharpness, seed)
        said = as_predictions(logits=few, labels=labels)
        choice = choose_calibrator(said, calibrators=names, resamples=200)
        for name, one in choice.candidates.items():
            change = cross_entropy(POSTHOC[name](few, labels)(log_p), y) - before
            better[name] += one.change.high < change.item()
            worse[name] += one.change.low > change.item()
    for name in names:
        yield (
            f"{name}: the interval of the change of log-loss is wholly below the truth in "
            f"{better[name]} and wholly above it in {worse[name]} of {draws} draws"
        )


def over_confident(N: int, sharpness: float, seed: int) -> tuple[Tensor, Tensor]:
    """Log-probabilities `(N, 10)` of a model whose logits are twice the true ones, and labels."""
    z, y = inputs(N, 10, sharpness, seed)
    return (2 * z).log_softmax(1), y


def calibrated_stream(Z: int, sharpness: float, seed: int) -> BatchTemperature:
    """A stream fitted to labelled inputs."""
    z, y = inputs(LABELLED, Z, sharpness, seed)
    return fit_batch_temperature(z.log_softmax(1), y)


def share(some: int, of: int) -> str:
    """In whole per cent."""
    return f"{100 * some / of:.0f} %"


CLAIMS: tuple[Callable[[], Iterator[str]], ...] = (
    group_that_depends_on_the_label,
    worst_of_many,
    patients,
    less_sure,
    wrong_and_sure,
    alarms,
    few_inputs,
)


def main(only: str = "") -> None:
    """Print the figures of every simulation, or of those whose name contains `only`."""
    for claim in CLAIMS:
        if only in claim.__name__:
            print(claim.__doc__)
            for line in claim():
                print(f"  {line}", flush=True)


if __name__ == "__main__":
    tyro.cli(main)
