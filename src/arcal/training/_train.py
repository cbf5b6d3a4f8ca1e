"""Training one run, from its configuration to its folder."""

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from arcal.auditing import check_model
from arcal.classifiers import one_line
from arcal.compute import Compute
from arcal.compute.processes import keep_memory
from arcal.data import Data, InMemory, Part, as_input, batches
from arcal.data.contents import check_evidence, evidence_of, files_of
from arcal.errors import ArcalError, a_type
from arcal.files import parse_json, write_json
from arcal.methods import Method, method_named
from arcal.networks import ResNetV2
from arcal.ranks import levels, mean_rank
from arcal.robustness import score
from arcal.store import RunFolder
from arcal.training._fit import Member, enough_for_batch_norm, fit
from arcal.training._rescoring import Scorer
from arcal.training.rankings import Ranking, bases_of, for_distances, for_levels
from arcal.training.run import Run, load_once
from arcal.training.saved_run import is_done
from arcal.training.scoring import BATCH

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def train(
    run: Run,
    root: Path | str,
    *,
    data: Data | None = None,
    compute: Compute | None = None,
) -> RunFolder:
    """Train a run and return its folder in `root`.

    A run that was interrupted continues after its last epoch, and a finished one is not trained
    again. `data` is the data set of the run if it is loaded already. `compute` says where to train,
    which does not change the result on the same device: with several processes each trains some of
    an ensemble's members. The numbers of threads, and of devices that share every batch, are those
    of the run.

    A method that needs robustness levels first trains the vanilla run of each of its seeds, unless
    it exists, and scores the training and validation sets with it (section 4, "pre-compute"). All
    members share one ranking, by the mean rank over their vanilla models; if images are perturbed
    by their own distances, they share the mean distance. Too few images or classes, unreadable
    data, images that were replaced since the run began, or an accelerator that is not available
    raise `ArcalError`.

    >>> from arcal.training import RECIPES
    >>> size = {"images": 100, "validation": 100, "test_images": 100}
    >>> run = Run(recipe=RECIPES["small"].shortened(1), **size)
    >>> folder = train(run, "runs")
    >>> [sorted(epoch) for epoch in folder.epochs()]
    [['accuracy', 'ece', 'epoch', 'loss', 'nll', 'rate', 'seconds']]
    """
    keep_memory()
    data = data or run.load()
    method = checked_method(run, data)
    if run.source and not run.path(root, data).exists():  # a user's code should fail here
        _check_network(run, data, method)
    folder = run.folder(root, data)
    check_images(folder, data)
    if is_done(folder):
        return folder
    compute = compute or Compute()
    processes = run.devices if run.devices > 1 else min(compute.processes, len(run.seeds))
    compute = replace(compute, threads=run.threads, processes=processes)
    with compute.limited(), folder.locked():
        if is_done(folder):  # another process has trained it meanwhile
            return folder
        keep_images(folder, data)
        if of := bases_of(run):
            bases = [train(base, root, data=data, compute=compute) for base in of]
            _teach(method, run, bases, data, compute)
        from arcal.compute.device import run_on  # takes seconds to import

        fabric = compute.fabric(run.recipe.precision)
        training = _Training(run, folder, method, data, compute)
        run_on(fabric, training, elsewhere=replace(training, data=None))
    return folder


def _check_network(run: Run, data: Data, method: Method) -> None:
    """Refuse a user's network that could not be trained, or could not be evaluated afterwards."""
    network, again = (run.build(len(data.classes), data.shape, run.seeds[0]) for _ in range(2))
    trained, others = ({id(p) for p in n.parameters() if p.requires_grad} for n in (network, again))
    if trained & others:
        raise ArcalError(
            f"{run.network} gives the same network each time it is called: let it make a new one, "
            "since each seed draws its own weights"
        )
    run.recipe.optimizer_for(network)
    generator = torch.Generator().manual_seed(0)
    try:
        with torch.random.fork_rng(devices=[]):
            some = torch.rand(2, *data.shape, generator=generator, device="cpu")
            check_model(network.eval(), some, classes=len(data.classes))
    except ArcalError as error:
        raise ArcalError(f"{run.network} in evaluation mode: {error}") from None
    with torch.random.fork_rng(devices=[]), one_line(run.network, "in training mode"):
        logits = network.train()(some)
    shape = tuple(logits.shape) if isinstance(logits, Tensor) else a_type(logits)
    if shape != (wanted := (2, len(data.classes))):
        raise ArcalError(
            f"{run.network} in training mode gives {shape} for 2 images: let it return logits of "
            f"shape {wanted} alone, as in evaluation mode"
        )
    several = method.added.regmixup is not None or method.added.augmix  # views of an image
    if not several and run.recipe.fewest(len(data.train), run.devices) == 1:
        with torch.random.fork_rng(devices=[]), enough_for_batch_norm(1):
            network(some[:1])


