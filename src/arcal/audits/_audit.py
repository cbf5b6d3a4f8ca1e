"""`arcal.audit`: classifiers and data in, findings out."""

import tempfile
import webbrowser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import torch

from arcal.attacks import Bounds, as_attack
from arcal.auditing import (
    Audited,
    Changes,
    Difference,
    EvaluationSet,
    Predictions,
    as_model,
    difference,
    facts_with,
)
from arcal.audits._earlier import Earlier, read_earlier
from arcal.audits._estimators import audited_estimators, is_estimator, refuse_array
from arcal.audits._examples import (
    Examples,
    augmented,
    in_drawn_order,
    usable_device,
)
from arcal.audits._from_predictions import from_predictions
from arcal.audits._inputs_table import inputs_table, write_inputs
from arcal.audits._job import Job, panel_for
from arcal.audits._jobs import Progress, check_classes, run_jobs
from arcal.audits._loaded import Loaded, examples_or_loaded, read_with, without_iterators
from arcal.audits._overlap import overlap, repeated, training_part
from arcal.audits._same_inputs import check_same_inputs
from arcal.audits.blocks import Settings
from arcal.classifiers import check_order_given
from arcal.data import Part
from arcal.errors import ArcalError, a_type
from arcal.files import check_replaceable, write_json, write_text
from arcal.labels import refuse_text
from arcal.orders import check_order
from arcal.report.audited import (
    Finding,
    Shown,
    as_json,
    doubts,
    figures,
    markdown,
    model_card,
    payload,
    summary,
)
from arcal.report.explorer import write_explorer
from arcal.robustness import Attack

FILES = ("index.html", "audit.json", "inputs.parquet", "model-card.md")
"""The files that an audit writes, besides its finished blocks."""


