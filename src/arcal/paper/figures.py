"""From evaluated runs to rows, and from the rows of a method to the figures that items show."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from arcal.auditing import (
    CLEAN,
    INTENSITIES,
    STABILITY,
    LevelFigures,
    Means,
    OutOfDistribution,
    Predictions,
    Spread,
    Subject,
    ensemble,
    figures,
    figures_by_level,
    over_shift,
    over_types,
    reliability,
    without_extra,
)
from arcal.calibration import Reliability
from arcal.paper.rows import (
    ALL,
    DRAWN,
    EXTRA,
    FEW,
    LOW,
    MEAN,
    MEASURES,
    OTHER,
    SHIFT,
    STANDARD,
    TEST,
    R,
    Row,
    rounded,
)
from arcal.paper.variants import TEMPERATURE_SCALING, Variant


def rows_of(variant: Variant, subject: Subject, sure: Sequence[float] = ()) -> list[Row]:
    """The rows of a method as it was evaluated.

    `sure` is the share of training images that each run is sure of, if it was looked at.
    """
    each = variant.posthoc is None or variant == TEMPERATURE_SCALING
    rows = [*_on_test_set(subject, sure), *_under_shift(subject, each=each)]
    if subject.clean and variant.posthoc is None:
        rows += _by_member(subject)
        if subject.robustness:
            rows += _by_level(subject)
    for other in subject.ood:
        rows += _on_other_data(subject, other)
    return [{"method": variant.title} | rounded(row) for row in rows]


def _runs(subject: Subject) -> list[Row]:
    """The name and the seeds of each run."""
    return [
        {"run": run.name, "seed": "+".join(map(str, seeds))}
        for run, seeds in zip(subject.provenance, subject.seeds, strict=True)
    ]


def _has_ensemble(subject: Subject) -> bool:
    """Whether there are several models; those of one run were trained together."""
    return len(subject.seeds) > 1 or len(subject.seeds[0]) > 1


def _some(figures: Mapping[str, float]) -> Row:
    return {name: figures[name] for name in (*MEASURES, "smoothing") if name in figures}


def _on_test_set(subject: Subject, sure: Sequence[float]) -> Iterator[Row]:
    measures = subject.measures[CLEAN]
    for i, run in enumerate(_runs(subject)):
        row = run | {"set": TEST} | _some(measures.runs[i])
        if subject.clean:
            row["images"] = len(subject.clean[i].ids)
        if subject.robustness and (success := subject.robustness[i].success) is not None:
            row["attacked"] = success.double().mean().item()
        if sure:
            row["sure"] = sure[i]
        yield row
    if _has_ensemble(subject):
        together = measures.ensemble or measures.runs[0]
        yield {"run": ALL, "set": TEST} | _some(together) | dict(measures.stability)


def _under_shift(subject: Subject, *, each: bool) -> Iterator[Row]:
    """Means over corrupted sets, and if `each` is set each of these."""
    types = list(over_types(subject, "ece"))
    standard = without_extra(types)
    extra = [type for type in types if type not in standard]
    several = len(subject.seeds) > 1
    for name, some in ((SHIFT, types), (STANDARD, standard), (EXTRA, extra)):
        if not some:
            continue
        means = {m: over_shift(subject, m, some) for m in MEASURES}
        for i, run in enumerate(_runs(subject)):
            yield run | {"set": name} | {m: values[i].item() for m, values in means.items()}
        if _has_ensemble(subject):
            together = {m: over_shift(subject, m, some, ensemble=several) for m in MEASURES}
            if several:
                together |= {m: over_shift(subject, m, some) for m in STABILITY}
            yield {"run": ALL, "set": name} | {m: one.item() for m, one in together.items()}
    for where, measures in subject.measures.items() if each else ():
        if not where.is_shifted:
            continue
        place = {"set": where.corruption, "intensity": str(where.intensity)}
        means = {m: sum(run[m] for run in measures.runs) / len(measures.runs) for m in DRAWN}
        yield {"run": MEAN} | place | means
        if _has_ensemble(subject):
            together = measures.ensemble or measures.runs[0]
            pair = {m: together[m] for m in DRAWN}
            yield {"run": ALL} | place | pair | dict(measures.stability)


def _by_member(subject: Subject) -> Iterator[Row]:
    """Each single model on the test set, and the bins of its reliability diagram."""
    members = [
        (run, Predictions(one.ids, one.labels, logits[None]))
        for run, one in zip(_runs(subject), subject.clean, strict=True)
        for logits in one.logits
    ]
    bins = Reliability()
    for i, (run, model) in enumerate(members):
        yield run | {"set": TEST, "part": f"member {i}"} | _some(figures(model))
        bins.merge(reliability(model))
    yield from _bins(MEAN, bins, FEW * len(members))
    if len(members) > 1:
        yield from _bins(ALL, reliability(ensemble(subject.clean)), FEW)


def _bins(run: str, bins: Reliability, few: int) -> Iterator[Row]:
    for k in range(len(bins.count)):
        if bins.count[k] >= few:
            pair = {"accuracy": bins.accuracy[k].item(), "confidence": bins.confidence[k].item()}
            yield {"run": run, "set": TEST, "part": f"bin {k}"} | pair


def _by_level(subject: Subject) -> Iterator[Row]:
    levels = figures_by_level(subject, R, subject.clean[0].classes)
    for r in range(R):
        place = {"set": TEST, "part": f"level {r}"}
        for i, run in enumerate(_runs(subject)):
            yield (
                run
                | place
                | {
                    "accuracy": levels.accuracy[i, r].item(),
                    "confidence": levels.confidence[i, r].item(),
                    "ece": levels.ece[i, r].item(),
                }
            )
        if levels.stability:
            differ = {name: values[r] for name, values in levels.stability.items()}
            yield {"run": ALL} | place | differ


def _on_other_data(subject: Subject, other: OutOfDistribution) -> Iterator[Row]:
    name, bins = OTHER + other.name, other.outside.shape[1]
    low = other.outside[:, : round(LOW * bins)].sum(dim=1).tolist()
    for run, one, share in zip(_runs(subject), other.runs, low, strict=True):
        figures = {"images": other.images, "low_entropy": share}
        yield run | {"set": name} | figures | vars(one)
    yield {"run": MEAN, "set": name, "part": "classes", "value": subject.clean[0].classes}
    for part, shares in (("own entropy", other.inside), ("entropy", other.outside)):
        for k, share in enumerate(shares.mean(dim=0).tolist()):
            yield {"run": MEAN, "set": name, "part": f"{part} {k}", "value": share}


@dataclass(frozen=True, eq=False)
class Figures:
    """The rows of one method on one setting."""

    rows: Sequence[Row]

    @cached_property
    def _by_place(self) -> dict[tuple[str, str, str], list[Row]]:
        by_place: dict[tuple[str, str, str], list[Row]] = {}
        for row in self.rows:
            place = row["set"], row.get("intensity", ""), row.get("part", "")
            by_place.setdefault(place, []).append(row)
        return by_place

    def runs(self, where: str, measure: str, part: str = "") -> Spread | None:
        """A figure of each run; None if it is not known of all. `gap` is confidence - accuracy."""
        rows = self._by_place.get((where, "", part), [])
        return _spread([row for row in rows if row["run"] not in (MEAN, ALL)], measure)

    def together(self, where: str, measure: str, part: str = "") -> Spread | None:
        """A figure of all runs together, one value; None if there is none."""
        rows = self._by_place.get((where, "", part), [])
        return _spread([row for row in rows if row["run"] == ALL], measure)

    @cached_property
    def types(self) -> dict[str, tuple[int, ...]]:
        """The intensities of each type of corruption that it was evaluated under."""
        types: dict[str, tuple[int, ...]] = {}
        for where, intensity, _ in self._by_place:
            if intensity:
                types[where] = (*types.get(where, ()), int(intensity))
        return types

    def by_type(self, measure: str, *, together: bool = False) -> dict[str, Tensor]:
        """The mean over runs, or the figure of all together, at each intensity; nan if not run."""
        by_type = {}
        for type, intensities in self.types.items():
            nowhere = [torch.nan] * len(INTENSITIES)
            by_type[type] = torch.tensor(nowhere, dtype=torch.float64, device="cpu")
            for i in intensities:
                rows = self._by_place[type, str(i), ""]
                spread = _spread([r for r in rows if (r["run"] == ALL) == together], measure)
                if spread is not None:
                    by_type[type][i - 1] = spread.mean
        return by_type

    def means(self, measure: str, *, together: bool = False) -> Means | None:
        """What a box plot shows of a measure."""
        of = self.together if together else self.runs
        clean, by_type = of(TEST, measure), self.by_type(measure, together=together)
        if clean is None:
            return None
        by_intensity: list[Spread | None] = [None] * len(INTENSITIES)
        if by_type:
            values = torch.stack(list(by_type.values())).nanmean(dim=0).tolist()
            by_intensity = [Spread((v,)) if v == v else None for v in values]
        return Means(clean, by_intensity, of(SHIFT, measure), None, by_type)

    @cached_property
    def levels(self) -> LevelFigures | None:
        """The figures by level of robustness; None if the test images were not scored."""
        of_runs = {}
        for measure in ("accuracy", "confidence", "ece"):
            levels = [self.runs(TEST, measure, f"level {r}") for r in range(R)]
            if None in levels:
                return None
            values = [one.values for one in levels if one is not None]
            of_runs[measure] = torch.tensor(values, dtype=torch.float64, device="cpu").T
        differ = {}
        for measure in STABILITY:
            levels = [self.together(TEST, measure, f"level {r}") for r in range(R)]
            if None not in levels:
                differ[measure] = [one.mean for one in levels if one is not None]
        gap, unknown = of_runs["confidence"] - of_runs["accuracy"], torch.empty(0, R, device="cpu")
        return LevelFigures(
            **of_runs, gap=gap, misclassified=unknown, class_share=unknown, stability=differ
        )

    def members(self, measure: str) -> Spread:
        """A figure of each single model on the test set."""
        spreads = [
            self.runs(TEST, measure, part)
            for where, _, part in self._by_place
            if where == TEST and part.startswith("member")
        ]
        return Spread(tuple(value for one in spreads if one is not None for value in one.values))

    def bins(self, run: str) -> tuple[list[float], list[float]]:
        """Confidence and accuracy by bin on the test set; nan where there are few images."""
        pairs = []
        for k in range(Reliability().bins):
            rows = [r for r in self._by_place.get((TEST, "", f"bin {k}"), []) if r["run"] == run]
            (row,) = rows or [{"confidence": torch.nan, "accuracy": torch.nan}]
            pairs.append((row["confidence"], row["accuracy"]))
        confidence, accuracy = zip(*pairs, strict=True)
        return list(confidence), list(accuracy)

    @cached_property
    def other_data(self) -> str | None:
        """The set of other data that it was evaluated on; None if there is none."""
        return next((where for where, _, _ in self._by_place if where.startswith(OTHER)), None)

    @property
    def classes(self) -> float:
        """Z, the number of classes of the models that were evaluated on other data."""
        return self._by_place[str(self.other_data), "", "classes"][0]["value"]

    def entropies(self, part: str) -> Tensor:
        """Shares of images `(1, bins)` by entropy, means over runs.

        They are of the other data (`entropy`) or of the models' own test set (`own entropy`).
        """
        shares = [
            rows[0]["value"]
            for (_, _, name), rows in self._by_place.items()
            if name.rpartition(" ")[0] == part
        ]
        return torch.tensor([shares], dtype=torch.float64, device="cpu")


def _spread(rows: Sequence[Row], measure: str) -> Spread | None:
    if measure == "gap":
        high, low = _spread(rows, "confidence"), _spread(rows, "accuracy")
        if high is None or low is None:
            return None
        return Spread(tuple(a - b for a, b in zip(high.values, low.values, strict=True)))
    if not rows or any(measure not in row for row in rows):
        return None
    return Spread(tuple(row[measure] for row in rows))


def by_method(rows: Iterable[Row]) -> dict[str, Figures]:
    """The figures of each method of a setting, by its title."""
    methods: dict[str, list[Row]] = {}
    for row in rows:
        methods.setdefault(row["method"], []).append(row)
    return {method: Figures(some) for method, some in methods.items()}