def checked_method(run: Run, data: Data) -> Method:
    """The method of a run; data with too few images or classes for it raises `ArcalError`."""
    if len(data.classes) < 2:
        raise ArcalError(f"{data.name} has one class: give a data set with at least 2")
    recipe, images = run.recipe, len(data.train)
    if recipe.schedule == "linear" and recipe.epochs == 1 and images <= recipe.batch_size:
        raise ArcalError(
            f"one epoch of {images} images is one batch of {recipe.batch_size}, the last of a "
            "linear schedule, whose learning rate is 0: take more epochs or smaller batches"
        )
    method = method_named(run.method, len(data.classes), run.settings)
    smallest = min(len(data.train), len(data.validation))
    if method.ranks and smallest < method.R:
        raise ArcalError(
            f"{method.R} levels need at least as many training and validation images, but "
            f"{data.name} has {len(data.train)} and {len(data.validation)}: choose R "
            f"(--levels) from 1 to {smallest}"
        )
    return method


@dataclass(frozen=True)
class _Training:
    """The training of a run, in each of its processes; without `data` a process reads it itself."""

    run: Run
    folder: RunFolder
    method: Method
    data: Data | None
    compute: Compute

    def __call__(self, fabric: "Fabric") -> None:
        run = self.run
        data = self.data or _read(run, self.folder, fabric.global_rank)
        # Processes that are started here share the memory of tensors: each updates its own.
        method = copy.deepcopy(self.method)
        with self.compute.limited():
            fit(
                [Member(_network(run, data, seed), seed) for seed in run.seeds],
                method,
                run.recipe,
                data.train,
                data.validation,
                fabric=fabric,
                folder=self.folder,
                rescore=_scorer(run, self.compute.loaders) if method.ranks else None,
                loaders=self.compute.loaders,
                apart=run.devices == 1,
            )


def _read(run: Run, folder: RunFolder, rank: int) -> Data:
    """The data of a run, read again; other data than the folder's raises `ArcalError`."""
    data = load_once(run)
    if run.path("", data).name != folder.name:
        raise ArcalError(
            f"{run.data} holds different data for rank {rank} and for rank 0: give all machines "
            "the same"
        )
    return data


def _teach(method: Method, run: Run, bases: list[RunFolder], data: Data, compute: Compute) -> None:
    """Give a method the levels, the distances or both that vanilla runs found for the images."""

    def scores(ranking: Ranking) -> Tensor:
        return torch.stack([ranking.scores(base, data, compute).robustness for base in bases])

    for ranking in for_levels(run):
        ids = data.part(ranking.part).ids
        mean = mean_rank(scores(ranking), ids)
        method.assign(ranking.part, ids, levels(mean, ids, method.R))
    for ranking in for_distances(run):
        method.assign_distances(data.train.ids, scores(ranking).mean(dim=0))


def _scorer(run: Run, loaders: int) -> Scorer:
    """A function that scores inputs with the current members ("on the fly", section 4).

    Images are read once for all members, by `loaders` processes if they are files.
    """
    ranking = for_levels(run)[0]  # the same for both parts
    order, attack = ranking.order, ranking.attacked()

    def rescore(models: list[nn.Module], part: Part, positions: Tensor) -> Tensor:
        robustness = []
        workers = 0 if isinstance(part, InMemory) else loaders
        read = list(batches(part, BATCH, order=positions, workers=workers))
        for model, seed in zip(models, run.seeds, strict=True):
            device = next(model.parameters()).device
            inputs = ((ids, as_input(images, device), labels) for ids, images, labels in read)
            scores = score(model, inputs, order, attack=attack, seed=seed)
            robustness.append(scores.robustness)
        return torch.stack(robustness)

    return rescore


def _network(run: Run, data: Data, seed: int) -> nn.Module:
    model = run.build(len(data.classes), data.shape, seed)
    if isinstance(model, ResNetV2) and isinstance(data.train, InMemory):
        model.normalize.set_mean(data.train.pixels)  # as in the paper's script
    return model


def keep_images(folder: RunFolder, data: Data) -> None:
    """Record the contents of a run's image files in files.json, before the run begins.

    If a fingerprint covers every byte, as for Parquet, nothing is recorded. Files that were not
    read yet are read now, unless another run in the same folder has recorded the same ones.
    """
    evidence = {name: _evidence(folder, name, part) for name, part in _parts(data).items()}
    if any(evidence.values()) and not folder.files.exists():
        write_json(folder.files, evidence)


def check_images(folder: RunFolder, data: Data) -> None:
    """Raise `ArcalError` if images of a run that has begun were replaced since."""
    noted = _noted(folder.files)
    for name, part in _parts(data).items():
        remedy = "put it back, delete the run, or train in another folder of runs"
        check_evidence(folder.path, part, noted.get(name), remedy)


def _parts(data: Data) -> dict[str, Part]:
    return {"train": data.train, "validation": data.validation}


def _evidence(folder: RunFolder, name: str, part: Part) -> dict[str, str]:
    if (files := files_of(part)) is None:
        return {}
    stamp = files.stamp()
    for other in folder.path.parent.glob(f"*/{folder.files.name}"):
        noted = _noted(other).get(name)
        if isinstance(noted, dict) and noted.get("stamp") == stamp:
            return noted
    return evidence_of(part)


def _noted(path: Path) -> dict[str, Any]:
    try:
        noted = parse_json(path.read_bytes()) if path.exists() else {}
    except ValueError:
        noted = None
    if not isinstance(noted, dict):
        raise ArcalError(f"{path} is damaged: delete it, and the run if its images may be others")
    return noted
