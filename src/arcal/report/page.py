"""The page: numbers and pictures poured into the template."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from arcal import __version__
from arcal.evaluation import MethodRuns
from arcal.report import findings, grids
from arcal.report.drawing import OVER, UNDER
from arcal.report.levels import WEAKEST
from arcal.report.means import BOXED
from arcal.report.names import ABOUT, corruption_title
from arcal.report.reliability_pictures import FEW
from arcal.report.study import Study
from arcal.report.tables import COLUMNS, GAP, best_of, paired, titles_of_sets
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
    study: Study,
    runs: list[MethodRuns],
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
    counts = sorted({len(method.seeds) for method in study.methods})
    return here.get_template("page.html.jinja").render(
        title=title,
        headline=findings.headline(study),
        remarks=findings.remarks(study),
        notes=notes,
        study=study,
        about=ABOUT,
        order_in_words=ORDERS.get(study.order, study.order),
        runs=" to ".join(map(str, sorted({counts[0], counts[-1]})))
        + (" run" if counts == [1] else " runs"),
        several=counts[-1] > 1,
        columns=COLUMNS,
        gap=GAP,
        level_gap=replace(GAP, digits=1),
        size=replace(GAP, measure="size"),
        groups=_groups(study),
        winners=_winners(study) if len(study.methods) > 1 else [],
        by_seed=_by_seed(study),
        weakest=min(WEAKEST, study.R),
        tint=_tint,
        few=FEW,
        boxed_from=BOXED,
        **_evaluated(study),
        pictures={name: Markup(svg) for name, svg in pictures.items()},
        attacked=attacked,
        made=_made(runs),
        version=__version__,
    )


def _evaluated(study: Study) -> dict[str, Any]:
    """The tables of what was evaluated beyond the clean test set and single models, if it was."""
    types = study.methods[0].means["ece"].by_type
    extra = [type for type in types if type in EXTRA]
    stable = grids.stability(study)
    return {
        "calibration_errors": grids.calibration_errors(study),
        "under_shift": grids.under_shift(study),
        "shifted_types": [corruption_title(type) for type in types],
        "extra_types": [corruption_title(type) for type in extra]
        if len(extra) < len(types)
        else [],
        "stability": stable,
        "stability_by_level": grids.stability_by_level(study) if stable else None,
        "ensembles": grids.ensembles(study),
        "ood": [
            {"name": other.name, "how": other.how, "images": other.images}
            | {"picture": f"entropy-{i + 1}", "grid": grids.out_of_distribution(study, i)}
            for i, other in enumerate(study.methods[0].ood)
        ],
    }


def _tint(gap: float) -> str:
    """Background of a gap: orange above 0, blue below, full at 25 points."""
    colour = OVER if gap > 0 else UNDER
    return f"{colour}{round(140 * min(1.0, abs(gap) / 0.25)):02x}"


def _shown(study: Study) -> list[str]:
    return study.sets if len(study.sets) <= MANY else findings.headline_sets(study)


def _groups(study: Study) -> list[dict[str, Any]]:
    """The table of methods by set; single corrupted sets are folded away if there are many."""
    titles = titles_of_sets(study.sets)
    shown = _shown(study)
    return [
        {"title": titles[at], "rows": study.rows(at), "best": best_of(study.rows(at))}
        | {"folded": at not in shown}
        for at in study.sets
    ]


def _winners(study: Study) -> list[dict[str, Any]]:
    """Which method is best, by measure and set, and on how many paired seeds it is ahead."""
    titles = titles_of_sets(study.sets)
    return [
        {"title": titles[at], "leads": [of_column for _, of_column in findings.leads(study, at)]}
        for at in _shown(study)
    ]


def _by_seed(study: Study) -> list[dict[str, Any]]:
    """For each set and measure a row a seed with each method's value, the best marked.

    Many sets would make a page of their own: then only those that the tables show.
    """
    titles = titles_of_sets(study.sets)
    every = sorted({seeds for method in study.methods for seeds in method.seeds})
    shared = paired([method.seeds for method in study.methods])
    tables = []
    for at in _shown(study):
        parts = []
        for column in COLUMNS:
            values = [
                dict(zip(method.seeds, method.measures[at][column.measure].values, strict=True))
                for method in study.methods
            ]
            rows = [_seed_row(seeds, values, column, seeds in shared) for seeds in every]
            parts.append({"column": column, "rows": rows})
        tables.append({"title": titles[at], "parts": parts})
    return tables


def _seed_row(seeds, values, column, comparable) -> dict[str, Any]:
    badness = [column.badness(of_one[seeds]) for of_one in values if seeds in of_one]
    cells = []
    for of_one in values:
        text = column.show(of_one[seeds]) if seeds in of_one else "–"
        best = comparable and column.badness(of_one[seeds]) == min(badness) < max(badness)
        cells.append({"text": text, "best": best})
    return {"seed": " + ".join(map(str, seeds)), "cells": cells}


def _made(runs: list[MethodRuns]) -> dict[str, str]:
    """What the runs were made with; where they differ, all values."""
    configs = [folder.config_checked() for of_method in runs for folder in of_method.folders]
    rows = {
        "Data": [Path(config["source"]).name for config in configs],
        "Image": [" × ".join(map(str, config["data"]["shape"])) for config in configs],
        "Network": [config["network"] for config in configs],
        "Recipe": [_recipe(config["recipe"]) for config in configs],
        "Split seed": [str(config["split_seed"]) for config in configs],
        "Threads": [str(config["threads"]) for config in configs],
    }
    return {name: "; ".join(dict.fromkeys(values)) for name, values in rows.items()}


def _recipe(recipe: Mapping[str, Any]) -> str:
    steps = ", ".join(f"× {factor:g} after {done}" for done, factor in recipe["steps"])
    parts = [
        f"{recipe['name']}: {recipe['epochs']} epochs, batches of {recipe['batch_size']}",
        f"{recipe['optimizer']}, learning rate {recipe['learning_rate']:g}"
        + (f" ({steps})" if steps else ""),
        f"weight decay {recipe['weight_decay']:g}",
        f"augmentation {recipe['augmentation']}",
        f"precision {recipe['precision']}",
    ]
    return ", ".join(parts)
