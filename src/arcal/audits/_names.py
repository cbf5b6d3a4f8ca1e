"""Which of what a user types are models, data and files of predictions, and names for them."""

from collections.abc import Sequence
from pathlib import Path

from arcal.errors import ArcalError
from arcal.prediction_files import SUFFIXES, holds_predictions, may_hold_predictions
from arcal.store import is_run_folder

NOT_READ = (".xlsx", ".xls", ".xlsm", ".ods", ".txt", ".json", ".feather", ".npy", ".pkl")
"""Endings of files that may well hold predictions, but are not read."""
OF_TENSORS = (".pt", ".pth", ".bin", ".safetensors")
"""Endings of files that may hold a model's weights, or predictions."""


def split_names(what: Sequence[str]) -> tuple[list[str], str | None]:
    """The models and the data, or files of predictions alone, which need no data.

    Run folders alone bring their own data: those of the first.
    """
    predictions = [holds_predictions(Path(one)) for one in what]
    files = [may_hold_predictions(Path(one)) for one in what]
    if all(predictions) or all(files):  # if not, reading them says why
        return list(what), None
    if all(map(is_run_folder, what)):
        return list(what), what[0]
    if any(predictions[:-1]):
        first, other = what[predictions.index(True)], what[predictions.index(False)]
        if not Path(other).exists() and ":" not in other:
            raise ArcalError(f"{other} is missing: give files of predictions, as {first} is")
        raise ArcalError(
            f"{first} holds predictions, and {other} does not: give files of predictions alone, "
            "or models and DATA"
        )
    if len(what) == 1:
        path = Path(what[0])
        if path.suffix.lower() in NOT_READ and path.is_file():
            raise ArcalError(
                f"{path} is not a model, and predictions are read from {', '.join(SUFFIXES)}: save "
                "them as one of these"
            )
        if path.suffix.lower() in OF_TENSORS and path.is_file():
            raise ArcalError(
                f"{path} alone is not enough: of weights, name the network, DATA and --weights "
                f"{path.name}; predictions are read from {', '.join(SUFFIXES)}"
            )
        raise ArcalError(f"{what[0]} alone is not enough: give DATA after the model")
    *models, data = what
    check_data_name(data)
    return models, data


def check_data_name(data: str) -> None:
    """Refuse a run folder or a model in place of DATA."""
    if is_run_folder(data):
        raise ArcalError(f"{data} is a run folder where DATA should be: give DATA after it")
    if ".py:" in data and not Path(data).exists():
        raise ArcalError(
            f"{data} is a model where DATA should be: give DATA after the models; audit a loader "
            "in Python, `arcal.audit(model, loader)`"
        )


def names_of(specs: Sequence[str], given: Sequence[str]) -> list[str]:
    """A name for each model: the ones given, or the shortest that tell them apart."""
    if given:
        if len(given) != len(specs):
            models = f"{len(specs)} model{'s' * (len(specs) > 1)}"
            raise ArcalError(f"{len(given)} names for {models}: give one each")
        names = list(given)
        if not all(name.strip() for name in names):
            raise ArcalError("one of --names is empty: give each model a name")
    else:
        names = [_short(spec) for spec in specs]
        if len(set(names)) < len(names):
            names = [spec.rpartition(":")[2] for spec in specs]
        if len(set(names)) < len(names):
            names = list(specs)
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise ArcalError(f"two models are called {twice}: tell them apart with --names")
    return names


def _short(spec: str) -> str:
    """A short name: the file of code or of a program, the last folder, the network or the object.

    A file of predictions keeps its ending, so that a sentence shows what it is: `predictions.csv is
    right on 80 %`.
    """
    before, _, after = spec.rpartition(":")
    if before.endswith(".py"):
        return Path(before).stem
    if before in ("timm", "torchvision"):
        return after
    path = Path(after)
    return path.stem if path.suffix == ".pt2" else path.name or spec