@dataclass(frozen=True, eq=False, repr=False)
class Audit:
    """One or more classifiers on one data set, and what was found.

    `models` has one entry per classifier, which holds all findings on it. `data` is the name of
    the data set and `examples` are its inputs, or None if there are only predictions. `of` is the
    total number of inputs if this is a first answer from some of them, else None. `against` is the
    earlier audit to compare with. `one_per` is the column that was thinned to one input per value,
    or None.

    >>> import arcal
    >>> from torch import nn
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2)).eval()
    >>> x, y = torch.rand(60, 3, 2, 2), torch.arange(60) % 2
    >>> audit = arcal.audit(model, (x, y), name="mine")
    >>> audit.models[0].overall.n, "mine" in audit.summary()
    (60, True)
    >>> audit
    <Audit of data: mine; 60 inputs>
    >>> audit.report("out").name
    'index.html'
    """

    data: str
    models: tuple[Audited, ...]
    examples: Examples | None = None
    of: int | None = None
    against: Earlier | None = None
    one_per: str | None = None
    _pages: list[Path] = field(default_factory=list, init=False, repr=False)
    _parts: list[Part | None] = field(default_factory=list, init=False, repr=False)

    @classmethod
    def from_jobs(
        cls,
        jobs: Sequence[Job],
        models: Sequence[Audited],
        of: int | None = None,
        against: Earlier | None = None,
        one_per: str | None = None,
    ) -> "Audit":
        """The audit of these jobs, or of the first few if there are fewer models."""
        examples = jobs[0].examples
        name = examples.name if examples else "data"
        audit = cls(name, tuple(models), examples, of, against, one_per)
        own = [job.examples for job in jobs[: len(models)]]  # models may take different sizes
        audit._parts.extend(None if one is None else one.part for one in own)
        return audit

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the Z classes."""
        return self.models[0].classes

    def __post_init__(self) -> None:
        first, *others = self.models
        for other in others:
            check_classes(first.name, first.classes, other.name, other.classes)
            check_same_inputs(first, other)
        if self.against is not None:
            has = {"weights": first.weights is not None, "clusters": first.clusters is not None}
            self.against.check(first.classes, has, positive=first.positive_class)

    def __repr__(self) -> str:
        names = ", ".join(model.name for model in self.models)
        return f"<Audit of {self.data}: {names}; {len(self.models[0].predictions.ids):,} inputs>"

    @cached_property
    def differences(self) -> tuple[Difference, ...]:
        """How each later model differs from the first, in the order of `models[1:]`."""
        first, *others = self.models
        return tuple(
            difference(one.predictions, first.predictions, than=first.name, **first.counting)
            for one in others
        )

    @cached_property
    def changes(self) -> tuple[Changes | None, ...]:
        """How each model's figures changed since `against`; None for a model not audited then."""
        return () if self.against is None else self.against.changes(self.models)

    @cached_property
    def _findings(self) -> list[Finding]:
        every = zip_longest(self.models, (None, *self.differences), self.changes)
        return [Finding(*one) for one in every]

    def figures(self) -> dict[str, dict[str, float]]:
        """Every figure, by the name of the model and then of the figure."""
        return {one.model.name: figures(one) for one in self._findings}

    def inputs(self, model: str | None = None) -> pa.Table:
        """One row per input, suspects first, then by loss: predictions, distances and more.

        `model` names one of several models; by default it is the first. This is an Arrow table:
        `.to_pandas()` converts it to pandas, `polars.from_arrow` to polars.
        """
        names = [one.name for one in self.models]
        if model is not None and model not in names:
            raise ArcalError(f"the audit has no model {model!r}, only {', '.join(names)}")
        one = self.models[names.index(model) if model is not None else 0]
        return inputs_table(one, several=len(self.models) > 1)

    def summary(self) -> str:
        """The main findings in a few lines of text."""
        return summary(self._findings, self.data)

    def doubts(self) -> list[str]:
        """What to fix before believing any other figure; usually empty."""
        return [f"{model.name}: {doubt}" for model in self.models for doubt in doubts(model)]

    def markdown(self) -> str:
        """The summary as Markdown, for a pull request or the summary of a build."""
        return markdown(self._findings, self.data)

    def as_json(self) -> dict[str, Any]:
        """The findings as JSON values; their schema is the package's `audit.schema.json`."""
        facts = facts_with(data.facts, data.caveats) if (data := self.examples) else {}
        answers = self.models[0].predictions.answers
        kind = data.kind if data else "answers" if answers else "predictions"
        return as_json(self._findings, self.data, self.of, facts, kind, self.one_per)

    def save(self, out: Path | str = "audit") -> Path:
        """Write `audit.json`, `inputs.parquet` and `model-card.md`; returns the folder."""
        self._save(Path(out))
        return Path(out)

    def _save(self, out: Path) -> Mapping[str, Any]:
        for name in FILES:
            check_replaceable(out / name)
        findings = self.as_json()
        write_json(out / "audit.json", findings)
        write_inputs(out / "inputs.parquet", self.models)
        write_text(out / "model-card.md", model_card(self._findings, self.data))
        return findings

    def report(self, out: Path | str = "audit", *, images: bool = True) -> Path:
        """Write the page and everything that `save` writes; returns the path of `index.html`.

        Without `images` the page holds no pictures, texts or table rows of the inputs, so that you
        can share it.
        """
        findings = self._save(Path(out))
        page = payload(findings, self.models, self._shown() if images else None)
        self._pages.append(write_explorer(Path(out) / "index.html", page))
        return self._pages[-1]

    def explore(self, out: Path | str | None = None) -> Path:
        """Open the page in a browser; returns its path.

        The page is written to the folder `out`. Without `out` it is the page that `report` wrote
        last, or a new one in a temporary folder.
        """
        page = self._page() if out is None else self.report(out)
        webbrowser.open(page.resolve().as_uri())
        return page

    def _repr_html_(self) -> str:
        """In a notebook: the sentence, two pictures and a link to the page.

        If no page was written yet, one is written to a temporary folder.
        """
        page = self._page().resolve()
        here = Path.cwd()  # a notebook's server shows this folder but no others
        inside = page.is_relative_to(here)
        link = quote(page.relative_to(here).as_posix()) if inside else page.as_uri()
        from arcal.report.audited.notebook import notebook_html  # matplotlib takes a second

        return notebook_html(self.models, link)

    def _page(self) -> Path:
        """The page that was written last, or a new one if that is gone."""
        if self._pages and self._pages[-1].exists():
            return self._pages[-1]
        return self.report(tempfile.mkdtemp(prefix="arcal-audit-"))

    def _shown(self) -> Shown | None:
        if self.examples is None:
            first = self.models[0]
            return None if first.texts is None else Shown(first.predictions.ids, texts=first.texts)
        some = self.examples
        return Shown(
            some.ids,
            read=some.read,
            part=some.part,
            parts=self._parts,
            texts=some.texts,
            columns=some.columns,
        )


