"""The smallest perturbations: arcal's attacks against public ones, distances and times.

    python -m benchmarks.attacks

prints a table for each network. The networks are trained when they are first needed. Every
measurement is kept in the cache folder, so that a killed run continues, and only those of arcal's
attacks that have changed are measured again. Delete the folder to measure everything in one run.
"""

import math
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from os import cpu_count
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import tyro
from scipy.stats import rankdata
from torch import Tensor

from arcal.compute.processes import keep_memory
from arcal.errors import ArcalError
from arcal.ranks import levels
from benchmarks.measure import Cache, Measurement
from benchmarks.peers import Contestant, ours, peers
from benchmarks.settings import SETTINGS, Draw, Setting

ROOT = Path(__file__).parents[1]
REFERENCES = ("foolbox-cw", "alma-1000")
LEVELS = 10


@dataclass(frozen=True)
class Options:
    """Benchmark the attacks for the smallest perturbation."""

    setting: Literal["cifar10", "fashion", "vit", "vgg", "robust-vgg", "digits", "all"] = "all"
    """What is attacked."""
    norm: Literal["l2", "linf"] = "l2"
    """What distances are measured by."""
    images: int = 512
    """How many test inputs."""
    fresh: bool = False
    """Attack inputs that are not for tuning; look at them once, and then take another --draw."""
    draw: int = 0
    """Which block of so many inputs."""
    batch: int = 64
    """How many of them at a time."""
    only: tuple[str, ...] = ()
    """Names, or parts of names, of the attacks to run."""
    skip: tuple[str, ...] = ()
    """Names of attacks to leave out."""
    quick: bool = False
    """64 images and no attack of 1,000 passes or more."""
    slow: bool = False
    """Add foolbox's attack without its early stop."""
    cache: Path = Path(".benchmarks")
    """Where measurements, and the networks trained for them, are kept."""


@dataclass(frozen=True, eq=False)
class Row:
    """One attack over all images: `distance` `(N,)`, the rest an image.

    `ms` of processor time, `passes` as ours report them and else the backward ones, rows `forward`
    and `backward`, which for ours are counted on a few inputs; for ours also `plain_ms` and
    `twin_ms`, the cost of a pass, and `over_floor`: its time over that of its passes on the twin,
    else nan.
    """

    who: Contestant
    distance: Tensor
    ms: float
    passes: float
    forward: float
    backward: float
    plain_ms: float
    twin_ms: float
    over_floor: float
    runs: frozenset[str]


def main(options: Options) -> None:
    """Run and print."""
    if min(options.images, options.batch) < 1:
        raise ArcalError("--images and --batch must be at least 1")
    torch.set_num_threads(1)
    keep_memory()
    found, missing = peers(slow=options.slow, norm=options.norm)
    print(*missing, sep="\n", end="\n" * bool(missing), file=sys.stderr)
    contestants = chosen(found + ours(options.norm), options)
    images = min(options.images, 64) if options.quick else options.images
    for name, load in SETTINGS.items():
        if options.setting not in (name, "all"):
            continue
        where = load(Draw(images, options.fresh, options.draw), options.cache)
        rows = run(where, contestants, Cache(options.cache / "measured", now()), options.batch)
        text = "\n\n".join(section(where, rows, options.batch, missing))
        print(f"\n## {name}\n\n{text}\n", flush=True)


def chosen(contestants: Sequence[Contestant], options: Options) -> list[Contestant]:
    """The attacks that the options select."""
    unknown = set(options.skip) - {who.name for who in contestants}
    if unknown:
        raise ArcalError(f"no attack is called {min(unknown)}: it cannot be left out")
    kept = [who for who in contestants if not (options.quick and who.long)]
    kept = [who for who in kept if who.name not in options.skip]
    if options.only:
        names = {who.name for who in contestants}
        parts = [part for part in options.only if part not in names]  # the others are whole names
        kept = [w for w in kept if w.name in options.only or any(part in w.name for part in parts)]
    if not kept:
        names = ", ".join(who.name for who in contestants)
        raise ArcalError(f"no attack is called {' or '.join(options.only)}: there are {names}")
    return kept


