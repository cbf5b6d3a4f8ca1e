"""Figures of evaluated runs as the tables show them, and comparisons paired by seed."""

import torch
from scipy import stats

from arcal.evaluation import MethodRuns
from arcal.evaluation.shift import over_shift
from arcal.paper.result import Claim
from arcal.report.tables import CLEAN, Spread


def runs_of(runs: MethodRuns, measure: str, name: str = CLEAN) -> Spread:
    """A measure of every run on a set."""
    return Spread(tuple(found[measure] for found in runs.figures[name]))


def shifted(runs: MethodRuns, measure: str) -> Spread:
    """The mean over all corrupted sets of every run's measure."""
    return Spread(tuple(over_shift(runs, measure).tolist()))


def ensemble(runs: MethodRuns, measure: str, name: str = CLEAN) -> Spread:
    """The measure of the runs' averaged predictions; of one run, or of a lockstep one, its own."""
    if name in runs.ensemble:
        return Spread((runs.ensemble[name][measure],))
    return runs_of(runs, measure, name)


def shifted_ensemble(runs: MethodRuns, measure: str) -> Spread:
    """The mean over all corrupted sets of the averaged predictions' measure."""
    several = len(runs.seeds) > 1
    return Spread(tuple(over_shift(runs, measure, ensemble=several).tolist()))


def lower(text: str, ours: Spread, other: Spread) -> Claim:
    """The claim that one method's mean is lower than another's, over the same seeds.

    With three seeds or more the p-value of the paired t-test, two-sided, stands beside it; it is
    not corrected for how many comparisons there are.
    """
    because = f"{100 * ours.mean:.2f} against {100 * other.mean:.2f}"
    if len(ours.values) == len(other.values) > 1:
        pairs = zip(ours.values, other.values, strict=True)
        ahead = sum(a < b for a, b in pairs)
        because += f", lower on {ahead} of {len(ours.values)} seeds"
    if len(ours.values) == len(other.values) > 2:
        p = paired_p(ours, other)
        because += f", p = {p:.3f}"
    return Claim(text, ours.mean < other.mean, because)


def paired_p(a: Spread, b: Spread) -> float:
    """Two-sided p-value of the paired t-test, 1 if all differences are 0."""
    difference = torch.tensor(a.values) - torch.tensor(b.values)
    if not difference.any():
        return 1.0
    return float(stats.ttest_rel(a.values, b.values).pvalue)


def holm(p: list[float]) -> list[float]:
    """p-values corrected by Holm's step-down method for how many they are, in the same order."""
    corrected, highest = [1.0] * len(p), 0.0
    for rank, i in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        highest = max(highest, min(1.0, (len(p) - rank) * p[i]))
        corrected[i] = highest
    return corrected
