"""Several subjects compared: their figures, their names and marks, and those of evaluation sets."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from torch import Tensor

from arcal.auditing import (
    CLEAN,
    OTHER_ECE,
    STABILITY,
    EvaluationSet,
    LevelFigures,
    Means,
    OutOfDistribution,
    OverShift,
    Spread,
    Subject,
    ensemble,
    figures_by_level,
    means,
    reliability,
)
from arcal.calibration import Reliability
from arcal.errors import ArcalError
from arcal.methods import describe
from arcal.printable import printable
from arcal.report.marks import METHOD_MARKS, SPARE_MARKS, Mark
from arcal.report.tables import Rows, check_comparable, measures_by_set

POSTHOC = {
    "temperature": ("TS", "temperature scaling"),
    "ets": ("ETS", "ensemble temperature scaling"),
    "irm": ("IRM", "one isotonic function for the probabilities of all classes"),
    "irova-ts": ("IROvA-TS", "temperature scaling, then an isotonic function for each class"),
    "vector": ("VS", "vector scaling, a scale and an offset for each class"),
    "dirichlet": ("Dir-ODIR", "Dirichlet calibration"),
    "smart": ("SMART", "a temperature that depends on the logit gap"),
    "ebs": ("EBS", "a temperature that depends on the energy of the logits"),
    "pts": ("PTS", "a temperature that depends on the largest logits"),
    "spline": ("Spline", "the confidence, read off a fitted spline"),
    "batch-temperature": ("batch TS", "a temperature for every batch of unlabelled images"),
}
"""The names of post-hoc methods, short and in words."""


OF_ANSWERS = {
    "vector": ("beta", "beta calibration, two slopes and an offset"),
    "irova-ts": ("isotonic", "temperature scaling, then an isotonic function"),
}
"""What a post-hoc method amounts to if there is one confidence and there are no classes."""


def noun(*, answers: bool) -> str:
    """The word for what is audited: an input, or an answer.

    >>> noun(answers=True)
    'answer'
    """
    return "answer" if answers else "input"


def posthoc_names(name: str, *, answers: bool = False) -> tuple[str, str]:
    """The names of a post-hoc method, short and in words; one that was registered keeps its name.

    >>> posthoc_names("ets"), posthoc_names("mine")
    (('ETS', 'ensemble temperature scaling'), ('mine', 'a calibrator of your own'))
    >>> posthoc_names("vector", answers=True)[1]
    'beta calibration, two slopes and an offset'
    """
    if answers and name in OF_ANSWERS:
        return OF_ANSWERS[name]
    return POSTHOC.get(name, (printable(name), "a calibrator of your own"))


Kind = tuple[str, str | None]
"""A training method, or a subject's own name, and its post-hoc method if any."""
LONGEST = 40
"""The most characters of a subject's own name in legends and tables; its title has all of them."""
Where = EvaluationSet | OverShift
"""The set that a figure was measured on, or the mean over shifted sets."""

_OWN: dict[Kind, tuple[str, str]] = {("vanilla", "temperature"): SPARE_MARKS[0]}
_OWN |= {(method, None): (mark.colour, mark.marker) for method, mark in METHOD_MARKS.items()}
_COLOURS, _MARKERS = zip(
    *SPARE_MARKS, *((mark.colour, mark.marker) for mark in METHOD_MARKS.values()), strict=True
)
_PALETTE = [
    (colour, _MARKERS[(i + turn) % len(_MARKERS)])
    for turn, (i, colour) in product(range(len(_MARKERS)), enumerate(_COLOURS))
]
"""Every colour with its own marker, then with the other colours' markers."""


@dataclass(frozen=True)
class Name:
    """How one subject is shown.

    `kind` is its method without settings, `settings` are all of these in words, and the name in
    `mark` is the kind with only the settings that tell it from other subjects of its kind, which
    are `telling`. `about` describes the kind in one line, empty if nothing is known about it.
    """

    label: str
    kind: str
    settings: str
    mark: Mark
    about: str
    telling: str

    @property
    def short(self) -> str:
        """The kind with the settings that tell it from others."""
        return self.mark.name

    @property
    def title(self) -> str:
        """The kind with all settings."""
        return f"{self.kind}, {self.settings}" if self.settings else self.kind

    @property
    def on_lines(self) -> str:
        """The short name with its settings on a line of their own."""
        return f"{self.kind}\n{self.telling}" if self.telling else self.short


