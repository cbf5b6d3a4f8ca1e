"""The page: numbers and pictures poured into the template."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from arcal._version import __version__
from arcal.auditing import WEAKEST
from arcal.report import findings, grids
from arcal.report.comparison import BOXED, Comparison
from arcal.report.drawing import OVER, UNDER
from arcal.report.names import Where, corruption_title, set_titles
from arcal.report.reliability_pictures import FEW
from arcal.report.tables import COLUMNS, GAP, best_rows, paired
from arcal.transforms.corruptions import EXTRA

ORDERS = {
    "attack": "the distance of the smallest perturbation an attack finds",
    "gradient": "one gradient: the lead of the predicted class's logit over the next, divided by "
    "the norm of its gradient (the distance to first order)",
    "margin": "the lead of the predicted class's logit over the next",
    "confidence": "the probability of the predicted class",
    "random": "chance: the control, which knows nothing of robustness",
}
"""What the images are ranked by, in words."""


MANY = 6
"""With more sets than this, the table folds single corrupted sets away."""


def render(
    comparison: Comparison,
    pictures: Mapping[str, str],
    *,
    title: str,
    notes: list[str],
    attacked: Mapping[str, Any] | None,
) -> str:
    """The page as HTML. `pictures` are SVG elements by name; `attacked` is about the showcase."""
    here = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    counts = sorted({len(one.seeds) for one in comparison.subjects})
    return here.get_template("page.html.jinja").render(
        title=title,
        headline=findings.headline(comparison),
        remarks=findings.remarks(comparison),
        notes=notes,
        comparison=comparison,
        order_in_words=ORDERS.get(comparison.order, comparison.order),
        runs=" to ".join(map(str, sorted({counts[0], counts[-1]})))
        + (" run" if counts == [1] else " runs"),
        several=counts[-1] > 1,
        columns=COLUMNS,
        gap=GAP,
        level_gap=replace(GAP, digits=1),
        size=replace(GAP, measure="size"),
        groups=_groups(comparison),
        winners=_winners(comparison) if len(comparison.subjects) > 1 else [],
        by_seed=_by_seed(comparison),
        weakest=min(WEAKEST, comparison.R),
        tint=_tint,
        few=FEW,
        boxed_from=BOXED,
        **_evaluated(comparison),
        pictures={name: Markup(svg) for name, svg in pictures.items()},
        attacked=attacked,
        made=_made(comparison),
        version=__version__,
    )


def _evaluated(comparison: Comparison) -> dict[str, Any]:
    """The tables of what was evaluated beyond the clean test set and single models, if it was."""
    types = comparison.subjects[0].means["ece"].by_type
    extra = [type for type in types if type in EXTRA]
    stable = grids.stability(comparison)
    return {
        "calibration_errors": grids.calibration_errors(comparison),
        "under_shift": grids.under_shift(comparison),
        "shifted_types": [corruption_title(type) for type in types],
        "extra_types": [corruption_title(type) for type in extra]
        if len(extra) < len(types)
        else [],
        "stability": stable,
        "stability_by_level": grids.stability_by_level(comparison) if stable else None,
        "ensembles": grids.ensembles(comparison),
        "ood": [
            {"name": other.name, "how": other.how, "images": other.images}
            | {"picture": f"entropy-{i + 1}", "grid": grids.out_of_distribution(comparison, i)}
            for i, other in enumerate(comparison.subjects[0].ood)
        ],
    }


def _tint(gap: float) -> str:
    """Background of a gap: orange above 0, blue below, full at 25 points."""
    colour = OVER if gap > 0 else UNDER
    return f"{colour}{round(140 * min(1.0, abs(gap) / 0.25)):02x}"


def _shown(comparison: Comparison) -> list[Where]:
    return comparison.sets if len(comparison.sets) <= MANY else findings.headline_sets(comparison)


def _groups(comparison: Comparison) -> list[dict[str, Any]]:
    """The table of methods by set; single corrupted sets are folded away if there are many."""
    titles = set_titles(comparison.sets)
    shown = _shown(comparison)
    return [
        {"title": titles[where], "rows": comparison.rows(where)}
        | {"best": best_rows(comparison.rows(where)), "folded": where not in shown}
        for where in comparison.sets
    ]


def _winners(comparison: Comparison) -> list[dict[str, Any]]:
    """Which method is best, by measure and set, and on how many paired seeds it is ahead."""
    titles = set_titles(comparison.sets)
    return [
        {"title": titles[where], "leads": [lead for _, lead in findings.leads(comparison, where)]}
        for where in _shown(comparison)
    ]


def _by_seed(comparison: Comparison) -> list[dict[str, Any]]:
    """For each set and measure a row a seed with each method's value, the best marked.

    Many sets would make a page of their own: then only those that the tables show.
    """
    titles = set_titles(comparison.sets)
    every = sorted({seeds for one in comparison.subjects for seeds in one.seeds})
    shared = paired([one.seeds for one in comparison.subjects])
    tables = []
    for where in _shown(comparison):
        parts = []
        for column in COLUMNS:
            values = [
                dict(zip(one.seeds, one.measures[where][column.measure].values, strict=True))
                for one in comparison.subjects
            ]
            rows = [_seed_row(seeds, values, column, seeds in shared) for seeds in every]
            parts.append({"column": column, "rows": rows})
        tables.append({"title": titles[where], "parts": parts})
    return tables


def _seed_row(seeds, values, column, comparable) -> dict[str, Any]:
    badness = [column.badness(cell[seeds]) for cell in values if seeds in cell]
    cells = []
    for cell in values:
        text = column.show(cell[seeds]) if seeds in cell else "–"
        best = comparable and column.badness(cell[seeds]) == min(badness) < max(badness)
        cells.append({"text": text, "best": best})
    return {"seed": " + ".join(map(str, seeds)), "cells": cells}


def _made(comparison: Comparison) -> dict[str, str]:
    """What the runs were made with; where they differ, all values."""
    rows: dict[str, dict[str, None]] = {}
    for one in comparison.subjects:
        for run in one.subject.provenance:
            for title, value in run.facts.items():
                rows.setdefault(title, {})[value] = None
    return {title: "; ".join(values) for title, values in rows.items()}
