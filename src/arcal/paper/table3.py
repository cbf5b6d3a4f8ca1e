"""Table 3: mean ECE under shift, single models and ensembles (section 5.3)."""

from collections.abc import Mapping

from arcal.evaluation import over_types, without_extra
from arcal.paper.item import Found, Item, Need
from arcal.paper.notes import notes_of, one_alpha
from arcal.paper.result import Cell, Claim, Result, Table
from arcal.paper.scales import Setting, title_of
from arcal.paper.summaries import (
    NO_ENSEMBLE,
    each_lower,
    in_order,
    shifted,
    shifted_ensemble,
    significantly_lower,
)

SETTINGS = ("cifar10-resnet29", "imagenet-resnet101")
SINGLE = {
    "vanilla": ("16.7±0.5", "10.7±0.5"),
    "ls": ("10.1±0.4", "8.1±0.4"),
    "adals": ("9.6±0.5", "8.0±0.2"),
    "ar-adals": ("6.4±0.6", "6.9±0.2"),
}
CONTROLS = ("joint", "margin", "random")
"""AR-AdaLS with another update or levels cut by something else; not in the paper."""
ENSEMBLES = {
    "vanilla": ("6.5", "4.2"),
    "ls": ("4.6", "4.7"),
    "adals": ("5.2", "4.8"),
    "ar-adals": ("5.5", "5.1"),
    "of-ensemble": ("4.4", "4.0"),
}
SCALED = " + temperature"


def needs(settings: Mapping[str, Setting]) -> list[Need]:
    trained = (*SINGLE, *CONTROLS)
    keys = (*trained, *(key + SCALED for key in trained), "of-ensemble")
    return [Need(setting, keys, shift=True) for setting in SETTINGS]


def make(found: Found) -> Result:
    tables, claims = [], []
    for i, name in enumerate(SETTINGS):
        if found.has(name):
            tables += _tables(found, name, i)
            claims += _single(found, name, i) + _ensembles(found, name, i)
    notes = [
        *notes_of(found, SETTINGS, shift=True),
        "A mean is over corrupted sets, all types and intensities alike. Temperature scaling is "
        "fitted on clean validation images; confidence − accuracy is positive where a method is "
        "over-confident. The margin and random orders are not in the paper. p-values are of paired "
        "t-tests, corrected for their number by Holm's method.",
        *one_alpha(found, SETTINGS),
    ]
    return Result("table3", "Table 3: mean ECE (×10⁻²) under shift", notes, tables, claims)


def _tables(found: Found, name: str, i: int) -> list[Table]:
    """Single models, with the same after temperature scaling, and ensembles."""
    types = list(over_types(found.of(name, "vanilla"), "ece"))
    standard = without_extra(types)
    cuts = [types, standard] if 0 < len(standard) < len(types) else [types]
    single, together = [], []
    for key in (*SINGLE, *CONTROLS):
        runs, scaled = found.of(name, key), found.of(name, key + SCALED)
        printed = SINGLE[key][i] if key in SINGLE else None
        cells = [Cell(printed if of is types else None, shifted(runs, "ece", of)) for of in cuts]
        more = [shifted(scaled, "ece"), shifted(runs, "gap"), shifted(scaled, "gap")]
        single.append((title_of(key), cells + [Cell(None, spread) for spread in more]))
    for key, numbers in ENSEMBLES.items():
        runs = found.of(name, key)
        cells = [
            Cell(numbers[i] if of is types else None, shifted_ensemble(runs, "ece", of))
            for of in cuts
        ]
        together.append((_together(key), [*cells, Cell(None, shifted_ensemble(runs, "gap"))]))
    counts = [f"{len(of)} type{'s' * (len(of) > 1)}" for of in cuts]
    extra = [" without the extra" * (of is standard) for of in cuts]
    eces = [f"ECE, {count}{without}" for count, without in zip(counts, extra, strict=True)]
    gap, after = "confidence − accuracy, points", "after temperature scaling"
    columns = [*eces, f"ECE {after}", gap, f"{gap}, {after}"]
    where = found.settings[name].setting.stands_for
    return [
        Table(f"Single models, {where}", columns, single),
        Table(f"Ensembles, {where}", [*eces, gap], together),
    ]


def _single(found: Found, name: str, i: int) -> list[Claim]:
    """AR-AdaLS against each other single model, as they are and on equal footing."""
    where = f" ({found.settings[name].setting.stands_for})"
    ours = {
        key + plus: shifted(found.of(name, key + plus), "ece")
        for key in (*SINGLE, *CONTROLS)
        for plus in ("", SCALED)
    }

    def against(key: str, plus: str = "", remark: str = ""):
        text = f"AR-AdaLS has a lower mean ECE under shift than {title_of(key)}"
        return f"{text}{remark}{where}", ours["ar-adals" + plus], ours[key + plus]

    others = [key for key in SINGLE if key != "ar-adals"]
    paper = [against(key) for key in others]
    controls = [against(key, remark=", not in the paper") for key in CONTROLS]
    footing = [
        against(key, SCALED, ", both after temperature scaling, not in the paper")
        for key in (*others, *CONTROLS)
    ]
    printed = {title_of(key): numbers[i] for key, numbers in SINGLE.items()}
    single = {title_of(key): ours[key] for key in SINGLE}
    return [
        in_order(f"Single models from best to worst{where}", printed, single),
        *each_lower(paper),
        *each_lower([*controls, *footing]),
        significantly_lower(
            f"AR-AdaLS is significantly better under shift than every other single model{where}",
            paper,
        ),
    ]


def _ensembles(found: Found, name: str, i: int) -> list[Claim]:
    where = f" ({found.settings[name].setting.stands_for})"
    spreads = {_together(key): shifted_ensemble(found.of(name, key), "ece") for key in ENSEMBLES}
    ours = {title: spread for title, spread in spreads.items() if spread is not None}
    if len(ours) < len(spreads):
        return [Claim(f"Ensembles from best to worst{where}", None, NO_ENSEMBLE)]
    printed = {_together(key): numbers[i] for key, numbers in ENSEMBLES.items()}
    best = _together("of-ensemble")
    claims = [in_order(f"Ensembles from best to worst{where}", printed, ours)]
    text = f"{best} has a lower mean ECE under shift than"
    claims += each_lower(
        [(f"{text} {name}{where}", ours[best], ece) for name, ece in ours.items() if name != best]
    )
    if name == "cifar10-resnet29":
        single, vanilla = shifted(found.of(name, "ar-adals"), "ece"), ours[_together("vanilla")]
        spread = single.deviation or 0.0
        text = "A single AR-AdaLS is comparable to Ensemble of Vanilla: at most its deviation above"
        because = f"{100 * single.mean:.2f} ± {100 * spread:.2f} against {100 * vanilla.mean:.2f}"
        claims.append(Claim(text + where, single.mean <= vanilla.mean + spread, because))
    return claims


def _together(key: str) -> str:
    return title_of(key) if key == "of-ensemble" else f"Ensemble of {title_of(key)}"


ITEM = Item("table3", "mean ECE under shift", needs, make)
