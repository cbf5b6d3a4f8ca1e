"""The report: one self-contained page on what several methods' runs show."""

from pathlib import Path
from typing import Any

import torch

from arcal import __version__
from arcal.evaluation import MethodRuns
from arcal.files import write_json, write_whole
from arcal.report import images, ood_pictures, pictures, reliability_pictures, shift_pictures
from arcal.report.drawing import render as render_picture
from arcal.report.levels import spearman
from arcal.report.means import boxed
from arcal.report.names import name_methods
from arcal.report.page import render as render_page
from arcal.report.study import Study, as_json, plain, study
from arcal.showcase import Showcase

__all__ = ["write_report"]


def write_report(
    out: Path,
    runs: list[MethodRuns],
    *,
    title: str,
    classes: tuple[str, ...],
    notes: list[str],
    showcase: Showcase | None = None,
    R: int = 10,
) -> Path:
    """Write `out/index.html` and return its path.

    The page needs no other file, no script and no network. Beside it are its pictures, each as
    `out/pictures/NAME.svg` and `NAME.png`, and `out/figures.json`, the numbers of its tables and
    pictures. `R` is the number of levels that the clean test set is cut into. `notes` are shown as
    they are: what was chosen on validation, for one. The same input gives the same bytes.
    """
    compared = study(runs, R, len(classes))
    attacked = _attacked(showcase, runs) if showcase else None
    draw: dict[str, Any] = {
        "figure-1": lambda: pictures.figure_1(compared),
        "figure-2": lambda: pictures.figure_2(compared),
        "reliability": lambda: reliability_pictures.reliability(compared),
        "levels": lambda: pictures.make_up(compared, classes),
    }
    if compared.several:
        draw["ensembles"] = lambda: reliability_pictures.ensembles(compared)
    if boxed(compared.methods[0].means["ece"]):
        draw["shift"] = lambda: shift_pictures.shift(compared)
        if compared.several:
            draw["variance"] = lambda: shift_pictures.variance(compared)
    for i in range(len(compared.methods[0].ood)):
        draw[f"entropy-{i + 1}"] = lambda i=i: ood_pictures.entropy(compared, i, len(classes))
    if any(method.soft_labels is not None for method in compared.methods):
        draw["soft-labels"] = lambda: pictures.soft_labels(compared)
    if showcase:
        draw["least-robust"] = lambda: images.least_robust(showcase, classes)
        draw["most-robust"] = lambda: images.most_robust(showcase, classes)
        draw["estimate"] = lambda: images.scatter(showcase, compared.order)
    drawn = {name: render_picture(name, of, out / "pictures") for name, of in draw.items()}
    write_json(out / "figures.json", _figures(compared, title, classes, notes, attacked))
    page = render_page(compared, runs, drawn, title=title, notes=notes, attacked=attacked)
    write_whole(out / "index.html", lambda to: to.write_text(page, encoding="utf-8"))
    return out / "index.html"


def _figures(
    compared: Study,
    title: str,
    classes: tuple[str, ...],
    notes: list[str],
    attacked: dict[str, Any] | None,
) -> dict[str, Any]:
    return {
        "arcal": __version__,
        "title": title,
        "notes": notes,
        "classes": list(classes),
        "R": compared.R,
        "order": compared.order,
        "methods": as_json(compared),
        "showcase": plain(attacked),
    }


def _attacked(showcase: Showcase, runs: list[MethodRuns]) -> dict[str, Any]:
    """What is to be said of the attacked images."""
    return {
        "model": _attacked_model(showcase, runs),
        "images": len(showcase.ids),
        "shown": min(images.SHOWN, len(showcase.ids)),
        "failed": int(showcase.distance.isinf().sum()),
        "rho": spearman(showcase.estimate.double(), showcase.distance.double()),
        **{
            field: getattr(showcase, field).tolist()
            for field in ("ids", "labels", "predicted", "becomes", "distance", "estimate")
        },
    }


def _attacked_model(showcase: Showcase, runs: list[MethodRuns]) -> str:
    """Which run's model was attacked: the one whose scores of these images the showcase holds.

    Orders that know no model, such as `random`, fit several runs: then its predictions tell.
    """
    agreement = {"one model": -1}
    names = name_methods([of_method.label for of_method in runs])
    for name, of_method in zip(names, runs, strict=True):
        for seeds, scores in zip(of_method.seeds, of_method.robustness, strict=True):
            by_id = {int(i): at for at, i in enumerate(scores.ids)}
            at = [by_id[i] for i in showcase.ids.tolist() if i in by_id]
            if torch.equal(scores.robustness[at], showcase.estimate):
                same = int((scores.predicted[at] == showcase.predicted).sum())
                agreement[f"{name.title}, seed {' + '.join(map(str, seeds))}"] = same
    return max(agreement, key=agreement.__getitem__)
