"""One model on one data set."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from arcal.attacks import Inputs, Model, frozen
from arcal.attacks.any_model import refuse_one_number
from arcal.auditing import (
    Caveat,
    EvaluationSet,
    Option,
    Predictions,
    check_model,
    positive_class,
    suspect_outputs,
    suspect_scale,
)
from arcal.audits._examples import Examples
from arcal.audits._loaded import Beside, Loaded
from arcal.audits.blocks import PANEL, Advance, Block, Settings, by_id, joined
from arcal.audits.engine import (
    PROBED,
    AuditBlocks,
    Reopen,
    ScoreBlocks,
    from_loader,
    in_order,
)
from arcal.classifiers import check_class_names
from arcal.compute.sharing import Sharing
from arcal.errors import ArcalError, ModelInputError, prefixing_errors
from arcal.labelled_batches import nothing_in, unpacked, usual_batch
from arcal.labels import as_labels
from arcal.printable import first_few
from arcal.report.audited import figure_names
from arcal.robustness import Robustness
from arcal.transforms.corruptions import check_shape

FEW = 4
"""How many inputs a model is exported by."""
FEW_SHADES = 64
"""Warn about 16-bit images if 8 bits leave at most this many shades in a batch."""


@dataclass(frozen=True, eq=False)
class Job:
    """One model on one data set.

    The data are `examples`, with known ids, or a `loader` of batches, with the weights and groups
    of its inputs in `beside`. `classes` are the model's own names for its classes, if it has any.
    Calibrators are fitted on `validation`, and `other` are data of classes the model does not know.
    `positive` names the class whose probability is compared with its frequency, if any is named.
    `fingerprint` tells the model from others with the same weights; an `opaque` model holds more
    than its tensors. `names` by id are those that a loader gives. `facts` are for the page,
    `caveats` come before any figure, and `options` are command-line options that may be
    recommended. A caveat is added if the first inputs that the model meets seem to have another
    scale than in training. Finished work is kept in the folder `work`. It may be shared by the
    processes of `sharing`, which open the job with `reopen`.
    """

    name: str
    model: Model
    examples: Examples | None
    loader: Iterable[Any] = ()
    classes: tuple[str, ...] | None = None
    beside: Beside | None = None
    validation: Examples | Loaded | None = None
    other: Sequence[Examples | Loaded] = ()
    settings: Settings = field(default_factory=Settings)
    fingerprint: str = ""
    opaque: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)
    caveats: list[Caveat] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    options: Sequence[Option] = ()
    R: int = 10
    positive: str | None = None
    reopen: Reopen | None = None
    work: Path | None = None
    sharing: Sharing | None = None

    def __len__(self) -> int:
        """How many inputs there are, not counting those of loaders."""
        every = (self.examples, self.validation, *self.other)
        return sum(len(one) for one in every if isinstance(one, Examples))

    def checked(self) -> "Job":
        """The job, after its model has run on a few inputs; `ArcalError` if it cannot be audited.

        Data whose classes are only numbers, with fewer of them than the model, gets the model's.
        """
        if self.examples is None:
            return replace(self, caveats=[*self.caveats], names={})
        examples, caveats = self.examples, [*self.caveats]
        x = self._read(examples, PROBED)
        try:
            check_model(self.model, x)
        except ArcalError as error:
            if examples.columns is None or not isinstance(error, ModelInputError):
                raise
            columns = first_few(examples.columns)
            remedy = ": name those that it takes with --columns" if self.options else ""
            raise ArcalError(
                f"{error}; it was given the {len(examples.columns)} columns {columns}{remedy}"
            ) from error
        with frozen(self.model), torch.no_grad():
            Z = (logits := self.model(x.parts)).shape[1]
        numbered = examples.numbered
        from_one = numbered and int(examples.labels.min()) == 1
        if numbered and len(examples.classes) < Z:
            names = self.classes or tuple(map(str, range(Z)))
            labelled = len(examples.labels.unique())
            caveats.append(_labels(f"of {labelled:,} of the model's {Z:,} classes"))
            examples = replace(examples, classes=names)
        elif from_one and len(examples.classes) == Z > 2:
            said = f"1 to {Z - 1}, of classes 0 to {Z - 1}: do they count from 1?"
            caveats.append(_labels(said))
        if len(examples.classes) != Z:
            refuse_one_number(logits, len(examples.classes))
            raise ArcalError(_unlike(Z, examples, from_one=from_one))
        if self.classes is not None:
            check_class_names(self.classes, examples.classes)
        as_labels(examples.labels, len(examples), Z)
        self.positive_class(examples.classes)
        self._check_others(examples)
        job = replace(self, examples=examples, caveats=caveats)
        batch = self._read(examples, usual_batch(x, self.settings.device))
        job.look_at_scale(batch)
        job.look_at_outputs()
        if getattr(examples.part, "sixteen_bits", False):
            job.look_at_shades(batch)
        return job

    def _check_others(self, examples: Examples) -> None:
        """Refuse validation and other data that do not fit the audited `examples` or the model."""
        if isinstance(self.validation, Examples) and not self.validation.numbered:
            try:
                check_class_names(self.validation.classes, examples.classes)
            except ArcalError as error:
                have, need = (first_few(of.classes) for of in (self.validation, examples))
                raise ArcalError(
                    f"{self.validation.name} has the classes {have}, and {examples.name} {need}: "
                    "load both with the same `classes`"
                ) from error
        for one in (self.validation, *self.other):
            if isinstance(one, Examples):
                with prefixing_errors(one.name):
                    check_model(self.model, self._read(one, PROBED))

    def positive_class(self, classes: Sequence[str]) -> int | None:
        """The number of the class whose probability is compared with its frequency, or None."""
        return positive_class(self.positive, classes)

    def for_export(self) -> tuple[Any, dict[str, Any]]:
        """A few inputs as the model takes them, and what else `export_calibrated` takes.

        The inputs are None if they came from a loader that cannot be read again.
        """
        if (examples := self.examples) is None:
            names = {"class_names": self.classes or ()}
            for _, x, _ in first_batch(self):
                some = torch.arange(min(len(x), FEW), device="cpu")
                return x.rows(some).no_finer_than(self.model).parts, names
            return None, names
        some = examples.order()[:FEW]
        tokens = examples.token_ids
        x = self.read(examples, some).parts if tokens is None else tokens(some)
        names = self.classes or (() if examples.numbered else examples.classes)
        return x, {"class_names": names, "calibrated_on": examples.content}

    def read(self, examples: Examples, positions: Tensor) -> Inputs:
        """The inputs at these positions `(B,)` as the model takes them, on the CPU."""
        return Inputs.of(examples.read(positions)).no_finer_than(self.model)

    def _read(self, examples: Examples, n: int) -> Inputs:
        """The first `n` inputs in their random order, on the device."""
        return self.read(examples, examples.order()[:n]).to(self.settings.device)

    def look_at_scale(self, x: Inputs) -> None:
        """Add a caveat if these inputs seem to be scaled differently than in training."""
        option = "--normalize" if "--normalize" in self.options else None
        if (doubt := suspect_scale(self.model, x, option, bounds=self.settings.bounds)) is not None:
            self.caveats.append(Caveat("Scale", doubt, about="scale"))

    def look_at_outputs(self) -> None:
        """Add a caveat if several of the tensors that the model returns may be its logits."""
        if (doubt := suspect_outputs(self.model)) is not None:
            self.caveats.append(Caveat("Outputs", doubt, about="outputs"))

    def look_at_shades(self, x: Inputs) -> None:
        """Add a caveat if conversion to 8 bits a channel leaves 16-bit images too few shades.

        Scans of 10 or 12 bits are often saved as 16-bit images: 8 bits leave 16 of 4,096 shades.
        """
        low, high = (round(255 * float(f(x.named["x"]))) for f in (torch.min, torch.max))
        if (shades := high - low + 1) <= FEW_SHADES:
            said = (
                f"the images of 16 bits only hold values near {257 * low:,} to {257 * high:,} of "
                f"65,535, of which 8 bits a channel leave {shades} shades: if the model was "
                "trained on more, give it tensors in Python, `arcal.audit(model, (x, labels))`"
            )
            self.caveats.append(Caveat("Shades", said, about="scale"))

    def figure_names(self, *, several: bool, changes: Collection[str] = ()) -> set[str]:
        """The names of all figures that this job, or one of `several`, can have."""
        assert self.examples is not None
        order = self.settings.order
        return figure_names(
            self.examples.classes,
            inputs=len(self.examples),
            levels=0 if order is None else self.R,
            distances=order == "attack",
            panel=self.settings.panel,
            others=[one.name for one in self.other],
            groupings=self.examples.groupings,
            several=several,
            changes=changes,
            positive=self.positive is not None,
        )

    def blocks(self, advance: Advance) -> Iterator[tuple[Block, bool]]:
        """The blocks of the audited inputs, each with whether it was run (True) or read.

        `advance` is called with the number of inputs done.
        """
        if self.examples is None:
            return from_loader(self, advance)
        return in_order(AuditBlocks(self, self.examples, self.settings), advance)

    def scores(self, advance: Advance) -> Iterator[tuple[Robustness, bool]]:
        """The same with nothing but the scores of the inputs."""
        assert self.examples is not None
        return in_order(ScoreBlocks(self, self.examples, self.settings), advance)

    def predictions(
        self, some: Examples | Loaded, advance: Advance = lambda done: None
    ) -> Predictions:
        """The model's predictions on other inputs, with nothing attacked or corrupted.

        `advance` is called with the number of inputs done.
        """
        settings = replace(self.settings, order=None, panel=(), nearest=False)
        if isinstance(some, Examples):
            done = in_order(AuditBlocks(self, some, settings), advance)
        else:
            job = replace(
                self, examples=None, loader=some.batches(), beside=None, caveats=[], names={}
            )
            within = None if self.settings.order is None else self.settings.bounds
            done = from_loader(replace(job, settings=settings), advance, within)
        with nullcontext() if isinstance(some, Examples) else prefixing_errors(some.name):
            parts = [block for block, _ in done]
        if not parts:
            raise ArcalError(f"{some.name} {nothing_in(getattr(some, 'loader', ()))}")
        whole = by_id(joined(parts))
        if len(row := whole.logits.isnan().any(dim=1).nonzero()):
            raise ArcalError(
                f"{some.name}: the logits hold NaN in row {int(row[0])}: leave such inputs out, or "
                "fix the model"
            )
        return Predictions(whole.ids, whole.labels, whole.logits[None])


def first_batch(job: Job) -> Iterator[tuple[Tensor, Inputs, Tensor]]:
    """The first batch of a job's loader that is not empty, if there is one."""
    batches = (unpacked(batch, 0, job.classes) for batch in job.loader)
    return islice((one for one in batches if len(one[0])), 1)


