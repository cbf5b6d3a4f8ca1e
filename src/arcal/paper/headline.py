"""The headline: AR-AdaLS against what it must beat, on all training images, tests named beforehand.

Not in the paper. The tests are those below, in this file before any test image was looked at: each
family of paired, two-sided t-tests over the seeds is corrected by Holm's method.
"""

from collections.abc import Mapping

from arcal.evaluation import MethodRuns
from arcal.paper.item import Found, Item, Need
from arcal.paper.notes import notes_of
from arcal.paper.result import Cell, Claim, Result, Table
from arcal.paper.scales import Setting, title_of
from arcal.paper.summaries import Comparison, corrected, each_lower, ensemble, runs_of, shifted
from arcal.report.tables import CLEAN, Spread

SETTING = "cifar10-headline"
METHODS = ("vanilla", "ls", "adals", "ar-adals", "margin", "random", "joint")
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
            "two on clean images, and those on equal footing.",
        ]
    title = "The headline: all training images, every method on equal footing"
    return Result("headline", title, notes_of(found, [SETTING], shift=True) + notes, tables, claims)


def _rows(of: Mapping[str, MethodRuns]) -> tuple[list[str], list[tuple[str, list[Cell]]]]:
    """Columns, and a row a method: clean and under shift, accuracy, ECE, gap, NLL."""
    titles = {
        "accuracy": ("accuracy, %", 100.0, 2),
        "ece": ("ECE, ×10⁻²", 100.0, 2),
        "gap": ("confidence − accuracy, points", 100.0, 2),
        "nll": ("NLL", 1.0, 3),
    }
    columns = [t + where for where in ("", ", shifted") for t, _, _ in titles.values()]
    rows = [
        (
            title_of(key),
            [
                Cell(None, at(runs, measure), scale, digits)
                for at in (runs_of, shifted)
                for measure, (_, scale, digits) in titles.items()
            ],
        )
        for key, runs in of.items()
    ]
    return columns, rows


def _steadiness(of: Mapping[str, MethodRuns]) -> Table:
    """How much is smoothed, how much the seeds differ, and what their ensemble's ECE is."""
    columns = [
        "label spread, %",
        "variance, ×10⁻³",
        "variance of the fixed class, ×10⁻³",
        "churn, %",
        "ECE of the ensemble, ×10⁻²",
    ]
    rows = []
    for key, runs in of.items():
        stability = runs.stability.get(CLEAN, {})
        cells = [Cell(None, _smoothing(runs))]
        for measure, scale in (
            ("variance_all_classes", 1000.0),
            ("variance_fixed_class", 1000.0),
            ("churn", 100.0),
        ):
            value = Spread((stability[measure],)) if stability else None
            cells.append(Cell(None, value, scale))
        rows.append((title_of(key), [*cells, Cell(None, ensemble(runs, "ece"))]))
    return Table("Clean test images: smoothing and stability", columns, rows)


def _smoothing(runs: MethodRuns) -> Spread | None:
    """The share of a label that is spread, where runs were kept with it."""
    if all("smoothing" in found for found in runs.figures[CLEAN]):
        return runs_of(runs, "smoothing")
    return None


def _ratios(of: Mapping[str, MethodRuns]) -> Table:
    """AR-AdaLS's ECE over vanilla's, seed by seed."""
    rows = []
    for (where, printed), at in zip(RATIOS.items(), (runs_of, shifted), strict=True):
        ours, vanilla = at(of[OURS], "ece").values, at(of["vanilla"], "ece").values
        ratio = Spread(tuple(a / b for a, b in zip(ours, vanilla, strict=True)))
        rows.append((f"ECE of AR-AdaLS over that of Vanilla, {where}", [Cell(printed, ratio, 1.0)]))
    return Table("Ratios to Vanilla", ["ratio"], rows)


def _targets(of: Mapping[str, MethodRuns], temperature: MethodRuns) -> list[Claim]:
    """What was aimed at for the methods as they are trained."""
    under_shift = {key: shifted(runs, "ece") for key, runs in of.items()}
    under_shift[TEMPERATURE] = shifted(temperature, "ece")
    ours = under_shift[OURS]
    others = ("ls", "adals", "random", TEMPERATURE)
    comparisons: list[Comparison] = [("", ours, under_shift[key]) for key in others]
    claims = []
    for key, p in zip(others, corrected(comparisons), strict=True):
        share = ours.mean / under_shift[key].mean
        needed = 1.0 if key == TEMPERATURE else SMALLER
        text = f"AR-AdaLS's ECE under shift is below that of {title_of(key)}"
        if needed < 1:
            text += f" by {100 * (1 - needed):.0f} % or more"
        because = f"{100 * ours.mean:.2f} against {100 * under_shift[key].mean:.2f}, "
        because += f"{100 * (1 - share):+.1f} % less"
        if p is None:
            claims.append(Claim(f"{text}, with p < 0.05", None, because))
        else:
            holds = share <= needed and share < 1 and p < 0.05
            claims.append(Claim(f"{text}, with p < 0.05", holds, f"{because}, p = {p:.3f}"))
    clean: list[Comparison] = [
        (
            f"AR-AdaLS's clean ECE is no worse than that of {title_of(key)}",
            runs_of(of[OURS], "ece"),
            runs_of(temperature if key == TEMPERATURE else of[key], "ece"),
        )
        for key in ("ls", TEMPERATURE)
    ]
    claims += each_lower(clean)
    text = f"AR-AdaLS's variance is at most {STEADIER} of Vanilla's"
    both = [of[key].stability.get(CLEAN, {}) for key in (OURS, "vanilla")]
    if not all(both):
        return [*claims, Claim(text, None, "one run has no variance")]
    here, vanilla = (found["variance_all_classes"] for found in both)
    return [*claims, Claim(text, here <= STEADIER * vanilla, f"{here / vanilla:.2f}")]


def _equal_footing(scaled: Mapping[str, MethodRuns]) -> list[Claim]:
    """What the order itself is worth: everything after temperature scaling."""
    ours = shifted(scaled[OURS], "ece")
    return each_lower(
        [
            (
                f"AR-AdaLS has a lower ECE under shift than {title_of(key)}, both after "
                "temperature scaling",
                ours,
                shifted(runs, "ece"),
            )
            for key, runs in scaled.items()
            if key != OURS
        ]
    )


ITEM = Item("headline", "all training images, tests named beforehand", needs, make)
