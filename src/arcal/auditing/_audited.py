"""One audited classifier: its predictions on one data set, and the findings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypedDict

import torch
from numpy.typing import NDArray
from torch import Tensor

from arcal.auditing._acting import Acting, acting
from arcal.auditing._caveat import Caveat, Option
from arcal.auditing._grouping import Grouping
from arcal.auditing._groups import Group, by_class, by_class_and_level, by_group, by_level
from arcal.auditing._halves import Halves, posthoc_on_halves
from arcal.auditing._measures import EvaluationSet
from arcal.auditing._other_data import OutOfDistribution
from arcal.auditing._overall import Overall, overall
from arcal.auditing._positive import ClassProbability, class_probability, positive_class
from arcal.auditing._predictions import Predictions
from arcal.auditing._subject import R
from arcal.auditing._suspects import fragile, per_input, suspects
from arcal.auditing._under_shift import Shift, under_shift
from arcal.calibration import RobustAccuracy, robust_accuracy
from arcal.printable import printable
from arcal.ranks import levels
from arcal.robustness import Robustness

RADII = 101
"""The most radii for which robust accuracy is given."""

MOST_CELLS = 1000
"""With more classes times levels there is no table of both: few cells would get a verdict."""


class Counting(TypedDict):
    """The weight of each input, and the number of its cluster, `(N,)`; None without any."""

    weights: Tensor | None
    clusters: Tensor | None


@dataclass(frozen=True, eq=False)
class Perturbed:
    """The n inputs whose perturbation was kept: the nearest one that changes the prediction.

    `ids` int64 `(n,)`; the perturbed `inputs`, which are images float16 `(n, C, H, W)` in [0, 1] or
    rows float32 `(n, C)`; their `logits` `(n, Z)`.

    >>> Perturbed(torch.arange(1), torch.zeros(1, 3, 2, 2).half(), torch.zeros(1, 4)).ids
    tensor([0])
    """

    ids: Tensor
    inputs: Tensor
    logits: Tensor


@dataclass(frozen=True, eq=False)
class Audited:
    """A classifier on N labelled inputs of Z `classes`, and what an audit finds.

    Everything is in the order of `predictions.ids`. `nearest` int64 `(N,)` is the class on the
    other side of the nearest boundary, -1 where none is known. `robustness`, `nearest`, `weights`
    float64 `(N,)` and the inputs' `names` and `texts` are None if unknown, and so is the `norm` of
    the distances, "l2" or "linf". `shifted`, `other` and `groupings` may be empty. `positive_class`
    is the class whose probability is compared with its frequency: by default the second of two, and
    None of more. `clusters` says which inputs belong together, None if they are independent
    (`overall`). Calibrators are fitted on `validation`, or on one half of the inputs if that is
    None; with `calibrators` False there are none. `facts` are shown on the page, `caveats` come
    before any figure, and `options` are the command-line options that the audit may suggest.
    Findings are computed on first access.

    >>> from arcal.auditing import as_predictions
    >>> predictions = as_predictions(logits=[[3.0, 0.0]] * 60, labels=[0] * 40 + [1] * 20)
    >>> one = Audited("mine", predictions, ("cat", "dog"))
    >>> round(one.overall.gap.value, 2), one.levels, one.by_class[0].verdict
    (0.29, None, 'over-confident')
    >>> one
    <Audited mine: 60 inputs, 2 classes>
    """

    name: str
    predictions: Predictions
    classes: tuple[str, ...]
    robustness: Robustness | None = None
    norm: str | None = None
    nearest: Tensor | None = None
    shifted: Mapping[EvaluationSet, Predictions] = field(default_factory=dict)
    other: Sequence[OutOfDistribution] = ()
    perturbed: Perturbed | None = None
    validation: Predictions | None = None
    weights: Tensor | None = None
    names: tuple[str, ...] | None = None
    texts: tuple[str, ...] | None = None
    groupings: Sequence[Grouping] = ()
    clusters: Grouping | None = None
    R: int = R
    positive_class: int | None = None
    calibrators: bool = True
    facts: Mapping[str, str] = field(default_factory=dict)
    caveats: Sequence[Caveat] = ()
    options: Sequence[Option] = ()

    def __post_init__(self) -> None:
        if self.positive_class is None and not self.predictions.answers:
            object.__setattr__(self, "positive_class", positive_class(None, self.classes))
        object.__setattr__(self, "name", printable(self.name))
        object.__setattr__(self, "classes", tuple(map(printable, self.classes)))
        if self.names is not None:
            object.__setattr__(self, "names", tuple(map(printable, self.names)))
        facts = {title: printable(fact) for title, fact in self.facts.items()}
        object.__setattr__(self, "facts", facts)
        object.__setattr__(self, "caveats", tuple(one.printable() for one in self.caveats))

    def __repr__(self) -> str:
        levels = "" if self.robustness is None else f", {self.R} levels by {self.robustness.order}"
        Z = "" if self.predictions.answers else f", {len(self.classes):,} classes"
        return f"<Audited {self.name}: {len(self):,} inputs{Z}{levels}>"

    def __len__(self) -> int:
        return len(self.predictions.ids)

    @property
    def counting(self) -> Counting:
        """How much each input counts, as the figures' functions take it."""
        number = None if self.clusters is None else self.clusters.number
        return {"weights": self.weights, "clusters": number}

    @cached_property
    def overall(self) -> Overall:
        """The figures of all inputs."""
        return overall(self.predictions, **self.counting)

    @cached_property
    def level(self) -> Tensor | None:
        """The robustness level of each input, int64 `(N,)`; None if nothing was ranked."""
        if self.robustness is None:
            return None
        return levels(self.robustness.robustness, self.predictions.ids, self.R)

    @cached_property
    def levels(self) -> tuple[Group, ...] | None:
        """The figures by level, the least robust first; None if nothing was ranked."""
        if self.robustness is None:
            return None
        return by_level(self.predictions, self.robustness.robustness, self.R, **self.counting)

    @cached_property
    def robust_accuracy(self) -> RobustAccuracy | None:
        """The share of inputs that stay right under any change up to a given size.

        None without an attack's distances.
        """
        known = self.robustness
        if known is None or known.order != "attack":
            return None
        return robust_accuracy(
            known.robustness,
            self.predictions.correct,
            points=RADII,
            **self.counting,
        )

    @cached_property
    def acting(self) -> Acting:
        """Where the model may act alone: how often it is right when it is confident."""
        return acting(self.predictions.scores, **self.counting)

    @cached_property
    def by_class(self) -> tuple[Group, ...]:
        """The figures of each predicted class; empty for answers."""
        if self.predictions.answers:
            return ()
        return by_class(self.predictions, self.classes, **self.counting)

    @cached_property
    def positive(self) -> ClassProbability | None:
        """The probability of `positive_class` against its frequency; None if there is no class."""
        if self.positive_class is None:
            return None
        return class_probability(self.predictions, self.positive_class, **self.counting)

    @cached_property
    def by_grouping(self) -> tuple[tuple[Group, ...], ...]:
        """The figures of every group, for each of the `groupings`."""
        return tuple(
            by_group(self.predictions, one.number, one.groups, **self.counting)
            for one in self.groupings
        )

    @cached_property
    def cells(self) -> tuple[tuple[Group, ...], ...]:
        """The figures by level, a row for each predicted class; empty if there are none."""
        if self.robustness is None or self.predictions.answers:
            return ()
        if len(self.classes) * self.R > MOST_CELLS:
            return ()
        robustness = self.robustness.robustness
        ranked = self.classes, robustness, self.R
        return by_class_and_level(self.predictions, *ranked, **self.counting)

    @cached_property
    def shift(self) -> Shift | None:
        """The figures under corruption; None without corrupted sets."""
        if not self.shifted:
            return None
        return under_shift(self.predictions, self.shifted, **self.counting)

    @cached_property
    def posthoc(self) -> Halves:
        """The effect of calibrators fitted on `validation`, or fitted on one half of the inputs."""
        if not self.calibrators:
            return Halves(0, 0)
        pair = self.predictions, self.validation
        return posthoc_on_halves(*pair, **self.counting)

    @cached_property
    def fitted_on(self) -> Tensor:
        """Whether calibrators are fitted on each input, bool `(N,)`: those of the first half."""
        first = self.posthoc.first
        return torch.zeros(len(self), dtype=torch.bool, device="cpu") if first is None else first

    @cached_property
    def inputs(self) -> Mapping[str, NDArray[Any]]:
        """One row per input, the most suspect label first: see `per_input`."""
        robustness = None if self.robustness is None else self.robustness.robustness
        return per_input(self.predictions, robustness, self.R, self.nearest, self.weights)

    @cached_property
    def suspects(self) -> Tensor:
        """The positions of the inputs whose label the model contradicts, the most suspect first."""
        return suspects(self.predictions)

    @cached_property
    def fragile(self) -> Tensor:
        """The positions of the inputs that are right but least robust, the most confident first."""
        if self.robustness is None:
            return torch.zeros(0, dtype=torch.int64, device="cpu")
        return fragile(self.predictions, self.robustness.robustness, R=self.R)
