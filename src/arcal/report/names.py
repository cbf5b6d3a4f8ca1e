"""Several subjects compared: what they and evaluation sets are called, and each one's mark."""

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
    ensemble_reliability,
    figures_by_level,
    means,
    reliability_by_run,
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
"""What a post-hoc method is called, in short and in words."""


OF_ANSWERS = {
    "vector": ("beta", "beta calibration, two slopes and an offset"),
    "irova-ts": ("isotonic", "temperature scaling, then an isotonic function"),
}
"""What a post-hoc method comes to where there is one confidence and no classes."""


def noun(*, answers: bool) -> str:
    """What is audited is called so: an input, or an answer.

    >>> noun(answers=True)
    'answer'
    """
    return "answer" if answers else "input"


def posthoc_names(name: str, *, answers: bool = False) -> tuple[str, str]:
    """The same of any method: one that was registered is called by its own name.

    >>> posthoc_names("ets"), posthoc_names("mine")
    (('ETS', 'ensemble temperature scaling'), ('mine', 'a calibrator of your own'))
    >>> posthoc_names("vector", answers=True)[1]
    'beta calibration, two slopes and an offset'
    """
    if answers and name in OF_ANSWERS:
        return OF_ANSWERS[name]
    return POSTHOC.get(name, (printable(name), "a calibrator of your own"))


Kind = tuple[str, str | None]
"""A training method, or a subject's own name, and the post-hoc method after it."""
LONGEST = 40
"""Characters of a subject's own name in legends and tables; its title has all."""
Where = EvaluationSet | OverShift
"""What a figure was measured on."""

_OWN: dict[Kind, tuple[str, str]] = {("vanilla", "temperature"): SPARE_MARKS[0]}
_OWN |= {(method, None): (mark.colour, mark.marker) for method, mark in METHOD_MARKS.items()}
_COLOURS, _MARKERS = zip(
    *SPARE_MARKS, *((mark.colour, mark.marker) for mark in METHOD_MARKS.values()), strict=True
)
_PALETTE = [
    (colour, _MARKERS[(i + turn) % len(_MARKERS)])
    for turn, (i, colour) in product(range(len(_MARKERS)), enumerate(_COLOURS))
]
"""Every colour with its own marker, then with the others'."""


@dataclass(frozen=True)
class Name:
    """How one subject is shown.

    `kind` is its method without its settings, `settings` all of them in words, and `mark` has the
    kind with only those settings that tell it from other subjects of its kind. `about` is the kind
    in a line, empty if nothing is known of it; `posthoc` says whether it was calibrated after its
    training.
    """

    label: str
    kind: str
    settings: str
    mark: Mark
    about: str = ""
    posthoc: bool = False

    @property
    def short(self) -> str:
        """The kind with what tells it from others."""
        return self.mark.name

    @property
    def title(self) -> str:
        """The kind with all settings."""
        return f"{self.kind}, {self.settings}" if self.settings else self.kind

    @property
    def on_lines(self) -> str:
        """The short name with its settings on a line of their own."""
        telling = self.short.removeprefix(f"{self.kind}, ")
        return self.short if telling == self.short else f"{self.kind}\n{telling}"


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
        always = _members(subject) if len(sizes) > 1 else []  # beside others that have fewer
        has_digest = bool(subject.method and subject.method.details)  # it is the last of these
        telling = _telling(settings, alike, always, has_digest=has_digest)
        short = title if subject.method else shortened(title, LONGEST)
        mark = Mark(", ".join([short, *telling]), *look)
        posthoc = kind[1] is not None
        names.append(Name(subject.name, title, ", ".join(settings), mark, about, posthoc))
    return names


def _telling(
    settings: list[str], alike: list[list[str]], always: list[str], *, has_digest: bool
) -> list[str]:
    """The settings that not all of the kind have, without a digest that others make needless."""
    words = [w for w in settings if w in always or not all(w in other for other in alike)]
    others = [other for other in alike if other is not settings]
    unique = all(any(word not in other for word in words[:-1]) for other in others)
    return words[:-1] if has_digest and others and unique else words


