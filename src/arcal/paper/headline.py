"""The headline: AR-AdaLS against what it must beat, on all training images, tests named beforehand.

Not in the paper. The tests are those below, written before any test image was looked at with this
network and recipe. Families of paired, two-sided t-tests over the seeds are corrected by Holm's
method, each by itself: under shift, four; clean, two; on equal footing, all others.
"""

from collections.abc import Mapping
from dataclasses import replace

from arcal.evaluation import CLEAN, MethodRuns, over_types, without_extra
from arcal.paper.item import Found, Item, Need
from arcal.paper.notes import notes_of
from arcal.paper.result import Cell, Claim, Result, Table
from arcal.paper.scales import Setting, title_of
from arcal.paper.summaries import corrected, each_lower, ensemble, runs_of, shifted
from arcal.report.tables import Spread

SETTING = "cifar10-headline"
METHODS = ("vanilla", "ls", "adals", "ar-adals", "margin", "random")
OURS, SCALED = "ar-adals", " + temperature"
TEMPERATURE = "vanilla" + SCALED
SMALLER = 0.85
"""Of the mean ECE under shift of label smoothing, AdaLS and the random order, at most."""
STEADIER = 0.6
"""Of vanilla's variance, at most."""
RATIOS = {"clean": "0.26", "under shift": "0.38"}
"""The paper's ECE of AR-AdaLS over vanilla's: WRN-28-10 on the fly, and ResNet-29 pre-computed."""


def needs(settings: Mapping[str, Setting]) -> list[Need]:
    return [Need(SETTING, (*METHODS, *(key + SCALED for key in METHODS)), shift=True)]


def make(found: Found) -> Result:
    tables, claims, notes = [], [], []
    if found.has(SETTING):
        of = {key: found.of(SETTING, key) for key in METHODS}
        scaled = {key: found.of(SETTING, key + SCALED) for key in METHODS}
        tables = [
            Table("As trained", *_rows(of)),
            Table("Each after temperature scaling on clean validation images", *_rows(scaled)),
            _steadiness(of),
            _ratios(of),
        ]
        claims = [*_targets(of, scaled["vanilla"]), *_equal_footing(scaled)]
        notes = [
            "A mean under shift is over all corrupted sets alike. Confidence − accuracy is "
            "positive where a method is over-confident. p-values are of paired t-tests over the "
            "seeds, two-sided, corrected by Holm's method within each family: four under shift, "
            "two on clean images, and those on equal footing. The paper's ratios are of other "
            "networks, its clean one of AR-AdaLS on the fly.",
        ]
    title = "The headline: all training images, every method on equal footing"
    notes = notes_of(found, [SETTING], shift=True) + notes
    return Result("headline", title, notes, tables, claims, claimed="Targets, named beforehand")


def _rows(of: Mapping[str, MethodRuns]) -> tuple[list[str], list[tuple[str, list[Cell]]]]:
    """Columns, and a row a method: clean and under shift, accuracy, ECE, gap, NLL; 15 types."""
    titles = {
        "accuracy": ("accuracy, %", 100.0, 2),
        "ece": ("ECE, ×10⁻²", 100.0, 2),
        "gap": ("confidence − accuracy, points", 100.0, 2),
        "nll": ("NLL", 1.0, 3),
    }
    columns = [t + where for where in ("", ", shifted") for t, _, _ in titles.values()]
    standard = without_extra(list(over_types(of[OURS], "ece")))
    columns.append(f"{titles['ece'][0]}, shifted, {len(standard)} types without the extra")
    rows = [
        (
            title_of(key),
            [
                Cell(None, at(runs, measure), scale, digits)
                for at in (runs_of, shifted)
                for measure, (_, scale, digits) in titles.items()
            ]
            + [Cell(None, shifted(runs, "ece", standard) if standard else None)],
        )
        for key, runs in of.items()
    ]
    return columns, rows


