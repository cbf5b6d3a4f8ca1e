"""From measurements to the tables of `docs/notebook/attacks.md`."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from arcal.ranks import levels
from benchmarks.measure import Measurement
from benchmarks.peers import Contestant

LEVELS = 10


def spearman(a: Tensor, b: Tensor) -> float:
    """Spearman's rank correlation of two `(N,)`; +inf ranks highest. nan if one is constant."""
    return float(np.corrcoef(rankdata(a.numpy()), rankdata(b.numpy()))[0, 1])


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
    for ours, peer in (
        ("arcal-cw-full", "adv-lib-cw-full"),
        ("arcal-cw-full", "foolbox-cw-full"),
        ("arcal-cw", "foolbox-cw"),
    ):
        if ours in by_name and peer in by_name:
            a, b = by_name[ours], by_name[peer]
            both = a.distance.isfinite() & b.distance.isfinite()
            ratio = (a.distance / b.distance)[both]
            lines.append(
                [
                    f"{ours} / {peer}",
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
