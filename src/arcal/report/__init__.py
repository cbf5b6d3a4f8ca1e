"""The report: one self-contained page that compares several subjects."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from arcal._version import __version__
from arcal.auditing import Subject
from arcal.data import Part
from arcal.errors import ArcalError
from arcal.files import check_replaceable, write_json
from arcal.printable import printable
from arcal.report.explorer import write_explorer
from arcal.report.names import Comparison, compare
from arcal.report.numbers import as_json

__all__ = ["write_report"]


def write_report(
    out: Path,
    subjects: Sequence[Subject],
    *,
    title: str,
    classes: tuple[str, ...],
    notes: list[str],
    part: Part | None = None,
    R: int = 10,
) -> Path:
    """Write `out/index.html` and return its path.

    The page needs no other file and no network. It compares the subjects over their runs, and shows
    the first run of each input by input, with pictures of the inputs if `part` is the clean test
    set. The pictures of the comparison are written beside it, each as `out/pictures/NAME.svg` and
    `NAME.png`, and the numbers of all tables and pictures as `out/figures.json`. `R` is the number
    of levels that the clean test set is divided into. `notes` are shown unchanged; they say, for
    example, what was chosen on validation data. The same input gives the same bytes.

    >>> from arcal.auditing import CLEAN, Predictions
    >>> from arcal.robustness import score
    >>> z = torch.tensor([[0.9, 0.0], [0.1, 0.0], [0.0, 0.2], [0.0, 0.8]])
    >>> ids, labels = torch.arange(4), torch.tensor([0, 1, 1, 1])
    >>> margins = score(torch.nn.Identity(), [(ids, z, labels)], "margin")
    >>> clean = {CLEAN: [Predictions(ids, labels, z[None])]}
    >>> subject = Subject.from_predictions("mine", clean, robustness=[margins])
    >>> write_report(Path("page"), [subject], title="Mine", classes=("a", "b"), notes=[], R=2).name
    'index.html'
    """
    from arcal.report.comparison_payload import comparison_payload
    from arcal.report.plots import render as render_picture

    for name in ("index.html", "figures.json"):
        check_replaceable(out / name)
    compared = compare(subjects, R, len(classes))
    if part is not None:
        _check_images(part, subjects[0])
    classes = tuple(map(printable, classes))
    draw = _pictures(compared, len(classes))
    drawn = {
        name: render_picture(name, picture, out / "pictures") for name, picture in draw.items()
    }
    write_json(out / "figures.json", _figures(compared, title, classes, notes))
    page = comparison_payload(
        compared,
        drawn,
        title=title,
        classes=classes,
        notes=notes,
        part=part,
    )
    return write_explorer(out / "index.html", page)


def _pictures(compared: Comparison, Z: int) -> dict[str, Any]:
    from arcal.report import pictures, reliability_pictures  # matplotlib takes a second to import

    draw: dict[str, Any] = {
        "figure-1": lambda: pictures.figure_1(compared),
        "figure-2": lambda: pictures.figure_2(compared),
        "reliability": lambda: reliability_pictures.reliability(compared),
    }
    if compared.boxed:
        draw["shift"] = lambda: pictures.shift(compared)
        if compared.several:
            draw["variance"] = lambda: pictures.variance(compared)
    for i in range(len(compared.subjects[0].ood)):
        draw[f"entropy-{i + 1}"] = lambda i=i: pictures.entropy(compared, i, Z)
    if any(one.soft_labels is not None for one in compared.subjects):
        draw["soft-labels"] = lambda: pictures.soft_labels(compared)
    return draw


def _check_images(part: Part, subject: Subject) -> None:
    """Refuse a part that lacks images of the predictions."""
    missing = int((~torch.isin(subject.clean[0].ids, part.ids)).sum())
    if missing:
        raise ArcalError(
            f"{part.name} lacks {missing:,} of the {len(subject.clean[0].ids):,} images that "
            f"{subject.name} was evaluated on: give the clean test set"
        )


def _figures(
    compared: Comparison, title: str, classes: tuple[str, ...], notes: list[str]
) -> dict[str, Any]:
    return {
        "arcal": __version__,
        "title": title,
        "notes": notes,
        "classes": list(classes),
        "R": compared.R,
        "order": compared.order,
        "methods": [as_json(one) for one in compared.subjects],
    }