def shortened(text: str, length: int = 24) -> str:
    """The text, cut where there is room for no more.

    >>> shortened("a very long name", 8)
    'a very…'
    """
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


def listed(words: Sequence[str], *, last: str = "and") -> str:
    """Words with commas, and "and", or another word, before the `last`.

    >>> listed(["cat", "dog", "fox"])
    'cat, dog and fox'
    """
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _kind(subject: Subject) -> Kind:
    method = subject.method
    return (subject.name, None) if method is None else (method.name, method.posthoc)


def _describe(subject: Subject) -> tuple[str, str, list[str]]:
    """What a subject's kind is called, what it is in a line, and its settings in words."""
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
    """Colour and marker of each: the first of a known kind has its own, others what is left."""
    own = {i: _OWN[kind] for i, kind in enumerate(kinds) if kind in _OWN and kind not in kinds[:i]}
    free = [pair for pair in _PALETTE if pair not in own.values()]
    others = [i for i in range(len(kinds)) if i not in own]
    own |= {i: free[n % len(free)] for n, i in enumerate(others)}
    return [own[i] for i in range(len(kinds))]


def seed_title(seeds: tuple[int, ...]) -> str:
    """The seed of a run, or those of its members."""
    return " + ".join(map(str, seeds))


def set_title(where: EvaluationSet) -> str:
    """A set in words, such as Gaussian noise of intensity 3."""
    if where.corruption is None:
        return f"Clean {where.part} set"
    words = corruption_title(where.corruption)
    part = "" if where.part == "test" else f" ({where.part} set)"
    return f"{words[0].upper()}{words[1:]} of intensity {where.intensity}{part}"


def set_titles(sets: Sequence[Where]) -> dict[Where, str]:
    """The sets, and the mean over those that are shifted, in words."""
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
    """A type of corruption in words, such as `gaussian_noise`: Gaussian noise."""
    return type.replace("_", " ").replace("jpeg", "JPEG").replace("gaussian", "Gaussian")


SHOWN = ("ece", "accuracy")
"""The measures whose means under shift the report shows."""
BOXED = 3
"""Types that a box plot needs at an intensity: a quartile of fewer says nothing."""


@dataclass(frozen=True, eq=False)
class Compared:
    """One subject's name, seeds and figures.

    `measures` are by set, the clean test set first; `calibration_errors` are the ECE, its interval
    and the other errors, on the clean test set; `means` are over corrupted sets. `ensemble`
    (on the clean test set), `ensemble_means`, `ensemble_reliability` and `stability` are of all
    runs together: empty or None if there is one. `reliability` has an entry a run.
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
    """All subjects, compared on the same images. `R` levels, cut by `order`."""

    subjects: list[Compared]
    R: int
    order: str

    @property
    def reference(self) -> Compared:
        """The subject that shows what is wrong: vanilla with nothing added, or else the first."""
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
        """The subjects of two runs or more: those with an ensemble, and a variance over runs."""
        return [one for one in self.subjects if len(one.seeds) > 1]

    @property
    def sets(self) -> list[Where]:
        return list(self.subjects[0].measures)

    @property
    def boxed(self) -> list[int]:
        """The intensities of a box plot: those with three types or more; two, or it has none."""
        types = self.subjects[0].means["ece"].types
        enough = [i for i, n in enumerate(types, 1) if n >= BOXED]
        return enough if len(enough) > 1 else []

    def rows(self, where: Where) -> list[Rows]:
        """Each subject's measures on one set."""
        return [one.measures[where] for one in self.subjects]


def compare(subjects: Sequence[Subject], R: int, Z: int) -> Comparison:
    """Compute all figures of subjects that were evaluated on the same images of Z classes."""
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
            reliability=reliability_by_run(subject),
            ensemble_reliability=ensemble_reliability(subject),
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


def _calibration_errors(subject: Subject) -> Rows:
    """What there is of the ECE, the ends of its interval, and the other errors."""
    clean = subject.measures[CLEAN].runs
    names = [name for name in ("ece", "ece_low", "ece_high", *OTHER_ECE) if name in clean[0]]
    return {name: Spread(tuple(run[name] for run in clean)) for name in names}