def run(where: Setting, contestants: Sequence[Contestant], cache: Cache, size: int) -> list[Row]:
    """Every attack on a batch in turn, then on the next, so that disturbances affect all alike."""
    batches = -(-len(where.images) // size)
    measured = {who.name: [] for who in contestants}
    for batch in range(batches):
        for who in contestants:
            one = cache.measured(who, where, batch, size)
            measured[who.name].append(one)
            print(
                f"{where.name} {batch + 1}/{batches} {who.name}: "
                f"{1000 * one.seconds / len(one.distance):.1f} ms/image",
                file=sys.stderr,
                flush=True,
            )
    return [row(who, measured[who.name]) for who in contestants]


def section(where: Setting, rows: list[Row], size: int, missing: list[str]) -> list[str]:
    """The paragraphs of one setting."""
    runs = sorted(frozenset().union(*(row.runs for row in rows)))
    if len(runs) == 1:
        times = f"All times are from one run, {runs[0]}."
    else:
        times = f"Times are from {len(runs)} runs ({', '.join(runs)}): their ratios are less sure."
    parts = [
        f"{where.about}; {len(where.images)} test images, batches of {size}.",
        attacks_table(rows, where.ids, REFERENCES),
        pass_costs(rows),
        carlini_wagner_claims(rows),
        calls(rows),
        f"{times} {machine()}",
        *missing,
    ]
    return [part for part in parts if part]


def machine() -> str:
    """The processor, the releases and the command of this measurement."""
    try:
        about = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        about = ""
    names = [line.partition(":")[2].strip() for line in about.splitlines() if "model name" in line]
    commit = _git("rev-parse", "--short", "HEAD") or "unknown"
    changed = " with changes" if _git("status", "--porcelain", "--", "src", "benchmarks") else ""
    command = shlex.join(["python", "-m", "benchmarks.attacks", *sys.argv[1:]])
    return (
        f"{names[0] if names else 'Unknown processor'}, {cpu_count()} cores, one thread; torch "
        f"{torch.__version__}; commit {commit}{changed}; `{command}`."
    )


def _git(*command: str) -> str:
    try:
        done = subprocess.run(
            ["git", *command], capture_output=True, text=True, cwd=ROOT, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip()


def now() -> str:
    """The time, which serves as the name of a run."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def spearman(a: Tensor, b: Tensor) -> float:
    """Spearman's rank correlation of two `(N,)`; +inf ranks highest. nan if one is constant."""
    return float(np.corrcoef(rankdata(a.numpy()), rankdata(b.numpy()))[0, 1])


def row(who: Contestant, batches: Sequence[Measurement]) -> Row:
    """Sum up the batches of one attack."""
    distance = torch.cat([batch.distance for batch in batches])
    N, counted = len(distance), max(sum(batch.counted for batch in batches), 1)
    seconds = sum(batch.seconds for batch in batches)
    floor = sum(batch.passes * batch.twin for batch in batches)
    return Row(
        who,
        distance,
        ms=1000 * seconds / N,
        passes=sum(batch.passes or batch.backward for batch in batches) / N,
        forward=sum(batch.forward for batch in batches) / counted,
        backward=sum(batch.backward for batch in batches) / counted,
        plain_ms=1000 * sum(batch.plain * len(batch.distance) for batch in batches) / N,
        twin_ms=1000 * sum(batch.twin * len(batch.distance) for batch in batches) / N,
        over_floor=seconds / floor if floor else math.nan,
        runs=frozenset(batch.run for batch in batches),
    )


def attacks_table(rows: Sequence[Row], ids: Tensor, references: Sequence[str]) -> str:
    """The main table. `references` are the rows whose time every other's is divided into."""
    best = torch.stack([row.distance for row in rows]).amin(dim=0)
    by_name = {row.who.name: row for row in rows}
    slower = [by_name[name] for name in references if name in by_name]
    header = ["attack", "ms/image"]
    header += [f"times faster than {row.who.name}" for row in slower]
    header += [
        "passes",
        "forward / backward",
        "success",
        "mean",
        "median",
        "within 1 % / 5 % of best",
    ]
    header += ["ρ with best", "same decile as best", "optimality"]
    lines = []
    for one in rows:
        found = one.distance.isfinite()
        mark = "" if found.all() else "*"
        within = [(one.distance <= (1 + part) * best)[best.isfinite()] for part in (0.01, 0.05)]
        lines.append(
            [
                one.who.name + ("" if one.who.competes else " (reference)"),
                number(one.ms),
                *[number(row.ms / one.ms) for row in slower],
                f"{one.passes:.1f}",
                f"{one.forward:.0f} / {one.backward:.0f}",
                f"{found.double().mean():.3f}",
                f"{length(float(one.distance[found].mean()))}{mark}",
                length(median(one.distance)),
                " / ".join(f"{part.double().mean():.2f}" for part in within),
                f"{spearman(one.distance.double(), best.double()):.4f}",
                f"{same_level(one.distance, best, ids):.2f}",
                f"{optimality(one.distance, best):.4f}",
            ]
        )
    finite = best[best.isfinite()]
    about = f"Best known: mean {length(float(finite.mean()))}, median {length(median(best))}"
    missed = len(best) - len(finite)
    about += f"; for {missed} images nothing was found." if missed else "."
    if any("*" in "".join(line) for line in lines):
        about += " * mean over successes."
    return markdown(header, lines) + "\n\n" + about


def carlini_wagner_claims(rows: Sequence[Row]) -> str:
    """Our Carlini-Wagner against others' at the same settings, and against its own floor."""
    by_name = {row.who.name: row for row in rows}
    lines = []
    for own, peer in (
        ("arcal-cw-full", "adv-lib-cw-full"),
        ("arcal-cw-full", "foolbox-cw-full"),
        ("arcal-cw", "foolbox-cw"),
    ):
        if own in by_name and peer in by_name:
            a, b = by_name[own], by_name[peer]
            both = a.distance.isfinite() & b.distance.isfinite()
            ratio = (a.distance / b.distance)[both]
            lines.append(
                [
                    f"{own} / {peer}",
                    f"{median(ratio):.4f}",
                    f"{median(a.distance):.4f} / {median(b.distance):.4f}",
                    number(b.ms / a.ms),
                ]
            )
    header = ["pair", "median of distance ratios", "medians of distances", "times faster"]
    parts = [markdown(header, lines)] if lines else []
    full = by_name.get("arcal-cw-full")  # without early stop the batch stays whole
    if full is not None:
        parts.append(
            f"arcal-cw-full takes {full.over_floor:.3f} times as long as its forward and backward "
            "passes alone on the folded twin."
        )
    return "\n\n".join(parts)


def pass_costs(rows: Sequence[Row]) -> str:
    """What one forward and backward pass to the input costs, measured around our attacks."""
    ours = [row for row in rows if row.twin_ms]
    if not ours:
        return ""
    plain = sum(row.plain_ms for row in ours) / len(ours)
    twin = sum(row.twin_ms for row in ours) / len(ours)
    return (
        f"One forward and backward pass to the input costs {plain:.3f} ms/image on the model as "
        f"given and {twin:.3f} on the folded twin."
    )


def calls(rows: Iterable[Row]) -> str:
    """What each row ran."""
    lines = [[row.who.name, row.who.of, f"`{row.who.call}`"] for row in rows]
    return markdown(["attack", "of", "call"], lines)


def same_level(a: Tensor, b: Tensor, ids: Tensor) -> float:
    """How often an image is in the same one of `LEVELS` equal levels by both distances."""
    R = min(LEVELS, len(ids))
    return (levels(a, ids, R) == levels(b, ids, R)).double().mean().item()


def optimality(distance: Tensor, best: Tensor) -> float:
    """AttackBench's local optimality: 1 where every distance `(N,)` is the best known, `best`.

    Robust accuracy falls from 1 at radius 0 to 0 at the greatest of the best distances, e. The
    areas above the curves of the attack and of the best, up to e, are divided by one another: the
    mean of `max(0, e - distance)` by that of `e - best`. An input without a distance adds nothing.

    >>> optimality(torch.tensor([1.0, 3.0]), torch.tensor([1.0, 2.0]))
    1.0
    >>> optimality(torch.tensor([1.5, 2.0]), torch.tensor([1.0, 2.0]))
    0.5
    """
    reached = best.isfinite()
    end = best[reached].max()
    above = (end - distance[reached]).clamp(min=0).double().sum()
    return float(above / (end - best[reached]).double().sum())


def median(values: Tensor) -> float:
    """The mean of the middle two where there are two; failures, +inf, are at the far end."""
    ascending = values.double().sort().values
    middle = (len(values) - 1) / 2
    return (ascending[math.floor(middle)] / 2 + ascending[math.ceil(middle)] / 2).item()


def length(distance: float) -> str:
    """A distance with four digits behind the point, and six below .01."""
    return f"{distance:.{4 if distance >= 0.01 else 6}f}"


def number(value: float) -> str:
    """Three significant digits."""
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}" if value > 0 else "0"


def markdown(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table."""
    rows = [list(header), ["---"] * len(header), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    try:
        main(tyro.cli(Options))
    except ArcalError as error:
        sys.exit(f"error: {error}")