def name_subjects(subjects: Sequence[Subject]) -> list[Name]:
    """Names for subjects that are shown together."""
    kinds = [_kind(subject) for subject in subjects]
    described = [_describe(subject) for subject in subjects]
    sizes = {subject.method.members if subject.method else 1 for subject in subjects}
    names = []
    for subject, kind, (title, about, settings), look in zip(
        subjects, kinds, described, _palette(kinds), strict=True
    ):
        alike = [other for its, (*_, other) in zip(kinds, described, strict=True) if its == kind]
        always = _members(subject) if len(sizes) > 1 else []  # subjects differ in members
        has_digest = bool(subject.method and subject.method.details)  # it is the last setting
        telling = ", ".join(_telling(settings, alike, always, has_digest=has_digest))
        short = title if subject.method else shortened(title, LONGEST)
        mark = Mark(f"{short}, {telling}" if telling else short, *look)
        names.append(Name(subject.name, title, ", ".join(settings), mark, about, telling))
    return names


def _telling(
    settings: list[str], alike: list[list[str]], always: list[str], *, has_digest: bool
) -> list[str]:
    """The settings that not all of the kind share, without a digest if the others suffice."""
    words = [w for w in settings if w in always or not all(w in other for other in alike)]
    others = [other for other in alike if other is not settings]
    unique = all(any(word not in other for word in words[:-1]) for other in others)
    return words[:-1] if has_digest and others and unique else words


def shortened(text: str, length: int = 24) -> str:
    """The text, cut to a length.

    >>> shortened("a very long name", 8)
    'a very…'
    """
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


def listed(words: Sequence[str], *, last: str = "and") -> str:
    """Words joined by commas, with "and", or another word `last`, before the last one.

    >>> listed(["cat", "dog", "fox"])
    'cat, dog and fox'
    """
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _kind(subject: Subject) -> Kind:
    method = subject.method
    return (subject.name, None) if method is None else (method.name, method.posthoc)


def _describe(subject: Subject) -> tuple[str, str, list[str]]:
    """The title of a subject's kind, a line about it, and the subject's settings in words."""
    method = subject.method
    if method is None:
        return printable(subject.name), "", []
    known = describe(method.name, method.settings)
    settings = [*known.settings, *_members(subject), *method.details]
    if method.posthoc is None:
        return known.title, known.about, settings
    short, words = posthoc_names(method.posthoc)
    about = f"the same after training: {words}, fitted on validation images"
    return f"{known.title} + {short}", about, settings


def _members(subject: Subject) -> list[str]:
    method = subject.method
    return [] if method is None or method.members == 1 else [f"{method.members} members"]


def _palette(kinds: Sequence[Kind]) -> list[tuple[str, str]]:
    """A colour and marker for each: the first of a known kind has its own, others what is left."""
    own = {i: _OWN[kind] for i, kind in enumerate(kinds) if kind in _OWN and kind not in kinds[:i]}
    free = [pair for pair in _PALETTE if pair not in own.values()]
    others = [i for i in range(len(kinds)) if i not in own]
    own |= {i: free[n % len(free)] for n, i in enumerate(others)}
    return [own[i] for i in range(len(kinds))]


def seed_title(seeds: tuple[int, ...]) -> str:
    """The seed of a run, or the seeds of its members."""
    return " + ".join(map(str, seeds))


def set_title(where: EvaluationSet) -> str:
    """A set in words, such as "Gaussian noise of intensity 3"."""
    if where.corruption is None:
        return f"Clean {where.part} set"
    words = corruption_title(where.corruption)
    part = "" if where.part == "test" else f" ({where.part} set)"
    return f"{words[0].upper()}{words[1:]} of intensity {where.intensity}{part}"


def set_titles(sets: Sequence[Where]) -> dict[Where, str]:
    """The titles of sets, and of the mean over the shifted ones."""
    return {
        where: set_title(where)
        if isinstance(where, EvaluationSet)
        else f"Mean over {_corrupted_sets(sets)}"
        for where in sets
    }


def _corrupted_sets(sets: Sequence[Where]) -> str:
    shifted = sum(isinstance(where, EvaluationSet) and where.is_shifted for where in sets)
    return f"the {shifted} corrupted test sets"


def where_words(where: Where, sets: Sequence[Where]) -> str:
    """Where a figure was measured, such as "under fog of intensity 2"."""
    if isinstance(where, OverShift):
        return f"on average over {_corrupted_sets(sets)}"
    if where.corruption is None:
        return f"on the clean {where.part} set"
    part = "" if where.part == "test" else f" ({where.part} set)"
    return f"under {corruption_title(where.corruption)} of intensity {where.intensity}{part}"


def corruption_title(type: str) -> str:
    """A type of corruption in words, such as "Gaussian noise" for `gaussian_noise`."""
    return type.replace("_", " ").replace("jpeg", "JPEG").replace("gaussian", "Gaussian")


SHOWN = ("ece", "accuracy")
"""The measures whose means under shift the report shows."""
BOXED = 3
"""The types that a box plot needs at each intensity: quartiles of fewer mean nothing."""


