"""What the numbers say, in sentences that say no more than the numbers."""

from arcal.report.levels import WEAKEST
from arcal.report.study import Method, Study
from arcal.report.tables import (
    CLEAN,
    COLUMNS,
    ECE,
    GAP,
    SHIFTED,
    Column,
    Lead,
    lead,
    titles_of_sets,
)


def headline(study: Study) -> str:
    """The one sentence of the page: who has the lowest ECE on the clean set and under shift."""
    (clean, best), *shift = [(at, _lowest(study, at)) for at in headline_sets(study)]
    if len(study.methods) == 1:
        return (
            f"On the clean test set, {_names(best)} has an expected calibration error (ECE) of "
            f"{_amount(best[0], clean)}."
        )
    sentence = (
        f"On the clean test set, {_has(best)} the lowest expected calibration error "
        f"(ECE {_amount(best[0], clean)})"
    )
    for at, its_best in shift:
        if its_best == best:
            sentence += f", and {_where(study, at)} the lowest, too ({_amount(best[0], at)})"
        else:
            found = f"{_has(its_best)} the lowest ({_amount(its_best[0], at)})"
            sentence += f"; {_where(study, at)}, {found}"
    return sentence + "."


def remarks(study: Study) -> list[str]:
    """What a reader should take from the tables: how sure each lead is, and who wins how often."""
    found = [_least_robust(study)]
    if len(study.methods) > 1:
        sets = headline_sets(study)
        found += [_how_sure(study, at) for at in sets]
        found.append(_wins(study))
    return found


def headline_sets(study: Study) -> list[str]:
    """The clean test set, and the mean over the corrupted ones or the only corrupted one."""
    corrupted = [at for at in study.sets if at.startswith(f"{CLEAN}-")]
    return [CLEAN, *([SHIFTED] if SHIFTED in study.sets else corrupted)]


def leads(study: Study, at: str) -> list[tuple[Column, Lead]]:
    """The best method of each measure on one set."""
    seeds = [method.seeds for method in study.methods]
    rows = study.rows(at)
    return [(c, lead(c, [row[c.measure] for row in rows], seeds)) for c in COLUMNS]


def _lead_in_ece(study: Study, at: str) -> Lead:
    return next(of_column for column, of_column in leads(study, at) if column is ECE)


def _lowest(study: Study, at: str) -> list[Method]:
    return [study.methods[i] for i in _lead_in_ece(study, at).best]


def _how_sure(study: Study, at: str) -> str:
    of_ece = _lead_in_ece(study, at)
    where = _where(study, at, capital=True)
    if of_ece.second is None:
        return f"{where}, all methods have the same ECE."
    first, *_ = of_ece.best
    best, second = study.methods[first], study.methods[of_ece.second]
    sentence = (
        f"{where}, {best.name.short} has an ECE of {_number(best, at)} and {second.name.short}, "
        f"the next, of {_number(second, at)}: "
    )
    if of_ece.pairs < 2:
        return sentence + "without several seeds in common this difference may be chance."
    if of_ece.ahead == of_ece.pairs:
        return sentence + f"lower on each of the {of_ece.pairs} seeds they share."
    others = "" if best.seeds == second.seeds else " (their means are over different seeds)"
    return (
        sentence + f"lower on {of_ece.ahead} of the {of_ece.pairs} seeds they share{others}, so "
        "these runs do not tell the two apart."
    )


def _least_robust(study: Study) -> str:
    def amount(method: Method) -> str:
        return f"{GAP.show_spread(method.levels.weakest_gap)} points"

    reference = study.reference
    n = min(WEAKEST, study.R)
    levels = "the least robust level" if n == 1 else f"the {n} least robust levels"
    sentence = (
        f"In {levels} of {study.R}, {reference.name.short}'s confidence minus accuracy is "
        f"{amount(reference)}"
    )
    if len(study.methods) == 1:
        return sentence + "."
    mildest = min(study.methods, key=lambda method: abs(method.levels.weakest_gap.mean))
    if mildest is reference:
        return sentence + ", which no other method brings closer to 0."
    return f"{sentence}; closest to 0 is {mildest.name.short} with {amount(mildest)}."


def _wins(study: Study) -> str:
    sets = [at for at in study.sets if at != SHIFTED]
    counts, ties = [0] * len(study.methods), 0
    for at in sets:
        for _, of_column in leads(study, at):
            first, *tied = of_column.best
            ties += bool(tied)
            counts[first] += not tied
    ranking = sorted(zip(study.methods, counts, strict=True), key=lambda pair: -pair[1])
    each = [f"{method.name.short} in {count}" for method, count in ranking]
    each += [f"a tie in {ties}"] if ties else []
    return (
        f"Of {len(sets) * len(COLUMNS)} comparisons ({len(COLUMNS)} measures, "
        f"{len(sets)} test set{'s' if len(sets) > 1 else ''}), the best mean: {'; '.join(each)}."
    )


def _names(methods: list[Method]) -> str:
    return _listed([method.name.short for method in methods])


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _has(methods: list[Method]) -> str:
    return f"{_names(methods)} {'has' if len(methods) == 1 else 'share'}"


def _number(method: Method, at: str) -> str:
    return f"{ECE.show_spread(method.measures[at]['ece'])} points"


def _amount(method: Method, at: str) -> str:
    n = len(method.seeds)
    return f"{_number(method, at)} {f'over {n} runs' if n > 1 else 'for one run'}"


def _where(study: Study, at: str, capital: bool = False) -> str:
    title = titles_of_sets(study.sets)[at]
    if at == CLEAN:
        text = "on the clean test set"
    elif at == SHIFTED:
        text = f"on average over{title.removeprefix('Mean over')}"
    elif at.startswith(f"{CLEAN}-"):
        kept = title.startswith(("Gaussian", "JPEG"))
        text = f"under {title if kept else title[0].lower() + title[1:]}"
    else:
        text = f"on the {title[0].lower()}{title[1:]}"
    return text[0].upper() + text[1:] if capital else text