def _steadiness(of: Mapping[str, MethodRuns]) -> Table:
    """How much is smoothed, how much the seeds differ, and what their ensemble's ECE is."""
    columns = [
        "label spread, %",
        "variance over all classes, ×10⁻³",
        "variance of the fixed class, ×10⁻³",
        "churn, %",
        "ECE of the ensemble, ×10⁻²",
    ]
    rows = []
    for key, runs in of.items():
        stability = runs.stability.get(CLEAN, {})
        cells = [Cell(None, runs_of(runs, "smoothing"))]
        for measure, scale in (
            ("variance_all_classes", 1000.0),
            ("variance_fixed_class", 1000.0),
            ("churn", 100.0),
        ):
            value = Spread((stability[measure],)) if stability else None
            cells.append(Cell(None, value, scale))
        rows.append((title_of(key), [*cells, Cell(None, ensemble(runs, "ece"))]))
    return Table("Clean test images: smoothing and stability", columns, rows)


def _ratios(of: Mapping[str, MethodRuns]) -> Table:
    """AR-AdaLS's mean ECE over vanilla's."""
    rows = []
    for (where, printed), at in zip(RATIOS.items(), (runs_of, shifted), strict=True):
        ratio = Spread((at(of[OURS], "ece").mean / at(of["vanilla"], "ece").mean,))
        title = f"mean ECE of AR-AdaLS over that of Vanilla, {where}"
        rows.append((title, [Cell(printed, ratio, 1.0)]))
    return Table("Ratios to Vanilla", ["ratio"], rows)


def _targets(of: Mapping[str, MethodRuns], temperature: MethodRuns) -> list[Claim]:
    """What was aimed at for the methods as they are trained."""
    against = {key: of[key] for key in ("ls", "adals", "random")} | {TEMPERATURE: temperature}
    ours = shifted(of[OURS], "ece")
    under_shift = {key: shifted(runs, "ece") for key, runs in against.items()}
    claims = _significant("AR-AdaLS's ECE under shift is below that of", ours, under_shift)
    for key, other in under_shift.items():
        if key != TEMPERATURE:
            text = f"AR-AdaLS's mean ECE under shift is at most {SMALLER} of that of"
            ratio = ours.mean / other.mean
            claims.append(Claim(f"{text} {title_of(key)}", ratio <= SMALLER, f"{ratio:.3f}"))
    ours = runs_of(of[OURS], "ece")
    clean = {key: runs_of(against[key], "ece") for key in ("ls", TEMPERATURE)}
    text = "AR-AdaLS's mean clean ECE is no higher than that of"
    claims += each_lower([(f"{text} {title_of(key)}", ours, other) for key, other in clean.items()])
    text = f"AR-AdaLS's variance over all classes is at most {STEADIER} of Vanilla's, clean"
    both = [of[key].stability.get(CLEAN, {}) for key in (OURS, "vanilla")]
    if not all(both):
        return [*claims, Claim(text, None, "one run has no variance")]
    here, vanilla = (found["variance_all_classes"] for found in both)
    return [*claims, Claim(text, here <= STEADIER * vanilla, f"{here / vanilla:.3f}")]


def _equal_footing(scaled: Mapping[str, MethodRuns]) -> list[Claim]:
    """What the order itself is worth: everything after temperature scaling."""
    under_shift = {key: shifted(runs, "ece") for key, runs in scaled.items()}
    ours = under_shift.pop(OURS)
    text = "After temperature scaling of both, AR-AdaLS's ECE under shift is below that of"
    return _significant(text, ours, under_shift)


def _significant(text: str, ours: Spread, others: Mapping[str, Spread]) -> list[Claim]:
    """For each other method, that our mean is lower and its p-value, within these, below 0.05."""
    compared = [(f"{text} {title_of(key)}, p < 0.05", ours, of) for key, of in others.items()]
    found, p = each_lower(compared), corrected(compared)
    return [
        replace(claim, holds=None if value is None else bool(claim.holds) and value < 0.05)
        for claim, value in zip(found, p, strict=True)
    ]


ITEM = Item("headline", "all training images, tests named beforehand", needs, make, of_kept=True)
