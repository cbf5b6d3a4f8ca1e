"""Which runs belong to one method: those that differ only in their seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from arcal.auditing import Method, Provenance
from arcal.errors import ArcalError
from arcal.smoothing import soft_label_of
from arcal.store import RunFolder
from arcal.training.recipes import Recipe
from arcal.training.run import Run
from arcal.training.saved_run import Record, read_run


@dataclass(frozen=True)
class Group:
    """The runs of one method with the same settings, in ascending order of their seeds."""

    method: Method
    folders: tuple[RunFolder, ...]
    records: tuple[Record, ...]

    @property
    def seeds(self) -> list[tuple[int, ...]]:
        return [record.run.seeds for record in self.records]

    @property
    def provenance(self) -> list[Provenance]:
        """Where each run comes from: the name of its folder, and what it was made with."""
        return [
            Provenance(folder.name, _facts(record))
            for folder, record in zip(self.folders, self.records, strict=True)
        ]

    def smoothing(self) -> list[float]:
        """Each run's label smoothing after its last epoch, a mean over the levels."""
        return [
            _smoothing(folder, record)
            for folder, record in zip(self.folders, self.records, strict=True)
        ]

    def soft_labels(self) -> Tensor | None:
        """The correct class's soft label (Eq. 2) by epoch, mean over runs, `(epochs + 1, R)`.

        The first row is the one-hot start. None for a method that does not adapt its labels.
        """
        histories = [
            [levels for epoch in folder.epochs() if (levels := _by_level(epoch)) is not None]
            for folder in self.folders
        ]
        epochs = min(len(history) for history in histories)
        if epochs == 0:
            return None
        epsilon = torch.tensor(
            [history[:epochs] for history in histories], dtype=torch.float64, device="cpu"
        )
        learned = soft_label_of(epsilon.mean(dim=0), len(self.records[0].data.classes))
        return torch.cat([torch.ones_like(learned[:1]), learned])


def group_runs(folders: Sequence[RunFolder]) -> list[Group]:
    """The groups in the order in which they first occur.

    Two folders with the same run, which would count as two seeds, raise `ArcalError`.
    """
    groups: list[list[tuple[RunFolder, Record]]] = []
    known: dict[str, RunFolder] = {}
    for folder in folders:
        if (first := known.setdefault(folder.name, folder)) is not folder:
            raise ArcalError(f"{first.path} and {folder.path} are the same run: name one of them")
        record = read_run(folder)
        for group in groups:
            if group[0][1].is_twin(record):
                break
        else:
            group = []
            groups.append(group)
        for other, its_record in group:
            if its_record.run.seeds == record.run.seeds:
                raise ArcalError(
                    f"{other.path} and {folder.path} are of the same seeds, on the same data by "
                    "another name: name one of them"
                )
        group.append((folder, record))
    methods = [method_of_run(group[0][1].run) for group in groups]
    recipes = [group[0][1].run.recipe for group in groups]
    return [
        _group(
            method,
            group,
            [its for other, its in zip(methods, recipes, strict=True) if other == method],
        )
        for method, group in zip(methods, groups, strict=True)
    ]


def same_data(folders: list[RunFolder]) -> None:
    """Refuse runs whose data or validation split differ."""
    first, *others = folders
    for other in others:
        record, wanted = read_run(other), read_run(first)
        if not record.data.is_same(wanted.data):
            choice, usual = record.run.choice, wanted.run.choice
            differ = [
                f"--{name.replace('_', '-')} {_given(choice[name])}, not {_given(usual[name])}"
                for name in choice
                if choice[name] != usual[name]
            ]
            how = f" ({'; '.join(differ)})" if differ else ""
            raise ArcalError(
                f"{other.path} was trained on different data or another split than "
                f"{first.path}{how}: compare only runs with the same data and split"
            )


def _given(value: object) -> str:
    """The value of an option in words."""
    if value is None:
        return "as usual"
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def method_of_run(run: Run) -> Method:
    """The method of a run, which runs that differ only in their seeds share."""
    return Method(run.method, run.settings, len(run.seeds))


def _group(
    method: Method, runs: list[tuple[RunFolder, Record]], recipes: Sequence[Recipe]
) -> Group:
    """A group; if several have the same method and settings, each gets details to differ by.

    `recipes` are those of all groups with this method and these settings.
    """
    first, record = runs[0]
    if len(recipes) > 1:
        run = record.run
        details = (
            run.network_name,
            f"{run.recipe.epochs} epochs",
            *_differing(run.recipe, recipes),
            first.digest,
        )
        method = replace(method, details=details)
    ordered = sorted(runs, key=lambda pair: pair[1].run.seeds)
    return Group(method, tuple(run for run, _ in ordered), tuple(known for _, known in ordered))


def _differing(recipe: Recipe, others: Sequence[Recipe]) -> list[str]:
    """The parts of a recipe, in words, that not all others share, without its epochs."""
    words = [_words(one) for one in (recipe, *others)]
    return [own for own, *rest in zip(*words, strict=True) if any(own != one for one in rest)]


def _words(recipe: Recipe) -> list[str]:
    return [
        f"batches of {recipe.batch_size}",
        recipe.optimizer,
        f"learning rate {recipe.learning_rate:g}",
        f"weight decay {recipe.weight_decay:g}",
        f"augmentation {recipe.augmentation}",
        f"precision {recipe.precision}",
    ]


def _smoothing(folder: RunFolder, record: Record) -> float:
    last = _by_level(folder.epochs()[-1])
    if last is not None:
        return sum(last) / len(last)
    fixed = record.run.settings.get("epsilon")
    return float(fixed) if isinstance(fixed, int | float) else 0.0


def _by_level(epoch: Mapping[str, Any]) -> list[float] | None:
    """The logged smoothing of each level, or None; a user's method may log another `epsilon`."""
    logged = epoch.get("epsilon")
    listed = isinstance(logged, list) and all(isinstance(one, int | float) for one in logged)
    return logged if listed and logged else None


def _facts(record: Record) -> dict[str, str]:
    run = record.run
    return {
        "Data": Path(run.data).name,
        "Image": " × ".join(map(str, record.data.shape)),
        "Network": run.network_name,
        "Recipe": _recipe(run.recipe),
        "Split seed": str(run.split_seed),
        "Threads": str(run.threads),
    }


def _recipe(recipe: Recipe) -> str:
    steps = ", ".join(f"× {factor:g} after {done}" for done, factor in recipe.steps)
    batches, optimizer, rate, *rest = _words(recipe)
    rate += f" ({steps})" if steps else ""
    return ", ".join([f"{recipe.name}: {recipe.epochs} epochs", batches, optimizer, rate, *rest])
