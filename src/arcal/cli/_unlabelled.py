"""Inputs beside the labelled ones that `arcal calibrate` fits to: --unlabelled and --apply."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from arcal.errors import ArcalError

if TYPE_CHECKING:
    from arcal.audits import SavedPredictions


def predictions_like(
    flag: str, path: Path, ids: str | None, classes: tuple[str, ...], fitted_to: str
) -> "SavedPredictions":
    """The predictions in a file that a flag names, labelled or not, with classes in this order.

    The calibrator is fitted to those of `fitted_to`, which has these `classes`. Predictions of
    other classes, as far as is known, raise `ArcalError`.
    """
    from arcal.audits import read_predictions
    from arcal.classifiers import check_class_names
    from arcal.printable import first_few

    other = read_predictions(path, labelled=False, id=ids, classes=classes)
    other, what = other.with_classes_like(classes), f"{flag} {path}"
    if len(classes) != (Z := other.predictions.classes):
        only = [name for name in other.classes if name not in classes]
        known = f"; only there is {first_few(only)}" if len(classes) < Z and only else ""
        raise ArcalError(
            f"{what} has {Z} classes and {fitted_to} {len(classes)}{known}: give the same"
        )
    try:
        check_class_names(classes, other.classes)
    except ArcalError:
        raise ArcalError(
            f"{what} has the classes {first_few(other.classes)}, and {fitted_to} "
            f"{first_few(classes)}: give the same model's, by the same names"
        ) from None
    unnamed = other.classes == tuple(map(str, range(Z)))
    return replace(other, classes=tuple(classes)) if unnamed else other