@dataclass(frozen=True, eq=False)
class Compared:
    """One subject's name, seeds and figures.

    `measures` are by set, the clean test set first. `calibration_errors` are the ECE, its interval
    and the other errors, on the clean test set; `means` are over corrupted sets. `ensemble`
    (on the clean test set), `ensemble_means`, `ensemble_reliability` and `stability` are for all
    runs together, and empty or None for a single run. `reliability` has one entry per run.
    """

    name: Name
    subject: Subject
    measures: dict[Where, Rows]
    calibration_errors: Rows
    ensemble: Rows
    means: dict[str, Means]
    ensemble_means: dict[str, Means]
    stability: dict[str, Means]
    levels: LevelFigures
    reliability: list[Reliability]
    ensemble_reliability: Reliability | None

    @property
    def seeds(self) -> Sequence[tuple[int, ...]]:
        return self.subject.seeds

    @property
    def ood(self) -> Sequence[OutOfDistribution]:
        return self.subject.ood

    @property
    def soft_labels(self) -> Tensor | None:
        return self.subject.soft_labels


@dataclass(frozen=True)
class Comparison:
    """All subjects, compared on the same images, with `R` levels by `order`."""

    subjects: list[Compared]
    R: int
    order: str

    @property
    def reference(self) -> Compared:
        """The baseline: plain vanilla training, or else any vanilla one, or else the first."""
        vanilla = [
            (one, method.settings)
            for one in self.subjects
            if (method := one.subject.method) and method.name == "vanilla" and not method.posthoc
        ]
        plain = [
            one for one, settings in vanilla if all(given is None for given in settings.values())
        ]
        return (plain or [one for one, _ in vanilla] or self.subjects)[0]

    @property
    def others(self) -> list[Compared]:
        """All subjects but the reference."""
        return [one for one in self.subjects if one is not self.reference]

    @property
    def several(self) -> list[Compared]:
        """The subjects with two or more runs, which have an ensemble and a variance over runs."""
        return [one for one in self.subjects if len(one.seeds) > 1]

    @property
    def sets(self) -> list[Where]:
        return list(self.subjects[0].measures)

    @property
    def boxed(self) -> list[int]:
        """The intensities of a box plot: those with three or more types; empty if just one has."""
        types = self.subjects[0].means["ece"].types
        enough = [i for i, n in enumerate(types, 1) if n >= BOXED]
        return enough if len(enough) > 1 else []

    def rows(self, where: Where) -> list[Rows]:
        """Each subject's measures on one set."""
        return [one.measures[where] for one in self.subjects]


def compare(subjects: Sequence[Subject], R: int, Z: int) -> Comparison:
    """Compute all figures for subjects that were evaluated on the same images of Z classes."""
    check_comparable(subjects)
    compared = [
        Compared(
            name=name,
            subject=subject,
            measures=measures_by_set(subject),
            calibration_errors=_calibration_errors(subject),
            ensemble={m: Spread((v,)) for m, v in subject.measures[CLEAN].ensemble.items()},
            means=_means(subject, SHOWN),
            ensemble_means=_means(subject, SHOWN, ensemble=True),
            stability=_means(subject, STABILITY),
            levels=figures_by_level(subject, R, Z),
            reliability=[reliability(run) for run in subject.clean],
            ensemble_reliability=_ensemble_reliability(subject),
        )
        for name, subject in zip(name_subjects(subjects), subjects, strict=True)
    ]
    orders = {scores.order for subject in subjects for scores in subject.robustness}
    if len(orders) != 1:
        raise ArcalError(f"images were ranked by {', '.join(sorted(orders))}: use one order")
    return Comparison(compared, R, orders.pop())


def _means(
    subject: Subject, measures: Sequence[str], *, ensemble: bool = False
) -> dict[str, Means]:
    by_measure = {measure: means(subject, measure, ensemble=ensemble) for measure in measures}
    return {measure: one for measure, one in by_measure.items() if one is not None}


def _ensemble_reliability(subject: Subject) -> Reliability | None:
    """The reliability of the runs' averaged probabilities; None for a single run.

    Runs are not pooled: they see the same images, so an interval of the pool would be too narrow.
    """
    return reliability(ensemble(subject.clean)) if len(subject.clean) > 1 else None


def _calibration_errors(subject: Subject) -> Rows:
    """The ECE, the ends of its interval, and the other errors, as far as they were computed."""
    clean = subject.measures[CLEAN].runs
    names = [name for name in ("ece", "ece_low", "ece_high", *OTHER_ECE) if name in clean[0]]
    return {name: Spread(tuple(run[name] for run in clean)) for name in names}