def panel_for(
    given: Sequence[EvaluationSet] | None, examples: Examples | None
) -> Sequence[EvaluationSet]:
    """The corruptions to apply: those given, or `PANEL` for images that can be corrupted.

    Corruptions given for inputs that cannot be corrupted raise `ArcalError`.
    """
    if isinstance(given, str) or any(isinstance(one, str) for one in given or ()):
        raise ArcalError(
            f"shift is {given!r}: name corruptions by `arcal.auditing.shift_sets([...])`, or give "
            "() for none"
        )
    part = None if examples is None else examples.part
    try:
        if part is None:
            raise ArcalError("a part of `arcal.data`, such as `InMemory`, of images is needed")
        check_shape(*part.shape)
    except ArcalError as error:
        if given:
            name = "a loader" if examples is None else examples.name
            raise ArcalError(
                f"{name} cannot be corrupted: {error}; leave out the corruptions"
            ) from None
        return ()
    return PANEL if given is None else given


def _labels(said: str) -> Caveat:
    return Caveat("Labels", f"the labels are {said}", said)


def _unlike(Z: int, examples: Examples, *, from_one: bool) -> str:
    """The error for a model of `Z` classes and data with another number of classes."""
    have = len(examples.classes)
    line = f"the model returns logits of {Z:,} classes, and the data has {have:,}"
    if from_one and have == Z + 1:
        return f"{line}, with labels from 1 to {Z:,}: number them from 0"
    if have < Z:
        return (
            f"{line}: if the data lacks some, give the names of the model's, in its order, as "
            "`classes` (--classes) or as the model's attribute class_names"
        )
    return f"{line}: give the model for this data"
