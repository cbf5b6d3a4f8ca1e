"""Rankings of images by vanilla runs, scored by all workers before other runs begin."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from arcal.attacks import attack_named
from arcal.compute import Compute
from arcal.data import Data
from arcal.methods import method_class, needs_vanilla
from arcal.methods.perturbed import ATTACK
from arcal.robustness import Attack, Robustness
from arcal.store import RunFolder
from arcal.training.run import Run, load_once
from arcal.training.scoring import SHARD, score_run, score_share

TOGETHER = 10
"""Shards that a worker scores at a time: enough to be worth opening the data for."""


@dataclass(frozen=True)
class Ranking:
    """A part of the data, scored by `order`; `attack` is the name of its attack if it has one."""

    part: Literal["train", "validation"]
    order: str
    attack: str | None = None

    def attacked(self) -> Attack | None:
        """The attack."""
        return None if self.attack is None else attack_named(self.attack)

    def scores(self, base: RunFolder, data: Data, compute: Compute) -> Robustness:
        """The scores by the model of a run, made now if they are missing."""
        return score_run(
            base,
            data.part(self.part),
            self.part,
            self.order,
            attack=self.attacked(),
            fabric=compute.fabric_if_needed(),
            loaders=compute.loaders,
        )


def for_levels(run: Run) -> list[Ranking]:
    """The rankings that the levels of a run are cut from, none if it has no levels.

    >>> settings = {"order": "margin", "attack": None}
    >>> [one.part for one in for_levels(Run(method="ar-adals", settings=settings))]
    ['train', 'validation']
    """
    if not method_class(run.method).ranks:
        return []
    order, attack = run.settings["order"], run.settings["attack"]
    return [Ranking("train", order, attack), Ranking("validation", order, attack)]


def for_distances(run: Run) -> list[Ranking]:
    """The ranking whose distances perturb the images of a run, none if they do not.

    >>> for_distances(Run(settings={"perturbed": 0.5, "perturbed_by": "gradient"}))
    [Ranking(part='train', order='gradient', attack=None)]
    """
    by = run.settings.get("perturbed_by")
    return [] if by is None else [Ranking("train", by, ATTACK if by == "attack" else None)]


def bases_of(run: Run) -> list[Run]:
    """The vanilla runs that rank the images of a run, one per seed; none if it needs no ranking.

    >>> [base.seeds for base in bases_of(Run(method="ar-adals", seeds=(0, 1)))]
    [(0,), (1,)]
    """
    seeds = run.seeds if needs_vanilla(run.method, run.settings) else ()
    return [replace(run, method="vanilla", settings={}, seeds=(seed,)) for seed in seeds]


def shares(
    runs: Iterable[Run], data_of: Callable[[Run], Data], root: Path, compute: Compute
) -> list[Callable[[], None]]:
    """Calls that score, piece by piece, all rankings that runs wait for.

    They can be called in any process and any order once the vanilla runs are trained. The runs then
    find the scores and make none themselves.
    """
    wanted: list[tuple[Run, Ranking]] = []
    for run in runs:
        for ranking in (*for_levels(run), *for_distances(run)):
            wanted += [(base, ranking) for base in bases_of(run) if (base, ranking) not in wanted]
    pieces = []
    for base, ranking in wanted:
        of = -(-len(data_of(base).part(ranking.part)) // (SHARD * TOGETHER))
        pieces += [partial(_score, base, ranking, root, share, of, compute) for share in range(of)]
    return pieces


def _score(base: Run, ranking: Ranking, root: Path, share: int, of: int, compute: Compute) -> None:
    data = load_once(base)
    with replace(compute, threads=base.threads).limited():
        score_share(
            base.folder(root, data),
            data.part(ranking.part),
            ranking.part,
            ranking.order,
            attack=ranking.attacked(),
            share=share,
            of=of,
            device=compute.device,
            loaders=compute.loaders,
        )
