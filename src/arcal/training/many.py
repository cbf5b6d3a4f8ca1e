"""Many runs, one after another, over local processes or on Ray; and sweeps over one setting."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from arcal.compute import Compute, on_ray
from arcal.compute.launcher import joined
from arcal.compute.processes import fan_out, watched
from arcal.data import Data
from arcal.errors import ArcalError
from arcal.methods import method_class
from arcal.store import RunFolder
from arcal.training._train import check_images, checked_method, train
from arcal.training.rankings import bases_of, shares
from arcal.training.run import Run
from arcal.training.saved_run import is_done

log: logging.Logger = logging.getLogger(__name__)

Progress = Callable[[int, int], object]
"""Called now and then with the number of epochs done and the total."""


def train_all(
    runs: list[Run],
    root: Path | str,
    *,
    compute: Compute | None = None,
    loaded: dict[tuple[Any, ...], Data] | None = None,
    progress: Progress = lambda done, total: None,
) -> list[RunFolder]:
    """Train runs in `root`, each once, and return their folders in the order of the runs.

    Runs whose levels or distances come from vanilla runs train those first. Finished runs are not
    trained again, and interrupted ones continue. The workers of `compute`, or its Ray cluster,
    train one run each; its processes train one member of an ensemble each, after its vanilla runs.
    Data sets are stored in `loaded`, which can be passed to the next call. `progress` gets the
    number of epochs done and the total. A run that cannot be trained raises `ArcalError` before any
    training begins.

    >>> from dataclasses import replace
    >>> from arcal.training import RECIPES
    >>> size = {"images": 100, "validation": 100, "test_images": 100}
    >>> run = Run(recipe=RECIPES["small"].shortened(1), **size)
    >>> folders = train_all([run, replace(run, seeds=(1,))], "runs")
    >>> [folder.epochs_done() for folder in folders]
    [1, 1]
    """
    compute = compute or Compute()
    root, loaded = Path(root), {} if loaded is None else loaded
    check_all(runs, compute, loaded)

    def data_of(run: Run) -> Data:
        return loaded[_data(run)]

    folders: dict[Path, Run] = {}
    for run in with_bases(runs):
        folders[path := run.path(root, data_of(run))] = run
        check_images(RunFolder(path), data_of(run))
    todo = [run for path, run in folders.items() if not is_done(RunFolder(path))]
    for path, run in folders.items():
        before = RunFolder(path).epochs_done()
        log.info(f"{path}: {before} of {run.recipe.epochs} epochs were trained before")
    alone = replace(compute, workers=1, ray=None)
    epochs = sum(run.recipe.epochs for run in folders.values())
    with watched(lambda: progress(sum(RunFolder(path).epochs_done() for path in folders), epochs)):
        if not todo:
            pass
        elif compute.ray is None and compute.workers == 1:
            if compute.processes > 1 and joined() is None:
                _ahead_of_ensembles(todo, root.absolute(), alone, data_of)
            for run in todo:
                train(run, root, data=data_of(run), compute=alone)
        else:
            waves = _waves(todo, root.absolute(), alone, data_of)
            if compute.ray is not None:
                threads = max(run.threads for run in todo)
                on_ray.fan_out(waves, root, replace(compute, threads=threads))
            else:
                fan_out(waves, compute.workers, gpus=compute.gpus())
    return [run.folder(root, data_of(run)) for run in runs]


def check_all(runs: list[Run], compute: Compute, loaded: dict[tuple[Any, ...], Data]) -> None:
    """Refuse runs that could not be trained, and load their data, before a file is written.

    >>> loaded = {}
    >>> check_all([Run(images=100, validation=100, test_images=100)], Compute(), loaded)
    >>> len(loaded)
    1
    """
    compute.begin("arcal.training", "arcal.compute.device")
    compute.devices()  # an accelerator that is not available raises
    for run in with_bases(runs):
        if run.source is not None:
            run.source.digest()  # a file that is missing raises
        if _data(run) not in loaded:
            loaded[_data(run)] = run.load()
        checked_method(run, loaded[_data(run)])


def _waves(
    todo: Sequence[Run], root: Path, alone: Compute, data_of: Callable[[Run], Data]
) -> list[list[Callable[[], object]]]:
    """Jobs in three waves: runs without a ranking, rankings by these, and the other runs.

    If the runs made a ranking themselves, one worker would make it and other runs would wait.
    """

    def jobs(runs: Iterable[Run]) -> list[Callable[[], object]]:
        return [partial(train, run, root, compute=alone) for run in runs]

    ranked = [run for run in todo if bases_of(run)]
    return [
        jobs(run for run in todo if run not in ranked),
        [*shares(ranked, data_of, root, alone)],
        jobs(ranked),
    ]


def _ahead_of_ensembles(
    todo: Sequence[Run], root: Path, compute: Compute, data_of: Callable[[Run], Data]
) -> None:
    """Train single runs, one per process, and rank by them, before ensembles take the processes."""
    ensembles = [run for run in todo if len(run.seeds) > 1]
    single = [run for run in todo if run not in ensembles]
    alone = replace(compute, processes=1)
    waves = _waves(single, root, alone, data_of)[0], shares(ensembles, data_of, root, alone)
    if jobs := [wave for wave in waves if wave]:
        fan_out(jobs, compute.processes, gpus=compute.gpus())


def with_bases(runs: Sequence[Run]) -> list[Run]:
    """The runs, each once, after the vanilla runs that give them their levels or distances."""
    unique: list[Run] = []
    for run in [*(base for one in runs for base in bases_of(one)), *runs]:
        if run not in unique:
            unique.append(run)
    return unique


def _data(run: Run) -> tuple[Any, ...]:
    """The settings that determine the data set of a run."""
    return run.data, *run.choice.values()


@dataclass(frozen=True)
class Sweep:
    """The result of a sweep: the validation ECE after the final epoch, by value of the setting.

    >>> Sweep("alpha", {0.1: 0.04, 0.2: 0.02, 0.4: 0.03}).best
    0.2
    """

    setting: str
    """The name of the setting, such as "alpha"."""
    ece: dict[float, float]
    """Validation ECE in [0, 1], by value."""

    @property
    def best(self) -> float:
        """The value with the lowest validation ECE, the first of equal ones."""
        return min(self.ece, key=lambda value: self.ece[value])


def sweep(
    run: Run,
    root: Path | str,
    setting: str,
    values: Sequence[float],
    *,
    extend: bool = False,
    **options: Any,
) -> Sweep:
    """Choose one setting of a method on the validation set (section 4.1, appendix A).

    Trains `run` in `root` with each of the ascending `values` of the setting. With `extend`, the
    grid continues upwards with its last step size for as long as its largest value is the best, up
    to twice the last value given and within the setting's bounds, so that the choice is not limited
    by where the grid happens to end.
    `options` are those of `train_all`. A setting that the method does not have, or no value, raises
    `ArcalError`.

    >>> from arcal.training import RECIPES
    >>> size = {"images": 100, "validation": 100, "test_images": 100}
    >>> run = Run(method="label-smoothing", recipe=RECIPES["small"].shortened(1), **size)
    >>> result = sweep(run, Path("runs"), "epsilon", [0.1, 0.2])
    >>> list(result.ece)
    [0.1, 0.2]
    >>> result.best in (0.1, 0.2)
    True
    """
    if not values:
        raise ArcalError(f"there is no value of {setting} to try: give at least one")
    ece: dict[float, float] = {}
    values, most = list(values), 2 * values[-1]
    while values:
        folders = train_all(tries(run, setting, values), root, **options)
        ece |= {value: f.epochs()[-1]["ece"] for value, f in zip(values, folders, strict=True)}
        tried = list(ece)
        best = Sweep(setting, ece).best
        goes_on = extend and best == tried[-1] and len(tried) > 1
        further = [round(2 * tried[-1] - tried[-2], 10)] if goes_on else []
        (declared,) = (one for one in method_class(run.method).settings() if one.name == setting)
        values = [value for value in further if value <= most and declared.contains(value)]
    return Sweep(setting, ece)


def tries(run: Run, setting: str, values: Sequence[float]) -> list[Run]:
    """The runs of a sweep: `run` with each of the `values` of a setting.

    >>> [run.settings for run in tries(Run(method="label-smoothing"), "epsilon", [0.1, 0.2])]
    [{'epsilon': 0.1}, {'epsilon': 0.2}]
    """
    return [replace(run, settings=run.settings | {setting: value}) for value in values]
