"""Claims that compare means over runs: paired by seed, and corrected for their number."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from arcal.auditing import Spread, paired_t
from arcal.calibration import holm
from arcal.paper.result import Claim

Comparison = tuple[str, Spread, Spread]
"""A claim in words, that the first of two means is lower than the second, and both spreads."""


def settled(claims: Sequence[Claim | Comparison]) -> list[Claim]:
    """The claims, with comparisons among them settled by `each_lower`, as one family."""
    tested = iter(each_lower([claim for claim in claims if not isinstance(claim, Claim)]))
    return [claim if isinstance(claim, Claim) else next(tested) for claim in claims]


def each_lower(comparisons: Sequence[Comparison]) -> list[Claim]:
    """The claims that one method's mean is lower than another's, over the same seeds.

    With three seeds or more, the p-value of the two-sided paired t-test is given, corrected by
    Holm's method for the number of comparisons.
    """
    claims = []
    for (text, ours, other), p in zip(comparisons, corrected(comparisons), strict=True):
        because = f"{100 * ours.mean:.2f} against {100 * other.mean:.2f}"
        if len(ours.values) == len(other.values) > 1:
            ahead = sum(a < b for a, b in zip(ours.values, other.values, strict=True))
            because += f", lower on {ahead} of {len(ours.values)} seeds"
        if p is not None:
            because += f", {p_text(p)}"
        claims.append(Claim(text, ours.mean < other.mean, because))
    return claims


def each_significantly_lower(comparisons: Sequence[Comparison]) -> list[Claim]:
    """The claims of `each_lower`, which hold only if the corrected p-value is below 0.05, too.

    With fewer than three seeds they are undecided.
    """
    return [
        replace(claim, holds=None if p is None else bool(claim.holds) and p < 0.05)
        for claim, p in zip(each_lower(comparisons), corrected(comparisons), strict=True)
    ]


def significantly_lower(text: str, comparisons: Sequence[Comparison]) -> Claim:
    """The claim that every comparison holds, each with a corrected p-value below 0.05.

    It is undecided if there are too few seeds to test all.
    """
    p = [value for value in corrected(comparisons) if value is not None]
    if len(p) < len(comparisons):
        return Claim(text, None, "fewer than three seeds")
    holds = all(ours.mean < other.mean for _, ours, other in comparisons) and max(p) < 0.05
    return Claim(text, holds, f"largest {p_text(max(p))} of {len(p)} comparisons")


def unchanged(text: str, ours: Spread, other: Spread) -> Claim:
    """The claim that two means over the same seeds do not differ significantly, at 0.05.

    It is undecided with fewer than three seeds, and says little with few, so look at the figures.
    """
    (p,) = corrected([(text, ours, other)])
    because = f"{100 * ours.mean:.2f} against {100 * other.mean:.2f}"
    if p is None:
        return Claim(text, None, f"{because}, fewer than three seeds")
    return Claim(text, p >= 0.05, f"{because}, {p_text(p)}")


def in_order(text: str, printed: Mapping[str, str], ours: Mapping[str, Spread]) -> Claim:
    """The claim that methods, by name, come in the order of the paper's numbers, lowest first."""
    expected = sorted(printed, key=lambda name: float(printed[name].partition("±")[0]))
    here = sorted(expected, key=lambda name: ours[name].mean)
    words = ", ".join(f"{name} {100 * ours[name].mean:.2f}" for name in here)
    return Claim(f"{text}: {', '.join(expected)}", here == expected, words)


def corrected(comparisons: Sequence[Comparison]) -> list[float | None]:
    """The p-value of each, corrected for how many are tested; None with fewer than three seeds."""
    tested = [i for i, (_, a, b) in enumerate(comparisons) if len(a.values) == len(b.values) > 2]
    p = holm([paired_p(comparisons[i][1], comparisons[i][2]) for i in tested])
    by_position = dict(zip(tested, p, strict=True))
    return [by_position.get(i) for i in range(len(comparisons))]


def p_text(p: float) -> str:
    """A p-value as it is printed."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def paired_p(a: Spread, b: Spread) -> float:
    """Two-sided p-value of the paired t-test; see `paired_t` for differences that are all equal."""
    ours, other = (torch.tensor(one.values, dtype=torch.float64, device="cpu") for one in (a, b))
    return paired_t(ours - other)[3]
