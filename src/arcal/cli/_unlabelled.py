"""Inputs besides the labelled ones that `arcal calibrate` fits to: --unlabelled and --apply."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from arcal.cli.output import say
from arcal.errors import ArcalError, prefixing_errors
from arcal.printable import first_few, printable

if TYPE_CHECKING:
    from torch import Tensor

    from arcal.auditing import Predictions
    from arcal.prediction_files import ColumnNames, SavedPredictions


def set_names(unlabelled: Sequence[str] | None) -> list[str]:
    """A name for each set of unlabelled inputs: its file or folder, or "" for a single set.

    >>> set_names(["logs/monday.csv", "logs/tuesday.csv"]), set_names(["today.csv"])
    (['monday.csv', 'tuesday.csv'], [''])
    """
    if unlabelled is not None and not unlabelled:
        raise ArcalError("--unlabelled names nothing: give DATA or a file of predictions")
    if unlabelled is None or len(unlabelled) == 1:
        return [""] * len(unlabelled or ())
    names = [printable(Path(one).name) for one in unlabelled]
    if len(set(names)) < len(names):
        names = [printable(one) for one in unlabelled]
    if twice := next((name for i, name in enumerate(names) if name in names[:i]), None):
        raise ArcalError(f"--unlabelled names {twice} twice: name it once")
    return names


class Labelled(NamedTuple):
    """What a calibrator is fitted to: its name, its classes, and whether it has `answers`."""

    name: str
    classes: tuple[str, ...]
    answers: bool = False


def predictions_like(
    flag: str, path: Path, labelled: Labelled, called: "ColumnNames"
) -> "SavedPredictions":
    """The predictions in a file that a flag names, with the classes of the labelled ones in order.

    Its columns are `called` as those of the labelled ones, of which it may lack those in `by`. Its
    labels and weights are not used. If only this file names its classes, a line says which order is
    assumed. Predictions of other classes, as far as is known, and answers in one file beside
    probabilities in the other raise `ArcalError`.
    """
    from arcal.classifiers import check_class_names
    from arcal.prediction_files import has_column, read_predictions

    fitted_to, classes, answers = labelled
    there = tuple(column for column in called.by if has_column(path, column))
    called = replace(called, label=None, weight=None, labels_from=None, by=there, classes=())
    other = read_predictions(path, called, labelled=False, classes=classes)
    other, what = other.with_classes_like(classes), f"{flag} {path}"
    if other.predictions.answers != answers:
        has = ("the probabilities of all classes", "a confidence alone")
        raise ArcalError(
            f"{what} has {has[other.predictions.answers]}, and {fitted_to} {has[answers]}: give "
            "two files of the same kind"
        )
    if len(classes) != (Z := other.predictions.classes):
        only = [name for name in other.classes if name not in classes]
        known = f", without {first_few(only)}" if len(classes) < Z and only else ""
        raise ArcalError(
            f"{what} has {Z} classes and {fitted_to} {len(classes)}{known}: give the same classes"
        )
    try:
        check_class_names(classes, other.classes)
    except ArcalError:
        raise ArcalError(
            f"{what} has the classes {first_few(other.classes)}, and {fitted_to} "
            f"{first_few(classes)}: give predictions of the same model, by the same names"
        ) from None
    numbers = tuple(map(str, range(Z)))
    unnamed = other.classes == numbers
    if classes == numbers and not unnamed:  # the order of these names is not known
        say(
            f"arcal: {what} has the classes {first_few(other.classes)}, which are taken for "
            f"{first_few(classes)} of {fitted_to} in this order: name them alike"
        )
    return replace(other, classes=tuple(classes)) if unnamed else other


def left_out(path: str | Path, saved: "SavedPredictions", one_per: str | None) -> list[str]:
    """Lines on columns that are not used, and on a file that lacks the column `one_per`."""
    from arcal.audits import not_drawn

    lines = []
    if one_per is not None and one_per not in saved.by:
        lines.append(not_drawn(str(path), one_per))
    if saved.weighed_by is not None:
        lines.append(
            f"{path}: not used: {saved.weighed_by}, since inputs without labels count alike"
        )
    if saved.unused:
        lines.append(f"{path}: columns not used: {first_few(saved.unused)}")
    return lines


def clusters_in(
    others: Mapping[str, "SavedPredictions"], column: str | None
) -> dict[str, "Tensor"]:
    """The clusters of the inputs in files that have such a column, by the name of the file."""
    from arcal.auditing import in_clusters

    numbers: dict[str, Tensor] = {}
    for path, saved in others.items():
        if column is None or column not in saved.by:
            continue
        with prefixing_errors(path):
            numbers[path] = in_clusters(column, saved.by[column], several=False).number
    return numbers


def drawn(saved: "SavedPredictions", one_per: str | None, path: str | Path) -> "SavedPredictions":
    """The predictions in a file, one input per value of its column `one_per` if it has one."""
    if one_per is None or one_per not in saved.by:
        return saved
    with prefixing_errors(path):
        return saved.one_per(one_per)


def say_drift(
    labelled: "Predictions",
    others: Mapping[str, "Predictions"],
    classes: Sequence[str],
    clusters: "Tensor | None",
    clusters_of: "Mapping[str, Tensor]",
) -> None:
    """Say if inputs without labels, by the name of their data, seem to differ from those with.

    `clusters` are those of the labelled inputs, and `clusters_of` those of the others, by name.
    """
    from arcal.auditing import suspect_drift

    for path, other in others.items():
        both = labelled.log_probabilities, other.log_probabilities
        if labelled.answers:  # only the second of two classes is examined
            both = both[0].flip(1), both[1].flip(1)
            classes = ("a wrong answer", "a right answer")
        doubt = suspect_drift(*both, classes, clusters=(clusters, clusters_of.get(path)))
        if doubt is not None:
            say(f"arcal: {path}: {doubt}")