def audit(
    model: Any,
    data: Any = None,
    *,
    name: str = "model",
    classes: Sequence[str] | None = None,
    order: str | None = "attack",
    attack: Attack | str | None = None,
    bounds: Bounds = (0.0, 1.0),
    shift: Sequence[EvaluationSet] | None = None,
    validation: Any = None,
    other: Mapping[str, Any] | None = None,
    weights: Any = None,
    by: Any = None,
    clusters: Any = None,
    against: Path | str | None = None,
    positive: Any = None,
    R: int = 10,
    device: str | torch.device = "cpu",
    progress: Progress = lambda done, total: None,
) -> Audit:
    """Audit a classifier: how sure it should be, and where it is wrong about that.

    `model` is anything that `arcal.auditing.as_model` takes: a module in evaluation mode, or a
    function from inputs to logits; or `Predictions`, which need no data; or a fitted classifier
    with scikit-learn's interface, `predict_proba` and `classes_`; or a mapping from names to
    several of one kind. `data` is a part of `arcal.data`, a pair `(x, y)` of tensors or arrays, a
    loader of `(x, y)`, `(ids, x, y)` or dicts, or a data set or list of pairs to make one from.
    Images are floats in [0, 1]; other inputs lie within `bounds`. Float64 inputs are converted to
    float32 unless the module has float64 weights.

    A scikit-learn classifier reads `data` and `validation` itself: pairs `(X, y)` with y among its
    `classes_`. Only its probabilities are audited; no input is attacked, corrupted or ranked.

    `order` is what the robustness levels are based on: "attack", the distance that `attack` finds
    (by default `BoundaryProjection`, with 20 to 30 passes per input, or some 800 for inputs of at
    most 64 numbers; as in `arcal.score`), the rankings "gradient" and "margin", or None for no
    levels. `shift` are corruptions applied to the images of a part, by default a panel of four;
    a pair or a loader gets none. Calibrators are fitted on the `validation` data, or without it on
    one half of the inputs. `other` are data sets, by name, of classes the model does not know; they
    need no labels. `weights` `(N,)` say how much each input counts, in the order of the data.
    `by` groups the inputs: values `(N,)` by name, such as `{"hospital": hospitals, "age": ages}`,
    or a table of such columns, with text or with numbers, which are cut into ranges; for a
    scikit-learn classifier also names of columns of X. `clusters` `(N,)` says which inputs belong
    together, by a value each, such as the patient of each image: their errors may come together, so
    intervals are wider. `positive` is the class whose probability is
    compared with its frequency, such as a rare one; by default it is the second of two. `against`
    is the folder of an audit of other inputs, such as last month's, or its `audit.json`: `changes`
    then says how the figures have changed since. Anything that cannot be audited raises
    `ArcalError`.

    >>> import arcal
    >>> from torch import nn
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2)).eval()
    >>> x, y = torch.rand(60, 3, 2, 2), torch.arange(60) % 2
    >>> audit = arcal.audit(model, (x, y), classes=["cat", "dog"])
    >>> len(audit.models[0].levels), audit.inputs().num_rows
    (10, 60)
    >>> _ = audit.save("june")
    >>> since = arcal.audit(model, (x[:40], y[:40]), classes=["cat", "dog"], against="june")
    >>> since.changes[0].figures["accuracy"].verdict
    'not shown'
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X, names = [[0.0], [0.4], [0.6], [1.0]] * 15, ["cat", "dog", "cat", "dog"] * 15
    >>> arcal.audit(GaussianNB().fit(X, names), (X, names)).classes
    ('cat', 'dog')
    """
    refuse_array(model, audit)
    order = None if order == "none" else order  # the command line writes it so
    if order is not None:
        check_order(order, ", or None for no levels")
    beside_data = without_iterators({"weights": weights, "by": by, "clusters": clusters})
    known: dict[str, Any] = {**beside_data, "R": R, "positive": positive}
    models: Mapping[str, Any] = model if isinstance(model, Mapping) else {name: model}
    earlier = None if against is None else read_earlier(against).matched([*models])
    refuse_text(classes, "classes")
    classes = None if classes is None else tuple(map(str, classes))
    if models and all(isinstance(one, Predictions) for one in models.values()):
        if data is not None:
            raise ArcalError("predictions come with their labels: leave out the data")
        audited = [from_predictions(title, p, classes, **known) for title, p in models.items()]
        return Audit("predictions", tuple(audited), against=earlier)
    if not models:
        raise ArcalError("there is no model: give one, or a mapping from names to several")
    if any(map(is_estimator, models.values())):
        ranked = None if order == "attack" else order
        without = {"order": ranked, "attack": attack, "shift": shift, "other": other}
        audited = audited_estimators(models, data, validation, classes, without, **known)
        return Audit("data", tuple(audited), against=earlier)
    _check_read_again(data, "data", models)
    if not isinstance(other or {}, Mapping):
        raise ArcalError(
            f"other is {a_type(other)}: give a mapping from names to parts or pairs (x, y)"
        )
    examples, loader, apart = read_with(data, bounds, order, classes, **beside_data)
    drawn = [*in_drawn_order(loader, len(models)), *augmented(loader)]
    names = classes if examples is None or examples.numbered else examples.classes
    for one in models.values():
        check_order_given(one, names or ())
    settings = Settings(
        order=order,
        attack=as_attack(attack),
        bounds=bounds if examples is None else examples.bounds,
        panel=panel_for(shift, examples),
        device=usable_device(device),
    )

    def read(more: Any, title: str, *, labelled: bool) -> Examples | Loaded:
        _check_read_again(more, title, models)
        some = examples_or_loaded(more, title, settings, labelled=labelled)
        return replace(some, name=title)

    fitted_on = None if validation is None else read(validation, "validation", labelled=True)
    others = [read(of, title, labelled=False) for title, of in (other or {}).items()]
    twice = drawn if examples is None else overlap(examples, fitted_on, others)
    twice += [] if examples is None else [*training_part(examples), *repeated(examples)]
    jobs = [
        Job(
            name=title,
            model=as_model(one),
            examples=examples,
            loader=loader,
            beside=apart,
            classes=classes,
            validation=fitted_on,
            other=others,
            settings=settings,
            caveats=[*twice],
            R=R,
            positive=None if positive is None else str(positive),
        )
        for title, one in models.items()
    ]
    audited = run_jobs(jobs, against=earlier, progress=progress)
    return Audit.from_jobs(jobs, audited, against=earlier)


def _check_read_again(data: Any, title: str, models: Mapping[str, Any]) -> None:
    """Refuse data that can be read only once, if there are several models."""
    if isinstance(data, Iterator) and len(models) > 1:
        raise ArcalError(
            f"{title} can be read once, and there are several models: give a list of it"
        )
