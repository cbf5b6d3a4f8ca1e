"""What `arcal.audit` found: figures, the table of inputs, the page and the other files."""

import tempfile
import webbrowser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from arcal.auditing import Audited, Changes, Difference, difference, facts_with
from arcal.audits._earlier import Earlier
from arcal.audits._examples import Examples
from arcal.audits._inputs_table import inputs_table, write_inputs
from arcal.audits._job import Job
from arcal.audits._jobs import check_classes
from arcal.audits._same_inputs import check_same_inputs
from arcal.data import Part
from arcal.errors import ArcalError
from arcal.files import check_replaceable, write_json, write_text
from arcal.printable import wrapped
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

    >>> import arcal, torch
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

    def summary(self, width: int | None = 80, *, with_doubts: bool = True) -> str:
        """The main findings in a few lines of text, wrapped to a width in characters unless None.

        Without its `doubts` it is what `arcal audit` prints on standard output.
        """
        text = summary(self._findings, self.data, with_doubts=with_doubts)
        return text if width is None else wrapped(text, width)

    @cached_property
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
