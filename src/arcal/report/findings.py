"""The comparison in sentences, which claim no more than the numbers show."""

from collections.abc import Sequence

from arcal.auditing import CLEAN, OVER_SHIFT, WEAKEST, EvaluationSet
from arcal.report.names import Compared, Comparison, Where, listed, where_words
from arcal.report.tables import ECE, GAP, Lead, lead


def headline(comparison: Comparison) -> str:
    """The page's main sentence: who has the lowest ECE on the clean set and under shift."""
    lowest = [(where, _lowest(comparison, where)) for where in headline_sets(comparison)]
    (clean, best), *shift = lowest
    if len(comparison.subjects) == 1:
        return (
            f"On the clean test set, {_names(best)} has an expected calibration error (ECE) of "
            f"{_amount(best[0], clean)}."
        )
    sentence = (
        f"On the clean test set, {_has(best)} the lowest expected calibration error "
        f"(ECE {_amount(best[0], clean)})"
    )
    for where, its_best in shift:
        words = where_words(where, comparison.sets)
        if its_best == best:
            sentence += f", and {words} the lowest, too ({_amount(best[0], where)})"
        else:
            sentence += f"; {words}, {_has(its_best)} the lowest ({_amount(its_best[0], where)})"
    return sentence + "."


def remarks(comparison: Comparison) -> list[str]:
    """What to take from the tables: the least robust levels, and how certain each lead is."""
    lines = [_least_robust(comparison)]
    if len(comparison.subjects) > 1:
        lines += [_how_sure(comparison, where) for where in headline_sets(comparison)]
    return lines


def headline_sets(comparison: Comparison) -> list[Where]:
    """The clean test set, and the mean over the corrupted sets or the only corrupted set."""
    if OVER_SHIFT in comparison.sets:
        return [CLEAN, OVER_SHIFT]
    single = (where for where in comparison.sets if isinstance(where, EvaluationSet))
    return [CLEAN, *(where for where in single if where.is_shifted)]


def _lead_in_ece(comparison: Comparison, where: Where) -> Lead:
    seeds = [one.seeds for one in comparison.subjects]
    return lead(ECE, [row[ECE.measure] for row in comparison.rows(where)], seeds)


def _lowest(comparison: Comparison, where: Where) -> list[Compared]:
    return [comparison.subjects[i] for i in _lead_in_ece(comparison, where).best]


def _how_sure(comparison: Comparison, where: Where) -> str:
    words = where_words(where, comparison.sets)
    words = words[0].upper() + words[1:]
    in_ece = _lead_in_ece(comparison, where)
    if in_ece.second is None:
        return f"{words}, all methods have the same ECE."
    best, *equal = (comparison.subjects[i] for i in in_ece.best)
    second = comparison.subjects[in_ece.second]
    sentence = (
        f"{words}, {_names([best, *equal])} {'have' if equal else 'has'} an ECE of "
        f"{_number(best, where)} and {second.name.short}, the next, of {_number(second, where)}: "
    )
    if in_ece.pairs < 2:
        return sentence + "without several seeds in common this difference may be chance."
    if in_ece.ahead == in_ece.pairs:
        return sentence + f"lower on each of the {in_ece.pairs} seeds they share."
    others = "" if best.seeds == second.seeds else " (their means are over different seeds)"
    return (
        sentence + f"lower on {in_ece.ahead} of the {in_ece.pairs} seeds they share{others}, so "
        "these runs do not tell the two apart."
    )


def _least_robust(comparison: Comparison) -> str:
    def amount(one: Compared) -> str:
        return f"{GAP.show_spread(one.levels.weakest_gap)} points"

    reference = comparison.reference
    n = min(WEAKEST, comparison.R)
    levels = "the least robust level" if n == 1 else f"the {n} least robust levels"
    sentence = (
        f"In {levels} of {comparison.R}, {reference.name.short}'s confidence minus accuracy is "
        f"{amount(reference)}"
    )
    if len(comparison.subjects) == 1:
        return sentence + "."
    mildest = min(comparison.subjects, key=lambda one: abs(one.levels.weakest_gap.mean))
    if mildest is reference:
        return sentence + ", which no other method brings closer to 0."
    return f"{sentence}; closest to 0 is {mildest.name.short} with {amount(mildest)}."


def _names(subjects: Sequence[Compared]) -> str:
    return listed([one.name.short for one in subjects])


def _has(subjects: Sequence[Compared]) -> str:
    return f"{_names(subjects)} {'has' if len(subjects) == 1 else 'share'}"


def _number(one: Compared, where: Where) -> str:
    return f"{ECE.show_spread(one.measures[where]['ece'])} points"


def _amount(one: Compared, where: Where) -> str:
    n = len(one.seeds)
    return f"{_number(one, where)} {f'over {n} runs' if n > 1 else 'for one run'}"
